//! The operator's sandbox folder: a wallet in Bittensor's format and a `.env` as GRAIL reads it. The keys in it are the
//! well-known development ones and guard nothing.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;

use super::accounts::{Credentials, NETUID, OPERATOR_UID, hotkey, key_pair};
use super::metadata::prefixed_hex;
use super::scenario::{HotkeyFile, Local, OperatorSetup};
use crate::domain::hotkey::Hotkey;
use crate::domain::secret::SecretKey;

/// Name of the sandbox wallet (coldkey name).
pub const WALLET: &str = "practice";
/// Name of the sandbox hotkey.
pub const HOTKEY: &str = "operator";

/// The hotkey's file behind [`SANDBOX_PASSWORD`]; its origin is in `assets/wallets/README.md`.
const ENCRYPTED: &[u8] = include_bytes!("../../assets/wallets/operator.nacl");
/// The password of the sandbox hotkey's encrypted file. It guards nothing.
const SANDBOX_PASSWORD: &str = "practice-password-1";

/// The operator who practises: identity, files and credentials.
#[derive(Debug)]
pub struct Operator {
    /// The uid, [`OPERATOR_UID`].
    pub uid: u16,
    /// The hotkey.
    pub hotkey: Hotkey,
    /// Folder of wallets, as `--wallet-path` takes it.
    pub wallet_path: PathBuf,
    /// Wallet name, as `--wallet` takes it.
    pub wallet: &'static str,
    /// Hotkey name, as `--hotkey` takes it.
    pub hotkey_name: &'static str,
    /// Password of the hotkey's file, where it has one.
    pub password: Option<&'static str>,
    /// GRAIL's `.env`, as `--env-file` takes it.
    pub env_file: PathBuf,
    /// What the `.env` says: names and values in the file's order.
    pub environment: Vec<(&'static str, SecretKey)>,
    /// Every credential the operator owns, whether or not the `.env` has it.
    pub credentials: Credentials,
    folder: TempDir,
}

impl Operator {
    /// Writes the sandbox folder; nothing for a scenario without wallet and credentials.
    pub(super) fn prepare(setup: &OperatorSetup) -> io::Result<Option<Self>> {
        let local = setup.local;
        if local == Local::Nothing {
            return Ok(None);
        }
        let folder = sandbox_folder()?;
        let wallet_path = folder.path().join("wallets");
        write_wallet(&wallet_path.join(WALLET), setup.wallet)?;
        let credentials = Credentials::of(OPERATOR_UID, 0);
        let environment = environment(&credentials, local);
        let env_file = folder.path().join(".env");
        write_private(&env_file, dotenv(&environment).as_bytes())?;
        Ok(Some(Self {
            uid: OPERATOR_UID,
            hotkey: hotkey(OPERATOR_UID),
            wallet_path,
            wallet: WALLET,
            hotkey_name: HOTKEY,
            password: (setup.wallet == HotkeyFile::Encrypted).then_some(SANDBOX_PASSWORD),
            env_file,
            environment,
            credentials,
            folder,
        }))
    }

    /// The folder that holds everything; it is removed with the sandbox.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Beginning of the names of our temporary folders; the process id follows.
const FOLDER_PREFIX: &str = "grail-console-sandbox-";

/// A folder of this process that vanishes with its guard. What a killed sandbox of the same user left behind is removed
/// on the way: nobody else will.
pub fn sandbox_folder() -> io::Result<TempDir> {
    sweep();
    tempfile::Builder::new()
        .prefix(&format!("{FOLDER_PREFIX}{}-", std::process::id()))
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir()
}

/// Removes our own folders whose process is gone. Failing at it harms nobody.
fn sweep() {
    let owner = rustix::process::geteuid().as_raw();
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(FOLDER_PREFIX)?.split('-').next()?.parse().ok());
        let gone = process
            .and_then(rustix::process::Pid::from_raw)
            .is_some_and(|process| rustix::process::test_kill_process(process) == Err(rustix::io::Errno::SRCH));
        // Not followed: a link of that name is removed, not what it points to.
        let ours = entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == owner);
        if gone && ours {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn environment(credentials: &Credentials, local: Local) -> Vec<(&'static str, SecretKey)> {
    let mut lines = vec![
        ("NETUID", SecretKey::new(NETUID.to_string())),
        ("BT_WALLET_COLD", SecretKey::new(WALLET)),
        ("BT_WALLET_HOT", SecretKey::new(HOTKEY)),
        ("R2_ACCOUNT_ID", SecretKey::new(&*credentials.account)),
        ("R2_BUCKET_ID", SecretKey::new(&*credentials.account)),
    ];
    if local == Local::BothPairs {
        lines.push(("R2_READ_ACCESS_KEY_ID", SecretKey::new(&*credentials.read_key_id)));
        lines.push(("R2_READ_SECRET_ACCESS_KEY", credentials.read_secret.clone()));
    }
    lines.push(("R2_WRITE_ACCESS_KEY_ID", SecretKey::new(&*credentials.write_key_id)));
    lines.push(("R2_WRITE_SECRET_ACCESS_KEY", credentials.write_secret.clone()));
    lines
}

fn dotenv(lines: &[(&str, SecretKey)]) -> String {
    let head = "# Practice credentials of grail-console's sandbox. They open nothing.\n".to_owned();
    lines.iter().fold(head, |text, (name, value)| text + name + "=" + value.expose() + "\n")
}

/// `hotkeys/operator` and its public twin, as bittensor-wallet writes a key made from a URI: without phrase and seed.
fn write_wallet(wallet: &Path, form: HotkeyFile) -> io::Result<()> {
    let pair = key_pair(&format!("//uid{OPERATOR_UID}"));
    let public = prefixed_hex(&pair.public.to_bytes());
    let address = hotkey(OPERATOR_UID).to_string();
    let hotkeys = wallet.join("hotkeys");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&hotkeys)?;
    let public_part = json!({ "accountId": public, "publicKey": public, "ss58Address": address, "cryptoType": 1 });
    let mut keyfile = public_part.clone();
    keyfile["privateKey"] = json!(prefixed_hex(&pair.secret.to_bytes()));
    let keyfile = keyfile.to_string();
    let content = if form == HotkeyFile::Encrypted { ENCRYPTED } else { keyfile.as_bytes() };
    write_private(&hotkeys.join(HOTKEY), content)?;
    write_private(&hotkeys.join(format!("{HOTKEY}pub.txt")), public_part.to_string().as_bytes())
}

/// Readable by its owner alone, as bittensor-wallet leaves keyfiles.
fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(local: Local) -> Option<Operator> {
        Operator::prepare(&OperatorSetup { local, ..OperatorSetup::default() }).unwrap()
    }

    #[test]
    fn an_encrypted_keyfile_is_one_and_its_public_twin_is_not() {
        let setup = OperatorSetup { wallet: HotkeyFile::Encrypted, ..OperatorSetup::default() };
        let operator = Operator::prepare(&setup).unwrap().unwrap();
        assert_eq!((operator.password, prepared(Local::BothPairs).unwrap().password), (Some(SANDBOX_PASSWORD), None));
        let hotkeys = operator.wallet_path.join("practice/hotkeys");
        assert!(fs::read(hotkeys.join("operator")).unwrap().starts_with(b"$NACL"));
        let public = fs::read_to_string(hotkeys.join("operatorpub.txt")).unwrap();
        assert!(public.contains(&operator.hotkey.to_string()));
    }

    #[test]
    fn the_practice_keyfile_has_the_canonical_private_key_of_its_address() {
        let operator = prepared(Local::BothPairs).unwrap();
        let path = operator.wallet_path.join("practice/hotkeys/operator");
        let keyfile: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let private = hex::decode(keyfile["privateKey"].as_str().unwrap().trim_start_matches("0x")).unwrap();
        let secret = schnorrkel::SecretKey::from_bytes(&private).unwrap();
        assert_eq!(Hotkey::from_bytes(secret.to_public().to_bytes()), operator.hotkey);
        assert_eq!(keyfile["ss58Address"], operator.hotkey.to_string());
    }

    #[test]
    fn what_a_killed_sandbox_left_behind_is_removed_and_what_lives_stays() {
        let living = sandbox_folder().unwrap();
        assert_eq!(fs::metadata(living.path()).unwrap().permissions().mode() & 0o777, 0o700);
        // No process has this number: it is past the kernel's highest.
        let dead = std::env::temp_dir().join(format!("{FOLDER_PREFIX}{}-test", 0x4000_0001));
        fs::create_dir_all(dead.join("wallets")).unwrap();
        drop(sandbox_folder().unwrap());
        assert!(!dead.exists() && living.path().exists());
    }

    #[test]
    fn the_folder_vanishes_with_the_operator() {
        let operator = prepared(Local::BothPairs).unwrap();
        let folder = operator.folder().to_owned();
        assert!(folder.join(".env").exists());
        drop(operator);
        assert!(!folder.exists());
    }

    #[test]
    fn a_legacy_env_file_has_no_read_pair() {
        let operator = prepared(Local::WritePairOnly).unwrap();
        let text = fs::read_to_string(&operator.env_file).unwrap();
        assert!(text.contains("R2_WRITE_SECRET_ACCESS_KEY=") && !text.contains("R2_READ_"));
        assert!(prepared(Local::Nothing).is_none());
    }
}
