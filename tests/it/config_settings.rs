//! Which value counts, and what the configuration file says when it is wrong.

use std::fs;
use std::path::{Path, PathBuf};

use grail_console::config::dotenv::Place;
use grail_console::config::file::{ConfigFile, ConfigFileError, Theme};
use grail_console::config::{ConfigError, Configuration, Flags, Origin, SettingsError};
use grail_console::domain::credentials::{Source, Variable};
use grail_console::domain::environment::Environment;
use grail_console::domain::provider::{Jurisdiction, Provider};

use crate::state_files::{again_under, child_dir};

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn load(&self, flags: &Flags, config: &str, variables: &[(&str, &str)]) -> Result<Configuration, ConfigError> {
        let path = self.file("config.toml", config);
        let home = ("HOME", self.0.path().to_str().unwrap());
        let environment: Environment = variables.iter().copied().chain([home]).collect();
        Configuration::load(flags, &environment, Some(&path))
    }
}

fn codes(configuration: &Configuration) -> Vec<&'static str> {
    configuration.findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn without_any_configuration_the_console_looks_at_finney_subnet_81() {
    let loaded = Configuration::load(&Flags::default(), &Environment::default(), None).unwrap();
    let settings = loaded.settings;
    assert_eq!((settings.network.value.as_str(), settings.network.source), ("finney", Origin::Default));
    assert_eq!(settings.netuid.value, 81);
    assert_eq!(settings.wallet_path, None);
    assert!(settings.endpoint.is_none() && settings.wallet.is_none() && settings.hotkey.is_none());
    assert!(loaded.local.is_empty() && loaded.findings.is_empty());
}

#[test]
fn a_flag_beats_the_env_file_beats_the_environment_beats_the_profile_beats_the_default() {
    let home = Home::new();
    let config = "default_profile = 'p'\n[profile.p]\nnetuid = 1\nwallet = 'p'\nhotkey = 'p'\nnetwork = 'test'\n";
    let env_file = home.file("grail.env", "NETUID=3\nBT_WALLET_COLD=f\n\n");
    let variables = [("NETUID", "2"), ("BT_WALLET_COLD", "e"), ("BT_WALLET_HOT", "e")];
    let flags = Flags { netuid: Some(4), env_file: Some(env_file), ..Flags::default() };
    let settings = home.load(&flags, config, &variables).unwrap().settings;
    assert_eq!((settings.netuid.value, settings.netuid.source), (4, Origin::Flag { name: "--netuid" }));
    let wallet = settings.wallet.unwrap();
    assert_eq!((wallet.value.as_str(), wallet.source), ("f", Origin::EnvFile { name: "BT_WALLET_COLD", line: 2 }));
    let hotkey = settings.hotkey.unwrap();
    assert_eq!((hotkey.value.as_str(), hotkey.source), ("e", Origin::Environment { name: "BT_WALLET_HOT" }));
    assert_eq!(settings.network.value, "test");
    assert_eq!(settings.network.source, Origin::File { profile: Some("p".to_owned()) });
    let wallets = settings.wallet_path.unwrap();
    assert_eq!((wallets.value, wallets.source), (home.0.path().join(".bittensor/wallets"), Origin::Default));
}

#[test]
fn a_blank_variable_counts_as_unset() {
    let home = Home::new();
    let settings = home.load(&Flags::default(), "", &[("NETUID", " "), ("BT_CHAIN_ENDPOINT", "")]).unwrap().settings;
    assert_eq!((settings.netuid.value, settings.endpoint), (81, None));
}

#[test]
fn a_netuid_that_is_no_number_is_named() {
    let home = Home::new();
    let env_file = home.file("grail.env", "\nNETUID=eighty\u{1b}one\n");
    let error = home.load(&Flags { env_file: Some(env_file), ..Flags::default() }, "", &[]).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, ConfigError::Settings(SettingsError::NotANetuid(_))));
    assert!(text.contains("eighty") && text.contains("is not a netuid") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn an_endpoint_wins_unless_the_network_was_named_at_a_stronger_place() {
    let home = Home::new();
    let both = [("BT_NETWORK", "finney"), ("BT_CHAIN_ENDPOINT", "wss://node.example")];
    let settings = home.load(&Flags::default(), "", &both).unwrap().settings;
    assert_eq!(settings.endpoint.as_ref().unwrap().value, "wss://node.example");
    assert_eq!(settings.network_beside_endpoint(), Some("finney"), "the pinned genesis of the named network applies");

    let flags = Flags { network: Some("test".to_owned()), ..Flags::default() };
    let loaded = home.load(&flags, "", &both).unwrap();
    assert_eq!((loaded.settings.network.value.as_str(), &loaded.settings.endpoint), ("test", &None));
    assert_eq!(codes(&loaded), ["endpoint_overruled"]);

    let flags = Flags { endpoint: Some("ws://127.0.0.1:1".to_owned()), ..Flags::default() };
    let settings = home.load(&flags, "", &[("BT_NETWORK", "finney")]).unwrap().settings;
    assert_eq!(settings.network_beside_endpoint(), None, "an endpoint given alone is bound to no network");

    let flags = Flags { network: Some("finney".to_owned()), ..flags };
    assert_eq!(home.load(&flags, "", &[]).unwrap().settings.network_beside_endpoint(), Some("finney"));
}

#[test]
fn another_netuid_for_grail_is_a_finding() {
    let home = Home::new();
    let loaded = home.load(&Flags::default(), "", &[("BT_NETUID", "200"), ("NETUID", "81")]).unwrap();
    assert_eq!((loaded.settings.netuid.value, codes(&loaded)), (81, vec!["grail_netuid"]));
    let env_file = home.file("grail.env", "R2_BUCKET_ID=x\n");
    let flags = Flags { env_file: Some(env_file), ..Flags::default() };
    let loaded = home.load(&flags, "", &[]).unwrap();
    assert!(loaded.findings[0].summary.contains("200"), "GRAIL's own default is not 81: {:?}", loaded.findings);
    assert!(codes(&home.load(&flags, "", &[("BT_NETUID", "81")]).unwrap()).is_empty());
}

#[test]
fn every_place_that_defines_a_credential_is_kept_and_the_env_file_comes_first() {
    let home = Home::new();
    let env_file = home.file("grail.env", "R2_BUCKET_ID=old\nR2_BUCKET_ID=file\nR2_ACCOUNT_ID=\n");
    let flags = Flags { env_file: Some(env_file), netuid: None, ..Flags::default() };
    let variables = [("R2_BUCKET_ID", "exported"), ("R2_ACCOUNT_ID", "hidden"), ("NETUID", "81")];
    let local = home.load(&flags, "", &variables).unwrap().local;
    let bucket: Vec<_> = local.definitions(Variable::BucketId).iter().map(|d| (d.value.expose(), d.source)).collect();
    assert_eq!(bucket, [("file", Source::EnvFile { line: 2 }), ("exported", Source::Environment)]);
    assert_eq!(local.effective(Variable::AccountId), None, "a blank line in the .env hides the exported value");
}

#[test]
fn a_hostile_env_in_the_current_directory_has_no_effect() {
    const TEST: &str = "config_settings::a_hostile_env_in_the_current_directory_has_no_effect";
    let hostile = "NETUID=666\nBT_CHAIN_ENDPOINT=wss://evil.example\nR2_ENDPOINT_URL=https://evil.example\n";
    let Some(cwd) = child_dir() else {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".env"), hostile).unwrap();
        again_under(TEST, "cd \"$GRAIL_CONSOLE_TEST_DIR\" && exec {}", dir.path());
        return;
    };
    assert_eq!(fs::read_to_string(".env").unwrap(), hostile, "the test runs where the file lies");
    let home: Environment = [("HOME", cwd.to_str().unwrap())].into_iter().collect();
    let loaded = Configuration::load(&Flags::default(), &home, Some(&cwd.join("config.toml")));
    let settings = loaded.unwrap().settings;
    assert_eq!((settings.netuid.value, settings.endpoint, settings.s3_endpoint), (81, None, None));
}

#[test]
fn a_named_env_file_that_is_missing_stops_rather_than_meaning_another_subnet() {
    let home = Home::new();
    let flags = Flags { env_file: Some(home.0.path().join("no.env")), ..Flags::default() };
    let error = home.load(&flags, "", &[]).unwrap_err();
    assert!(matches!(error, ConfigError::Dotenv(_)));
    assert!(error.to_string().contains("--env-file"), "{error}");
}

#[test]
fn the_lines_of_a_malformed_env_file_become_findings() {
    let home = Home::new();
    let env_file = home.file("grail.env", "NETUID=81\nR2_BUCKET_ID=\"open\nBT_NETUID=81\n");
    let loaded = home.load(&Flags { env_file: Some(env_file), ..Flags::default() }, "", &[]).unwrap();
    assert_eq!(codes(&loaded), ["env_file_line"]);
    assert!(loaded.findings[0].summary.contains("line 2, column 14"), "{:?}", loaded.findings);
}

#[test]
fn a_file_that_is_no_env_file_does_not_flood_the_findings() {
    let home = Home::new();
    let env_file = home.file("grail.env", &format!("NETUID=81\n{}A='open\n", "just words here\n".repeat(500)));
    let loaded = home.load(&Flags { env_file: Some(env_file), ..Flags::default() }, "", &[]).unwrap();
    assert_eq!(loaded.findings.len(), 21);
    assert!(loaded.findings[20].summary.contains("481 more"), "{:?}", loaded.findings[20]);
}

#[test]
fn no_secret_is_in_what_the_configuration_shows_of_itself() {
    let home = Home::new();
    let canary = "c4na7yc4na7yc4na7y";
    let text = format!(
        "NETUID=81\nR2_READ_SECRET_ACCESS_KEY={canary}1\nR2_BUCKET_ID={canary}2\nHF_TOKEN={canary}3\nB='{canary}4\n"
    );
    let env_file = home.file("grail.env", &text);
    let exported = format!("{canary}5");
    let variables = [("R2_WRITE_SECRET_ACCESS_KEY", exported.as_str())];
    let loaded = home.load(&Flags { env_file: Some(env_file), ..Flags::default() }, "", &variables).unwrap();
    let shown = format!("{loaded:?} {}", serde_json::to_string(&loaded.settings).unwrap());
    assert!(!shown.contains(canary), "{shown}");
    let environment: Environment = variables.iter().copied().collect();
    assert_eq!(format!("{environment:?}"), "{\"R2_WRITE_SECRET_ACCESS_KEY\"}");
    let known: Vec<_> = loaded.secrets.iter().map(|secret| secret.expose().replace(canary, "")).collect();
    assert_eq!(known, ["1", "3", "5"], "what the log has to keep out");
}

#[test]
fn an_env_file_with_secrets_that_others_may_read_is_a_finding() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    let env_file = home.file("grail.env", "NETUID=81\nR2_WRITE_SECRET_ACCESS_KEY=s\n");
    let flags = Flags { env_file: Some(env_file.clone()), ..Flags::default() };
    fs::set_permissions(&env_file, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(codes(&home.load(&flags, "", &[]).unwrap()), ["env_file_mode"]);
    fs::set_permissions(&env_file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(codes(&home.load(&flags, "", &[]).unwrap()).is_empty());
}

#[test]
fn the_example_file_parses_and_both_of_its_profiles_resolve() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/config.example.toml");
    let text = fs::read_to_string(&example).unwrap();
    let home = Home::new();
    fs::create_dir(home.0.path().join("grail")).unwrap();
    home.file("grail/.env", "NETUID=81\n");
    let miner = home.load(&Flags::default(), &text, &[]).unwrap().settings;
    assert_eq!(miner.profile.as_ref().unwrap().value, "miner");
    assert_eq!(miner.env_file.as_ref().unwrap().value, home.0.path().join("grail/.env"));
    assert_eq!(miner.provider().unwrap(), Provider::R2(Jurisdiction::Default));
    assert_eq!(miner.theme.value, Theme::Auto);
    let local =
        home.load(&Flags { profile: Some("local".to_owned()), ..Flags::default() }, &text, &[]).unwrap().settings;
    assert_eq!((local.netuid.value, local.network_beside_endpoint()), (2, None));
    assert!(matches!(local.provider().unwrap(), Provider::Custom(_)));
}

fn invalid(text: &str) -> (Place, String, String) {
    match ConfigFile::parse(text, Path::new("config.toml")) {
        Err(ConfigFileError::Invalid { place, reason, line, .. }) => (place, reason, line),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_wrong_configuration_is_reported_with_line_and_column() {
    let (place, reason, line) = invalid("theme = \"dark\"\n[profile.a]\nnetuid = \"81\"\n");
    assert_eq!((place, line.as_str()), (Place { line: 3, column: 10 }, "netuid = \"81\""));
    assert!(reason.contains("u16"), "{reason}");
    let (place, reason, _) = invalid("[profile.a]\n  netwrok = \"finney\"\n");
    assert_eq!(place, Place { line: 2, column: 3 });
    assert!(reason.contains("netwrok") && reason.contains("network"), "{reason}");
    assert_eq!(invalid("theme = \n").0.line, 1);
    assert_eq!(invalid("theme = \"auto\"\n\ndefault_profile = \"gone\"\n").0, Place { line: 3, column: 19 });
    let (place, reason, _) = invalid("[profile.a]\nenv_file = \".env\"\n");
    assert!(place.line == 2 && reason.contains("current directory"), "{reason}");
}

#[test]
fn an_error_of_the_configuration_shows_no_value_that_may_be_a_secret() {
    let secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let phrase = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
    let cases = [
        format!("R2_WRITE_SECRET_ACCESS_KEY = \"{secret}\"\n"),
        format!("theme = \"{secret}\"\n"),
        format!("theme = \"{phrase}\"\n"),
        format!("read_only = \"{phrase}\"\n"),
        format!("{secret}\n"),
        format!("{secret} = 1\n"),
        format!("[profile.a]\npassword = \"hunter2 {phrase}\"\n"),
        format!("wallet = {phrase}\n"),
    ];
    for text in cases {
        let error = ConfigFile::parse(&text, Path::new("c.toml")).unwrap_err().to_string();
        assert!(
            !error.contains(&secret[..20]) && !error.contains("drive obey") && !error.contains("hunter2"),
            "{error}"
        );
        assert!(error.contains("line "), "{error}");
    }
}

#[test]
fn a_control_character_in_the_configuration_reaches_no_terminal() {
    let (_, reason, line) = invalid("theme = \"\u{9b}31m\u{202e}\"\n");
    assert!(!format!("{reason}{line}").chars().any(|c| c.is_control() || c == '\u{202e}'), "{reason} {line}");
}

#[test]
fn an_unreadable_configuration_is_named() {
    let home = Home::new();
    let error = ConfigFile::read(home.0.path()).unwrap_err();
    assert!(matches!(error, ConfigFileError::Unreadable { .. }), "{error:?}");
    let bytes = home.0.path().join("bytes.toml");
    fs::write(&bytes, b"theme = \"dark\"\nwallet = \"\xff\"\n").unwrap();
    match ConfigFile::read(&bytes) {
        Err(ConfigFileError::Invalid { place, .. }) => assert_eq!(place, Place { line: 2, column: 11 }),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unknown_profile_names_the_ones_there_are() {
    let home = Home::new();
    let flags = Flags { profile: Some("mainn".to_owned()), ..Flags::default() };
    let error = home.load(&flags, "[profile.main]\n[profile.test]\n", &[]).unwrap_err().to_string();
    assert!(error.contains("main, test"), "{error}");
}

#[test]
fn a_custom_provider_needs_an_endpoint_and_r2_takes_none() {
    let home = Home::new();
    let flags = Flags { profile: Some("a".to_owned()), ..Flags::default() };
    let custom = home.load(&flags, "[profile.a]\nprovider = 'custom'\n", &[]).unwrap_err();
    assert!(matches!(custom, ConfigError::Settings(SettingsError::CustomWithoutEndpoint)));
    let both =
        home.load(&flags, "[profile.a]\nprovider = 'r2'\ns3_endpoint = 'http://127.0.0.1:9'\n", &[]).unwrap_err();
    assert!(matches!(both, ConfigError::Settings(SettingsError::ProviderAndEndpoint)));
    let eu = home.load(&flags, "[profile.a]\nprovider = 'r2-eu'\n", &[]).unwrap().settings;
    assert_eq!(eu.provider().unwrap(), Provider::R2(Jurisdiction::Eu));
}
