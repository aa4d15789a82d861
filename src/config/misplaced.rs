//! Secrets in settings that hold none: told to the log before anything is judged, and named to the operator (THREATS T31).

use std::path::Path;

use super::dotenv::Dotenv;
use super::file::Profile;
use super::setting::{Origin, Setting};
use super::settings::Flags;
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::environment::Environment;
use crate::domain::given::{Given, secrets_in_path};
use crate::domain::secret::SecretKey;

/// The variables that are read and hold no secret. The six of the credentials have shapes of their own.
const VARIABLES: [&str; 12] = [
    "BT_NETWORK",
    "BT_CHAIN_ENDPOINT",
    "BT_WITNESS_ENDPOINT",
    "BT_ARCHIVE_ENDPOINT",
    "BT_NETUID",
    "NETUID",
    "BT_WALLET_COLD",
    "BT_WALLET_HOT",
    "R2_ENDPOINT_URL",
    "R2_REGION",
    "R2_FORCE_PATH_STYLE",
    "GRAIL_CONSOLE_LOG",
];

/// The places that were read so far.
#[derive(Clone, Copy)]
pub(super) struct Read<'a> {
    pub(super) flags: &'a Flags,
    pub(super) environment: &'a Environment,
    pub(super) dotenv: Option<&'a Dotenv>,
    pub(super) profile: Option<(&'a str, &'a Profile)>,
}

impl Read<'_> {
    /// Everything in them that is a secret or looks like one: names, keys in URLs, parts of paths.
    pub(super) fn secrets(&self) -> Vec<SecretKey> {
        let names = self.texts().into_iter().flat_map(|setting| setting.value.secrets());
        names.chain(self.paths().into_iter().flat_map(secrets_in_path)).collect()
    }

    /// The names that look like a secret, each with its place.
    pub(super) fn findings(&self) -> Vec<Diagnostic> {
        let misplaced = self.texts().into_iter().filter(|setting| setting.value.is_misplaced());
        misplaced.map(|setting| finding(&setting.source)).collect()
    }

    /// Every setting that is a text; those that another place hides, too.
    fn texts(&self) -> Vec<Setting<Given>> {
        let Flags { network, endpoint, witness, archive, wallet, hotkey, s3_endpoint, profile, .. } = self.flags;
        let flags = [
            ("--network", network),
            ("--endpoint", endpoint),
            ("--witness", witness),
            ("--archive", archive),
            ("--wallet", wallet),
            ("--hotkey", hotkey),
            ("--s3-endpoint", s3_endpoint),
            ("--profile", profile),
        ];
        let flags = flags.into_iter().filter_map(|(name, text)| given(text.as_deref(), Origin::Flag { name }));
        let in_file = VARIABLES.into_iter().filter_map(|name| {
            let (value, line) = self.dotenv?.get(name)?;
            given(Some(value.expose()), Origin::EnvFile { name, line })
        });
        let exported =
            VARIABLES.into_iter().filter_map(|name| given(self.environment.get(name), Origin::Environment { name }));
        let of_profile = self.profile.into_iter().flat_map(|(name, profile)| {
            let Profile { network, endpoint, witness, archive, wallet, hotkey, s3_endpoint, .. } = profile;
            let origin = || Origin::File { profile: Some(name.to_owned()) };
            let values = [network, endpoint, witness, archive, wallet, hotkey, s3_endpoint];
            let values = values.into_iter().filter_map(move |text| given(text.as_deref(), origin()));
            given(Some(name), Origin::File { profile: None }).into_iter().chain(values)
        });
        flags.chain(in_file).chain(exported).chain(of_profile).collect()
    }

    fn paths(&self) -> Vec<&str> {
        let flags = self.flags;
        let given = [
            &flags.wallet_path,
            &flags.env_file,
            &flags.password_file,
            &flags.vault_key_file,
            &flags.vault_passphrase_file,
        ];
        let given = given.into_iter().filter_map(|path| path.as_deref().and_then(Path::to_str));
        let of_profile = self.profile.into_iter().flat_map(|(_, profile)| {
            [&profile.wallet_path, &profile.env_file, &profile.vault_key_file].into_iter().flatten()
        });
        given.chain(of_profile.map(super::file::AnchoredPath::as_str)).collect()
    }
}

fn given(text: Option<&str>, source: Origin) -> Option<Setting<Given>> {
    text.map(|text| Setting::new(Given::new(text), source))
}

fn finding(source: &Origin) -> Diagnostic {
    Diagnostic::new(
        "misplaced_secret",
        Severity::Warning,
        format!("What looks like a secret stands where a name belongs: {source}"),
        "Names are shown, and other programs write them into their logs. Here it is masked.",
        "Put the name there. If it is a key that is in use, replace it: it may have been seen.",
    )
}
