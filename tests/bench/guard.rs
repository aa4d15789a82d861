//! What stands before every signature: the files of twenty hotkeys read, and all that they and a `.env` hold compared.

use std::fs;
use std::time::Instant;

use grail_console::config::{Configuration, Flags};
use grail_console::domain::guard::{Forbidden, KnownSecret, ReadScope, SecretKind, SecretPlace, clear};
use grail_console::domain::provider::Provider;
use grail_console::wallet::hotkey_secrets;

use crate::{median, report};

const RUNS: usize = 15;

pub fn measure() {
    let home = tempfile::tempdir().unwrap();
    let hotkeys = home.path().join("wallets/one/hotkeys");
    fs::create_dir_all(&hotkeys).unwrap();
    for number in 0..20_u64 {
        let digits = |of: u64| format!("{:016x}", (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ of).repeat(4);
        let phrase = bip39::Mnemonic::from_entropy(&hex::decode(&digits(1)[..32]).unwrap()).unwrap();
        let file = format!(
            r#"{{"publicKey":"0x{}","secretPhrase":"{phrase}","secretSeed":"0x{}","privateKey":"0x{}{}"}}"#,
            digits(2),
            digits(3),
            digits(4),
            digits(5)
        );
        fs::write(hotkeys.join(format!("hot{number}")), file).unwrap();
    }
    let hex = |of: u64, chars: usize| {
        format!("{:016x}", of.wrapping_mul(0xd6e8_feb8_6659_fd93)).repeat(4)[..chars].to_owned()
    };
    let mut env = format!(
        "R2_ACCOUNT_ID={0}\nR2_BUCKET_ID={0}\nR2_READ_ACCESS_KEY_ID={1}\nR2_READ_SECRET_ACCESS_KEY={2}\n",
        hex(1, 32),
        hex(2, 32),
        hex(3, 64)
    );
    let more = (0..60).map(|line| format!("SOME_SECRET_{line}={}\n", hex(line + 10, 64)));
    env += &more.collect::<Vec<_>>().concat();
    let env_file = home.path().join(".env");
    fs::write(&env_file, env).unwrap();
    let flags = Flags { env_file: Some(env_file), ..Flags::default() };
    let configuration = Configuration::load(&flags, &std::env::vars().collect(), None).unwrap();
    let (mut reading, mut judging) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let begun = Instant::now();
        let found = hotkey_secrets(&home.path().join("wallets"));
        reading.push(begun.elapsed().as_secs_f64());
        let of_hotkeys = found.plain.into_iter().map(|(file, text)| {
            let place = SecretPlace::KeyFile(file.to_str().unwrap().into());
            KnownSecret { kind: SecretKind::Wallet, place, text }
        });
        let forbidden = Forbidden::default().and(configuration.known.all.iter().cloned()).and(of_hotkeys);
        let begun = Instant::now();
        clear(&Provider::default(), &configuration.local, None, &forbidden, ReadScope::NotShown).unwrap();
        judging.push(begun.elapsed().as_secs_f64());
    }
    report(
        "guard: 20 hotkeys read, their keys derived",
        "<= 50 ms together",
        &format!("{:.1} ms", median(reading) * 1e3),
    );
    report("  compared, with 64 lines of .env and the environment", "", &format!("{:.1} ms", median(judging) * 1e3));
}
