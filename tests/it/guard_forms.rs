//! The forms in which a secret of this machine may end up in the read pair, and the honest keys that only look alike: each is
//! laid out in real files, read as a commit reads them, and judged by the guard.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use grail_console::config::{Configuration, Flags};
use grail_console::domain::commitment::{Commitment, Payload, Stored};
use grail_console::domain::environment::Environment;
use grail_console::domain::guard::{
    Cleared, Forbidden, KnownSecret, ReadScope, Refusal, SecretKind, SecretPlace, clear,
};
use grail_console::domain::secret::SecretKey;
use grail_console::domain::vault_index::{Backend, Holding, Index, KeyRef, Origin};
use grail_console::wallet::hotkey_secrets;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::tui_fixtures::{account, hex_text, key_id, secret};

const PHRASE: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
/// The phrase's seed, and the first half of its sr25519 private key.
const SEED: &str = "fac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e";
const SCALAR: &str = "05d65584630d16cd4af6d0bec10f34bb504a5dcb62dba2122d49f5a663763d0a";
/// An AWS secret of 40 characters, and another one.
const AWS: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const AWS_TOO: &str = "9pZk2Lq/Hs7+VxTtRb0cNyGd5uWm3EoJfA8iQvXg";
/// An API token of Cloudflare's.
const TOKEN: &str = "cfat_Zq3vT8xNw5rK1mYp7LdHs2bGc9EfUa4JkXo6RiQtWn";

/// What lies on the machine.
#[derive(Clone)]
struct Form {
    name: &'static str,
    custom: bool,
    locator: String,
    read: (String, String),
    write: (String, String),
    before: String,
    behind: String,
    exported: Vec<(&'static str, String)>,
    key_file: Option<(&'static str, Vec<u8>)>,
    copy: Option<(&'static str, String)>,
    /// A write pair in the vault of another hotkey.
    held: Option<(String, String)>,
    on_chain: bool,
    scope: ReadScope,
}

/// On R2, with sound pairs.
fn r2(name: &'static str) -> Form {
    Form {
        name,
        custom: false,
        locator: account(1),
        read: (key_id(1), secret(1)),
        write: (key_id(2), secret(2)),
        before: String::new(),
        behind: String::new(),
        exported: Vec::new(),
        key_file: None,
        copy: None,
        held: None,
        on_chain: false,
        scope: ReadScope::NotShown,
    }
}

/// On R2, where this is the read secret.
fn reads(name: &'static str, read: &str) -> Form {
    let form = r2(name);
    Form { read: (form.read.0, read.to_owned()), ..form }
}

/// On another store, with these two secrets.
fn custom(name: &'static str, read: &str, write: &str) -> Form {
    Form {
        custom: true,
        locator: "grail-bucket".to_owned(),
        read: ("AKIAREADS1EXAMPLE".to_owned(), read.to_owned()),
        write: ("AKIAWRITES2EXAMPLE".to_owned(), write.to_owned()),
        ..r2(name)
    }
}

impl Form {
    /// Lines before the definitions that count.
    fn before(self, lines: impl Into<String>) -> Self {
        Self { before: lines.into() + "\n", ..self }
    }

    /// Lines behind them.
    fn behind(self, lines: impl Into<String>) -> Self {
        Self { behind: lines.into() + "\n", ..self }
    }

    fn exported(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.exported.push((name, value.into()));
        self
    }

    fn key_file(self, name: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { key_file: Some((name, bytes.into())), ..self }
    }

    fn copy(self, name: &'static str, text: impl Into<String>) -> Self {
        Self { copy: Some((name, text.into())), ..self }
    }

    fn held(self, id: &str, secret: &str) -> Self {
        Self { held: Some((id.to_owned(), secret.to_owned())), ..self }
    }

    fn ids(self, read: &str, write: &str) -> Self {
        Self { read: (read.to_owned(), self.read.1), write: (write.to_owned(), self.write.1), ..self }
    }

    fn at(self, locator: &str) -> Self {
        Self { locator: locator.to_owned(), ..self }
    }

    fn shown(self) -> Self {
        Self { scope: ReadScope::ShownReadOnly, ..self }
    }

    fn on_chain(self) -> Self {
        Self { on_chain: true, ..self }
    }

    fn env(&self) -> String {
        let pairs = [
            ("R2_ACCOUNT_ID", &self.locator),
            ("R2_BUCKET_ID", &self.locator),
            ("R2_READ_ACCESS_KEY_ID", &self.read.0),
            ("R2_READ_SECRET_ACCESS_KEY", &self.read.1),
            ("R2_WRITE_ACCESS_KEY_ID", &self.write.0),
            ("R2_WRITE_SECRET_ACCESS_KEY", &self.write.1),
        ];
        let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        let own = pairs.map(|(name, value)| format!("{name}={value}\n")).collect::<Vec<_>>().concat();
        let store = if self.custom { "R2_ENDPOINT_URL=http://127.0.0.1:9000\n" } else { "" };
        [&self.before, own.as_str(), store, &self.behind].concat()
    }

    /// Lays it out, reads it, and asks the guard.
    fn judged(&self) -> Result<Cleared, Refusal> {
        let home = tempfile::tempdir().unwrap();
        let write = |below: &str, bytes: &[u8]| {
            let path = home.path().join(below);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, bytes).unwrap();
            path
        };
        let env_file = Some(write("grail/.env", self.env().as_bytes()));
        if let Some((name, text)) = &self.copy {
            write(&format!("grail/{name}"), text.as_bytes());
        }
        if let Some((name, bytes)) = &self.key_file {
            write(&format!("wallets/one/hotkeys/{name}"), bytes);
        }
        let environment: Environment = self.exported.iter().cloned().collect();
        let flags = Flags { env_file, ..Flags::default() };
        let configuration = Configuration::load(&flags, &environment, None).unwrap();
        let known = &configuration.known;
        assert_eq!(known.unreadable, 0);
        let forbidden = Forbidden::default().and(known.all.iter().cloned()).and(of_hotkeys(home.path()));
        let forbidden = match &self.held {
            Some((id, secret)) => forbidden.and_held(Some("5Grwva…utQY"), &index(id, secret)),
            None => forbidden,
        };
        let chain = self.on_chain.then(|| self.commitment());
        let provider = configuration.settings.provider().unwrap();
        clear(&provider, &configuration.local, chain.as_ref(), &forbidden, self.scope)
    }

    fn commitment(&self) -> Commitment {
        let bytes = format!("{:<32}{:<32}{:<64}", self.locator, self.read.0, self.read.1).into_bytes();
        let field = Payload::Bytes { variant: "Raw128".to_owned(), bytes };
        Commitment::of(&Stored::Registration { block: 5, deposit: 0, fields: vec![field] })
    }
}

fn of_hotkeys(home: &Path) -> Vec<KnownSecret> {
    let found = hotkey_secrets(&home.join("wallets"));
    let known = |(file, text): (std::path::PathBuf, SecretKey)| {
        let place = SecretPlace::KeyFile(file.to_str().unwrap().into());
        KnownSecret { kind: SecretKind::Wallet, place, text }
    };
    found.plain.into_iter().map(known).collect()
}

fn index(id: &str, secret: &str) -> Index {
    let mut index = Index::default();
    index.hold(Holding {
        number: 3,
        backend: Backend::File,
        created_ms: 1,
        origin: Origin::Imported,
        locator: None,
        read_key_id: None,
        read: None,
        write: Some(KeyRef::of(id, &SecretKey::new(secret))),
    });
    index
}

fn backward(text: &str) -> String {
    text.chars().rev().collect()
}

/// The text with another digit at a place.
fn changed(text: &str, at: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    String::from_utf8(bytes).unwrap()
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

fn seed_file(seed: &str) -> String {
    format!("{{\"secretSeed\":\"0x{seed}\",\"ss58Address\":\"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY\"}}")
}

/// `\u00..` for each character.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("\\u{byte:04x}")).collect::<Vec<_>>().concat()
}

fn wide(text: &str) -> Vec<u8> {
    [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

fn write_line(secret: &str) -> String {
    format!("R2_WRITE_SECRET_ACCESS_KEY={secret}")
}

/// Each holds a secret of the machine, or may: none is published.
#[expect(clippy::too_many_lines, reason = "a table")]
fn secrets() -> Vec<Form> {
    let old = &secret(5);
    let (token, half) = (&hex_text(77, 64), &hex_text(78, 32));
    let piece = |text: &str| format!("{}{}{}", &half[..20], text, &half[..28]);
    vec![
        // The write secret on another line of the .env.
        reads("hidden by a later line", old).before(write_line(old)),
        reads("hidden by a blank line", old).behind(write_line(old) + "\nR2_WRITE_SECRET_ACCESS_KEY="),
        reads("unset by a bare name", old).behind(write_line(old) + "\nR2_WRITE_SECRET_ACCESS_KEY"),
        Form { read: (key_id(1), "${R2_WRITE_SECRET_ACCESS_KEY}".to_owned()), ..r2("by a reference") }
            .before(write_line(old)),
        Form { read: (key_id(1), "${OLD}".to_owned()), ..r2("by a reference of a write line") }
            .before(format!("OLD={old}\nR2_WRITE_SECRET_ACCESS_KEY=${{OLD}}")),
        reads("in a comment", old).behind(format!("# {}", write_line(old))),
        reads("in a comment with export and quotes", old)
            .before(format!("##export R2_WRITE_SECRET_ACCESS_KEY = '{old}' # until May")),
        reads("in a sentence of a comment", old).behind(format!("# the write key was {old}, until May")),
        reads("in a comment behind a value", old).behind(format!("LEVEL=info # was {old}")),
        reads("alone on its line", old).behind(old.as_str()),
        reads("behind a quote that is never closed", old).behind(format!("OLD=\"{old}")),
        reads("with line ends of Windows", old).before(write_line(old) + "\r"),
        reads("behind a byte order mark", old).before("\u{feff}".to_owned() + &write_line(old)),
        reads("as the default of a reference", old).behind(format!("OLD=${{NOWHERE:-{old}}}")),
        reads("quoted", old).before(format!("export R2_WRITE_SECRET_ACCESS_KEY=\"{old}\"")),
        reads("in what a killed rewrite left", old).copy("..env.grail-console-00112233", write_line(old)),
        reads("in a copy that was asked for", old).copy(".env.grail-console-2026-11-23-211237.bak", write_line(old)),
        reads("in a comment of a copy", old).copy(".env.grail-console-2026.bak", format!("# {}", write_line(old))),
        reads("exported and hidden by the .env", old).exported("R2_WRITE_SECRET_ACCESS_KEY", old.as_str()),
        reads("hidden, though the store called it read-only", old).before(write_line(old)).shown(),
        // Under another name, as long as the store did not show that the pair only reads.
        reads("the copy that AWS tools read", old).behind(format!("AWS_SECRET_ACCESS_KEY={old}")),
        reads("the exported copy of AWS tools", old).exported("AWS_SECRET_ACCESS_KEY", old.as_str()),
        reads("a token in the .env", old).behind(format!("CLOUDFLARE_API_TOKEN={old}")),
        reads("an exported token", old).exported("WANDB_API_KEY", old.as_str()),
        reads("under a name that says nothing", old).exported("FOO", old.as_str()),
        reads("in a list", old).behind(format!("KEYS=a,{old},b")),
        reads("in an address", old).exported("STORE", format!("s3://{}:{old}@127.0.0.1/bucket", key_id(1))),
        reads("near a copy, though the store showed the pair", old)
            .behind(format!("AWS_SECRET_ACCESS_KEY={}", changed(old, 40)))
            .shown(),
        // R2's secret is the SHA-256 of the API token.
        reads("SHA-256 of a token", &sha256(TOKEN)).behind(format!("CLOUDFLARE_API_TOKEN={TOKEN}")),
        reads("SHA-256 of an exported token", &sha256(TOKEN)).exported("CF_API_TOKEN", TOKEN),
        reads("SHA-256 of a token without a telling name", &sha256(TOKEN)).behind(format!("CLOUDFLARE={TOKEN}")),
        reads("SHA-256 of a token in a comment", &sha256(TOKEN)).behind(format!("# token: {TOKEN} (rw)")),
        reads("SHA-256 of a bearer", &sha256(TOKEN)).exported("AUTH", format!("Bearer {TOKEN}")),
        reads("SHA-256 of a token, backward", &backward(&sha256(TOKEN))).exported("CF_API_TOKEN", TOKEN),
        reads("SHA-256 of a token, one digit changed", &changed(&sha256(TOKEN), 30)).exported("CF_API_TOKEN", TOKEN),
        reads("SHA-256 of what stands as the write secret", &sha256(TOKEN)).before(write_line(TOKEN)),
        // Near copies of the write secret that counts.
        reads("backward", &backward(&secret(2))),
        reads("first digit changed", &changed(&secret(2), 0)),
        reads("a digit in the middle changed", &changed(&secret(2), 31)),
        reads("last digit changed", &changed(&secret(2), 63)),
        reads("three digits changed", &changed(&changed(&changed(&secret(2), 10), 30), 50)),
        reads("halves exchanged", &(secret(2)[32..].to_owned() + &secret(2)[..32])),
        reads("the first half and other digits", &(secret(2)[..32].to_owned() + half)),
        reads("sixteen digits among others", &piece(&secret(2)[20..36])),
        reads("sixteen digits among others, backward", &piece(&backward(&secret(2)[20..36]))),
        reads("the write id twice", &(key_id(2) + &key_id(2))),
        reads("hex of a token's letters", &hex::encode(&TOKEN[..32])).exported("CF_API_TOKEN", &TOKEN[..32]),
        reads("hex of a token's letters, backward", &hex::encode(backward(&TOKEN[..32])))
            .exported("CF_API_TOKEN", &TOKEN[..32]),
        reads("a token that is kept in base64", token)
            .exported("CF_API_TOKEN", STANDARD.encode(hex::decode(token).unwrap())),
        reads("a token that is kept in base64 of its digits", token).exported("CF_API_TOKEN", STANDARD.encode(token)),
        // The same in another store, which takes any characters.
        custom("in another letter case", &AWS.to_uppercase(), AWS),
        custom("base64", &STANDARD.encode(AWS), AWS),
        custom("base64 for addresses", &URL_SAFE_NO_PAD.encode(AWS), AWS),
        custom("base64 of the bytes", &STANDARD.encode(hex::decode(secret(2)).unwrap()), &secret(2)),
        custom("base64 behind a letter", &STANDARD.encode(format!("x{}", &AWS[..36])), AWS),
        custom("base64 backward", &backward(&STANDARD.encode(AWS)), AWS),
        custom("base64 of it backward", &STANDARD.encode(backward(AWS)), AWS),
        custom("hex", &hex::encode(&AWS[..30]), &AWS[..30]),
        custom("what base64 holds", AWS, &STANDARD.encode(AWS)),
        custom("with more behind it", &format!("{AWS}-2"), AWS),
        custom("a short one with more around it", "xx-hunter2!pw-yy", "hunter2!pw"),
        custom("with its blanks left out", "correcthorsebattery9staple", AWS)
            .before(write_line("'correct horse battery 9 staple'")),
        custom("its letters and digits alone", &AWS.replace('/', ""), AWS),
        // Hotkeys.
        reads("a seed", SEED).key_file("hot", seed_file(SEED)),
        reads("a seed behind a byte order mark", SEED).key_file("hot", format!("\u{feff}{}", seed_file(SEED))),
        reads("a seed with escapes", SEED).key_file("hot", seed_file(&escaped(SEED))),
        reads("a seed whose field has escapes", SEED)
            .key_file("hot", seed_file(SEED).replace("secretSeed", &escaped("secretSeed"))),
        reads("a seed in a file with a dot before its name", SEED).key_file(".hot", seed_file(SEED)),
        reads("a seed in a file with a dot in its name", SEED).key_file("hot.json.old", seed_file(SEED)),
        reads("a seed in UTF-16", SEED).key_file("hot", wide(&seed_file(SEED))),
        reads("a seed alone", SEED).key_file("hot", format!("{SEED}\n")),
        reads("a seed in capitals", SEED).key_file("hot", format!("0x{}", SEED.to_uppercase())),
        reads("a seed as bytes", SEED).key_file("hot", hex::decode(SEED).unwrap()),
        reads("a seed in a file that is cut off", SEED).key_file("hot", seed_file(SEED)[..90].to_owned()),
        reads("a seed in what is called a public file", SEED).key_file("hotpub.txt", seed_file(SEED)),
        reads("a seed backward", &backward(SEED)).key_file("hot", seed_file(SEED)),
        reads("a seed though the store was shown it", SEED).key_file("hot", seed_file(SEED)).shown(),
        reads("the seed of a phrase", SEED).key_file("hot", PHRASE),
        reads("the private key of a phrase", SCALAR).key_file("hot", format!("{{\"secretPhrase\":\"{PHRASE}\"}}")),
        reads("the private key of a seed", SCALAR).key_file("hot", seed_file(SEED)),
        reads("the middle of a private key", &(SEED[32..].to_owned() + &SCALAR[..32]))
            .key_file("hot", format!("{{\"privateKey\":\"0x{SEED}{SCALAR}\"}}")),
        custom("a phrase without blanks", &PHRASE.replace(' ', "")[..50], AWS).key_file("hot", PHRASE),
        custom("a phrase with dashes", &PHRASE.replace(' ', "-")[..60], AWS).key_file("hot", PHRASE),
        // The vault of another hotkey, which is locked.
        reads("held in the vault", old).held(&key_id(5), old),
        reads("held in the vault, backward", &backward(old)).held(&key_id(5), old),
        r2("an id held in the vault").held(&key_id(1), old),
        // Key id and bucket.
        r2("a write id as the read id").before(format!("R2_WRITE_ACCESS_KEY_ID={}", key_id(1))),
        r2("a write id of a comment as the read id").behind(format!("#R2_WRITE_ACCESS_KEY_ID={}", key_id(1))),
        r2("half a seed as the read id").ids(&SEED[32..], &key_id(2)).key_file("hot", seed_file(SEED)),
        r2("half a write secret as the read id").ids(&secret(2)[..32], &key_id(2)),
        r2("half a token as the read id").ids(&token[..32], &key_id(2)).exported("CF_API_TOKEN", token.as_str()),
        r2("a write id as the bucket").at(&key_id(2)),
        r2("half a write secret as the bucket").at(&secret(2)[..32]),
    ]
}

/// Each is what somebody has who did nothing wrong.
fn honest() -> Vec<Form> {
    let own = r2("");
    let (id, read) = (own.read.0.as_str(), own.read.1.as_str());
    let padded = |secret: &str, with: char| format!("{secret}{}", with.to_string().repeat(64 - secret.len()));
    let words = custom("secrets of words", "the-one-that-only-reads", "the-one-that-also-writes");
    vec![
        r2("two pairs"),
        Form { write: (String::new(), String::new()), ..r2("a read pair alone") },
        r2("an older read pair on lines before").before(format!("R2_READ_SECRET_ACCESS_KEY={}", secret(5))),
        r2("the read pair twice").before(format!("R2_READ_SECRET_ACCESS_KEY={read}\nR2_READ_ACCESS_KEY_ID={id}")),
        r2("the read pair in a comment").behind(format!("# R2_READ_SECRET_ACCESS_KEY='{read}'")),
        r2("the read pair in a copy").copy(".env.grail-console-2026.bak", own.env()),
        r2("an older write pair in a comment").behind(format!("# {}", write_line(&secret(5)))),
        r2("other tokens").behind(format!("CLOUDFLARE_API_TOKEN={TOKEN}")).exported("WANDB_API_KEY", hex_text(7, 40)),
        r2("the read id under AWS' name").exported("AWS_ACCESS_KEY_ID", id),
        r2("the read id as the id of its token").behind(format!("CLOUDFLARE_TOKEN_ID={id}")),
        r2("the read id in a comment").behind(format!("# key {id}, made in May")),
        r2("the page of the token")
            .behind(format!("CLOUDFLARE_TOKEN_PAGE=https://dash.cloudflare.com/{}/r2/api-tokens/{id}", own.locator)),
        r2("the account in an address").exported("R2_URL", format!("https://{}.r2.cloudflarestorage.com", own.locator)),
        r2("the bucket under a name that says private").exported("GRAIL_PRIVATE_BUCKET", own.locator.as_str()),
        r2("copies under AWS' names, shown")
            .behind(format!("AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={read}"))
            .shown(),
        r2("exported copies, shown").exported("RCLONE_CONFIG_R2_SECRET_ACCESS_KEY", read).shown(),
        r2("a copy in a comment, shown").behind(format!("# the read key is {read}")).shown(),
        r2("a copy in an address, shown").exported("STORE", format!("s3://{id}:{read}@127.0.0.1")).shown(),
        r2("a reference to a copy, shown").before(format!("MY_READ={read}")).shown(),
        reads("the token of the read pair, shown", &sha256(TOKEN)).behind(format!("CF_READ_TOKEN={TOKEN}")).shown(),
        r2("copies of what is on chain already").exported("AWS_SECRET_ACCESS_KEY", read).on_chain(),
        r2("a hotkey").key_file("hot", seed_file(SEED)),
        r2("a hotkey that is encrypted").key_file("hot", b"$NACL\x01\x02\x03".to_vec()),
        r2("the vault of another hotkey").held(&key_id(5), &secret(5)),
        r2("numbers and words in the environment").exported("LEVEL", "1").exported("PATH", "/usr/bin:/bin"),
        r2("a certificate").exported("TLS_PRIVATE_KEY", format!("-----BEGIN-----\n{}\n", STANDARD.encode(TOKEN))),
        custom("keys of AWS", AWS, AWS_TOO),
        custom("keys of AWS, padded alike", &padded(AWS, '='), &padded(AWS_TOO, '=')),
        custom("keys of AWS, padded with zeros", &padded(AWS, '0'), &padded(AWS_TOO, '0')),
        custom(
            "keys that begin alike",
            &format!("K005miner-2026x{}", &AWS[..16]),
            &format!("K005miner-2026x{AWS_TOO}"),
        ),
        custom(
            "a run of few characters",
            &format!("ababababcabcabcabcde{AWS}"),
            &format!("ababababcabcabcabc-{AWS_TOO}"),
        ),
        custom("ids of one MinIO", AWS, AWS_TOO)
            .ids("grail-miner-access-key-00000001", "grail-miner-access-key-00000002"),
        custom("ids of one Backblaze account", "K0057mJq1Xw3Zr8sTn2vBc6yLd9", "K005bPf4Hk8Ge2Ua7iOx1MzQ5wR3")
            .ids("005a1b2c3d4e5f60000000012", "005a1b2c3d4e5f60000000013"),
        custom("an id of Backblaze beside the write id of AWS tools", "K0057mJq1Xw3Zr8sTn2vBc6yLd9", AWS_TOO)
            .ids("005a1b2c3d4e5f60000000012", "005a1b2c3d4e5f60000000013")
            .exported("AWS_ACCESS_KEY_ID", "005a1b2c3d4e5f60000000013"),
        custom("keys of Garage", &secret(8), &secret(9))
            .ids("GK31c2f218a2e44f485b94239e", "GK31c2f218a2e44f485b94239f"),
        custom("users and a bucket named after each other", AWS, AWS_TOO)
            .at("grail-production")
            .ids("grail-production-ro", "grail-production-rw"),
        words.clone(),
        words.exported("ABOUT", "the one that only reads"),
    ]
}

#[test]
fn the_table_has_a_hundred_forms_and_a_third_of_them_are_honest() {
    let (secrets, honest) = (secrets().len(), honest().len());
    assert!(secrets + honest >= 100 && honest * 3 >= 100, "{secrets} and {honest}");
}

#[test]
fn no_form_of_a_secret_is_published_and_the_refusal_says_where_it_stands() {
    let mut passed = Vec::new();
    for form in secrets() {
        match form.judged() {
            Err(refused @ Refusal::HoldsSecret(_)) => {
                let said = format!("{refused} {refused:?}");
                let places = [".env, line ", "the environment", "/hotkeys/", "the vault, generation 3 of 5Grwva"];
                let of_a_copy = said.contains(".env.grail-console-2") && said.contains(".bak, line 1");
                let of_a_rest = said.contains("/..env.grail-console-") && said.contains(", line 1");
                assert!(of_a_copy || of_a_rest || places.iter().any(|place| said.contains(place)), "{said}");
                for value in [&form.read.1, &form.write.1, SEED, TOKEN] {
                    assert!(value.len() < 16 || !said.contains(&value[..12]), "{}: {said}", form.name);
                }
                assert!(refused.todo().contains("Object Read only"), "{said}");
            }
            other => passed.push(format!("{}: {other:?}", form.name)),
        }
    }
    assert!(passed.is_empty(), "{passed:#?}");
}

#[test]
fn honest_keys_pass_in_every_form() {
    let refused: Vec<_> =
        honest().iter().filter_map(|form| Some(format!("{}: {}", form.name, form.judged().err()?))).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn a_refusal_names_the_file_the_line_and_a_remedy_that_works() {
    let old = secret(5);
    let hidden = reads("", &old).before(format!("# first\n{}", write_line(&old)));
    let said = hidden.judged().unwrap_err().to_string();
    assert!(said.contains("the WRITE secret, in /") && said.contains("grail/.env, line 2,"), "{said}");
    // With another read pair it passes, whatever stands there.
    assert!(Form { read: (key_id(7), secret(7)), ..hidden }.judged().is_ok());
    let copied = reads("", &old).exported("AWS_SECRET_ACCESS_KEY", old.as_str());
    let refused = copied.judged().unwrap_err();
    assert!(refused.what().contains("the secret that AWS_SECRET_ACCESS_KEY holds, in the environment"), "{refused}");
    assert!(refused.todo().contains("take the copy out of the environment"), "{refused}");
    assert!(Form { exported: Vec::new(), ..copied }.judged().is_ok());
    let token = reads("", &sha256(TOKEN)).behind(format!("CF_API_TOKEN={TOKEN}")).judged().unwrap_err();
    assert!(
        token.what().contains("the SHA-256 of what CF_API_TOKEN holds") && token.what().contains(", line 7"),
        "{token}"
    );
    let near = reads("", &changed(SEED, 9)).key_file(".hot", seed_file(SEED)).judged().unwrap_err();
    assert!(near.what().contains("a near copy of a secret of a wallet") && near.what().contains("/.hot"), "{near}");
}

#[test]
fn what_stands_in_place_of_a_name_is_never_shown() {
    let old = secret(5).to_uppercase();
    let form = reads("", &secret(5)).behind(format!("{old}=x"));
    let refused = form.judged().unwrap_err();
    assert!(matches!(refused, Refusal::HoldsSecret(_)) && !format!("{refused:?}").contains(&old[..12]), "{refused:?}");
}

/// How a secret is pasted.
fn pasted(how: usize, secret: &str, other: &str, at: usize) -> String {
    let at = at % (secret.len() - 15);
    match how {
        0 => secret.to_owned(),
        1 => secret.to_uppercase(),
        2 => backward(secret),
        3 => changed(secret, at),
        4 => format!("{}{}{}", &other[..at % 20], &secret[at..at + 16], &other[..24]),
        5 => STANDARD.encode(&secret[..42]),
        6 => URL_SAFE_NO_PAD.encode(backward(&secret[..40])),
        7 => hex::encode(&secret[..32]),
        8 => STANDARD.encode(hex::decode(secret).unwrap()),
        _ => format!("{}{secret}", &other[..3])[..64].to_owned(),
    }
}

/// Where it stands on the machine.
fn planted(place: usize, form: Form, secret: &str) -> Form {
    match place {
        0 => form.before(write_line(secret)),
        1 => form.behind(format!("{}\nR2_WRITE_SECRET_ACCESS_KEY", write_line(secret))),
        2 => form.behind(format!("#  export {}", write_line(secret))),
        3 => form.behind(format!("# was {secret} once")),
        4 => form.behind(format!("CLOUDFLARE_API_TOKEN=\"{secret}\"")),
        5 => form.exported("SOMETHING", secret),
        6 => form.exported("R2_WRITE_SECRET_ACCESS_KEY", secret),
        7 => form.copy("..env.grail-console-1", write_line(secret)),
        8 => form.key_file(".odd.json", format!("\u{feff}{}", seed_file(&escaped(secret)))),
        _ => form.key_file("raw", secret.to_owned()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Whatever stands in one of the places, and however it was pasted: nothing of it reaches the signer.
    #[test]
    fn nothing_of_a_planted_secret_is_cleared(
        place in 0..10_usize, how in 0..10_usize, at in 0..64_usize, seed in 10_000..u64::from(u32::MAX), shown in any::<bool>(),
    ) {
        let (secret, other) = (hex_text(seed, 64), hex_text(seed ^ 0x5a5a_5a5a, 64));
        let form = custom("planted", &pasted(how, &secret, &other, at), AWS);
        let form = planted(place, form, &secret);
        // What equals the read pair under a name of its own is its copy, once the store showed what it can do.
        let may_be_copy = matches!(place, 3..=5) && how <= 1;
        let form = if shown && !may_be_copy { form.shown() } else { form };
        let judged = form.judged();
        prop_assert!(matches!(judged, Err(Refusal::HoldsSecret(_))), "place {place}, pasted as {how}: {judged:?}");
    }

    /// And keys of their own always pass, whatever else lies there.
    #[test]
    fn a_pair_of_its_own_is_always_cleared(place in 0..10_usize, seed in 10_000..u64::from(u32::MAX)) {
        let form = planted(place, reads("apart", &hex_text(seed, 64)), &hex_text(seed ^ 0x5a5a_5a5a, 64));
        let judged = form.judged();
        prop_assert!(judged.is_ok(), "{judged:?}");
    }
}
