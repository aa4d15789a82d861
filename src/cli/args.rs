//! The command line as clap sees it. No option takes a secret: secrets come from files, the environment or prompts.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::domain::vault_index::Backend;

const EXIT_CODES: &str = "Exit codes: 0 healthy or done · 1 a finding · 2 usage or configuration · 3 refused by a safety \
                          rule · 4 chain unreachable · 5 transaction failed · 6 vault unavailable · 7 pending or interrupted · \
                          8 could not be found out";

/// The operator console for a GRAIL subnet: who has published what, what validators cannot read and why, and whether
/// your own commitment is the one you mean. Without a command it opens the console.
#[derive(Debug, Parser)]
#[command(name = "grail-console", version, about, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub struct Arguments {
    /// Where to connect and who you are.
    #[command(flatten)]
    pub connection: Connection,
    /// What to do; nothing opens the console.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags that every command takes. Each beats the `.env`, the environment and the configuration file, in that order.
#[derive(Debug, Clone, Default, Args)]
pub struct Connection {
    /// Network by name: finney, archive, test or local [env: BT_NETWORK]
    #[arg(long, global = true, value_name = "NAME")]
    pub network: Option<String>,
    /// A node of your own, as wss://HOST (ws:// only on this machine) [env: BT_CHAIN_ENDPOINT]
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint: Option<String>,
    /// A node of another operator, against which what the first says is held [env: BT_WITNESS_ENDPOINT] [default: one of
    /// the network's]
    #[arg(long, global = true, value_name = "URL")]
    pub witness: Option<String>,
    /// A node that keeps old blocks, asked only for these [env: BT_ARCHIVE_ENDPOINT] [default: the network's]
    #[arg(long, global = true, value_name = "URL")]
    pub archive: Option<String>,
    /// A contradiction between sources that you have read, by its id: for an hour what it is about is not locked
    #[arg(long, global = true, value_name = "ID")]
    pub read_dispute: Vec<String>,
    /// Subnet [env: NETUID] [default: 81]
    #[arg(long, global = true, value_name = "N")]
    pub netuid: Option<u16>,
    /// Wallet name [env: BT_WALLET_COLD]
    #[arg(long, global = true, value_name = "NAME")]
    pub wallet: Option<String>,
    /// Hotkey name in the wallet (NAME=SS58 where its encrypted file alone tells its address), or an SS58 address to watch [env:
    /// BT_WALLET_HOT]
    #[arg(long, global = true, value_name = "NAME|SS58")]
    pub hotkey: Option<String>,
    /// Folder of wallets [default: ~/.bittensor/wallets]
    #[arg(long, global = true, value_name = "DIR")]
    pub wallet_path: Option<PathBuf>,
    /// File with the hotkey's password, or - for standard input; for commit. Else BT_PW_… of the environment, else the prompt
    #[arg(long, global = true, value_name = "FILE|-")]
    pub password_file: Option<PathBuf>,
    /// GRAIL's .env file; only a file named here or in the profile is ever read
    #[arg(long, global = true, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// Profile of the configuration file
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// An S3 store other than Cloudflare R2, used for every bucket [env: R2_ENDPOINT_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub s3_endpoint: Option<String>,
    /// Where keys are kept: secret-service, keychain, credential-manager, file or keyutils [default: the one that holds the
    /// keys in use, else the desktop's]
    #[arg(long, global = true, value_name = "NAME", value_parser = parse_vault)]
    pub vault: Option<Backend>,
    /// An age identity file (mode 0600) that opens the encrypted file, instead of a passphrase
    #[arg(long, global = true, value_name = "FILE")]
    pub vault_key_file: Option<PathBuf>,
    /// File with the passphrase of the encrypted file, or - for standard input. Else the prompt
    #[arg(long, global = true, value_name = "FILE|-", conflicts_with = "vault_key_file")]
    pub vault_passphrase_file: Option<PathBuf>,
    /// One JSON document on stdout instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Refuse everything that would change something outside this machine
    #[arg(long, global = true)]
    pub read_only: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Every uid's commitment, and your own drift
    Status(StatusArguments),
    /// One uid or hotkey in detail
    Show(ShowArguments),
    /// What GRAIL would see on this machine: settings, credentials, wallets, files and the chain
    Doctor(DoctorArguments),
    /// Test what a validator reads with the key that somebody published, and why it cannot
    Probe(ProbeArguments),
    /// Who really published a commitment, and can the node be believed: a second operator, a state proof, the signature
    Verify(VerifyArguments),
    /// Would a validator see you right now, and if not, why?
    ///
    /// It takes 60 s at most. Where the chain was not read by then the exit code is 4; what the store did not answer by then is
    /// unknown (exit code 8).
    Visible,
    /// Write a canary into your bucket with the write key, read it back with the published key, remove it
    ///
    /// It takes 60 s at most, reading the chain included and a passphrase that is typed not; what was not answered by then
    /// is unknown (exit code 8).
    SelfTest,
    /// Publish the local read credentials on chain, and know that it worked
    Commit(CommitArguments),
    /// Replace a key by a new one: overlap, proof at each step, a way back, and nothing lost by a crash
    #[command(subcommand)]
    Rotate(RotateCommand),
    /// The keys in the vault: take them over from a .env, list, put them back, remove
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Run a miner or validator with the R2_… variables from the vault, so that no .env holds secrets
    Exec(ExecArguments),
    /// The console on the embedded practice subnet; nothing leaves this machine
    Sandbox(SandboxArguments),
    /// Completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// The manual page, as roff
    Man,
}

impl Command {
    /// Its name, as typed and in the schema of its document.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Show(_) => "show",
            Self::Doctor(_) => "doctor",
            Self::Probe(_) => "probe",
            Self::Verify(_) => "verify",
            Self::Visible => "visible",
            Self::SelfTest => "self-test",
            Self::Commit(_) => "commit",
            Self::Rotate(_) => "rotate",
            Self::Keys(_) => "keys",
            Self::Exec(_) => "exec",
            Self::Sandbox(_) => "sandbox",
            Self::Completions { .. } => "completions",
            Self::Man => "man",
        }
    }
}

/// `status`
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// Only rows that match, such as 'state:unreadable role:miner 5F3'
    #[arg(long, value_name = "FILTER")]
    pub filter: Option<String>,
    /// Compare every row with a second operator's node, and prove it from the block's state
    #[arg(long)]
    pub verify: bool,
    /// Then go on, and tell each change as its block comes, until a signal ends it (exit code 7)
    #[arg(long)]
    pub follow: bool,
}

/// `show`
#[derive(Debug, Args)]
pub struct ShowArguments {
    /// A uid, or a hotkey's SS58 address (ex-members too)
    #[arg(value_name = "UID|HOTKEY")]
    pub who: String,
    /// Compare the row with a second operator's node, and prove it from the block's state
    #[arg(long)]
    pub verify: bool,
}

/// Of whom a command is to tell.
#[derive(Debug, Args)]
pub struct Whom {
    /// Uids, or hotkeys' SS58 addresses (ex-members too)
    #[arg(value_name = "UID|HOTKEY")]
    pub who: Vec<String>,
    /// Every uid
    #[arg(long)]
    pub all: bool,
    /// Every uid that matches, such as 'state:readable role:miner'
    #[arg(long, value_name = "FILTER")]
    pub filter: Option<String>,
}

/// `probe`
#[derive(Debug, Args)]
pub struct ProbeArguments {
    /// Whose buckets are tested.
    #[command(flatten)]
    pub whom: Whom,
    /// Also list what the buckets hold under grail/; without it nobody else's bucket is ever listed
    #[arg(long, requires = "who")]
    pub list: bool,
    /// With --all or --filter: exit with 1 where a bucket would fail a validator
    #[arg(long)]
    pub strict: bool,
    /// With --all or --filter: show only those whose test failed; the totals are those of all
    #[arg(long, conflicts_with = "who")]
    pub failed: bool,
}

/// `verify`
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// Whose commitments are verified.
    #[command(flatten)]
    pub whom: Whom,
    /// Only as far as the state proof: a few requests for everybody. Signatures take a request for each block in which
    /// somebody committed, about one a second
    #[arg(long)]
    pub no_signatures: bool,
}

/// `doctor`
#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// Do not ask the chain
    #[arg(long)]
    pub offline: bool,
}

/// `commit`
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct CommitArguments {
    /// Only say what would be published, by whom and to where; sign nothing
    #[arg(long, conflicts_with_all = ["yes", "when_registered"])]
    pub dry_run: bool,
    /// Do not ask; safe at every start of a miner, since nothing is sent when chain and local are equal
    #[arg(long)]
    pub yes: bool,
    /// If the hotkey has no uid yet, wait, and publish once as soon as it has one
    #[arg(long)]
    pub when_registered: bool,
    /// Publish although the store cannot be asked whether the read pair works. Where a store answers no, this changes nothing
    #[arg(long)]
    pub untested: bool,
}

/// `rotate`
#[derive(Debug, Clone, Subcommand)]
pub enum RotateCommand {
    /// Begin: new keys into the vault, tested, published, into the .env; then the grace
    Start(StartArguments),
    /// Where a rotation stands, what comes next, and those before
    Status,
    /// Go on after a crash, a refusal or a question
    Resume(Answers),
    /// Put the old keys back, at any time before they are retired
    Rollback(Answers),
    /// Forget the old keys, once every condition holds and the store refuses them
    Retire(RetireArguments),
}

/// `rotate retire`
#[derive(Debug, Clone, Args)]
pub struct RetireArguments {
    /// Every miner, validator and the trainer was restarted since the new key is on chain: what uid 0's key waits for
    #[arg(long)]
    pub all_restarted: bool,
    /// What to answer
    #[command(flatten)]
    pub answers: Answers,
}

/// `rotate start`
#[derive(Debug, Clone, Args)]
pub struct StartArguments {
    /// File with the new keys as dotenv lines (the R2_READ_… pair, or the R2_WRITE_… pair, or both), or - for standard input.
    /// Without it they are asked for and not shown
    #[arg(long, value_name = "FILE|-")]
    pub new_key_file: Option<PathBuf>,
    /// Ask for a new write pair instead of a read pair
    #[arg(long, conflicts_with = "new_key_file")]
    pub write: bool,
    /// How long the old key stays alive after the new one is on chain, in blocks of 12 s
    #[arg(long, value_name = "BLOCKS", default_value_t = crate::domain::rotation::DEFAULT_GRACE)]
    pub grace: u64,
    /// A write key leaked: revoke the old token first, then the rest, without grace
    #[arg(long)]
    pub emergency: bool,
    /// What to answer
    #[command(flatten)]
    pub answers: Answers,
}

/// Answers to what would be asked.
#[derive(Debug, Clone, Default, Args)]
pub struct Answers {
    /// Do not ask: publish, and rewrite the .env that is named
    #[arg(long)]
    pub yes: bool,
    /// The .env is up to date elsewhere, or GRAIL is run with exec
    #[arg(long)]
    pub env_done: bool,
    /// Publish over what the chain holds, named by its fingerprint (none where it holds nothing readable)
    #[arg(long, value_name = "FINGERPRINT")]
    pub over: Option<String>,
}

impl Answers {
    /// No answer at all.
    pub const NONE: Self = Self { yes: false, env_done: false, over: None };
}

/// `keys`
#[derive(Debug, Clone, Subcommand)]
pub enum KeysCommand {
    /// Take over what a .env (or the environment) holds: into the vault, read back and compared, then in use
    Import(ImportArguments),
    /// Which keys are where: vault, .env, environment, and on chain
    List(ListArguments),
    /// Write the vault's keys into a .env again, for running GRAIL without exec
    RestoreEnv(RestoreArguments),
    /// Remove a generation that nothing needs any more
    Remove(RemoveArguments),
    /// Make a key file for the encrypted file, to be used with --vault-key-file instead of a passphrase
    CreateKeyFile {
        /// Where; it must not exist yet
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// `keys import`
#[derive(Debug, Clone, Args)]
pub struct ImportArguments {
    /// From this .env; without a FILE from the one of --env-file or the profile, and from the environment
    #[arg(long, value_name = "FILE", num_args = 0..=1, required = true)]
    pub from_env: Option<Option<PathBuf>>,
    /// Then take the keys out of the .env: their lines become comments without values
    #[arg(long)]
    pub blank: bool,
    /// Keep a copy of the .env as it was beside it (mode 0600, with the secrets)
    #[arg(long)]
    pub backup: bool,
    /// Do not ask: without --blank the .env stays as it is
    #[arg(long)]
    pub yes: bool,
}

/// `keys list`
#[derive(Debug, Clone, Copy, Args)]
pub struct ListArguments {
    /// Open the store, and see whether every generation can be read
    #[arg(long)]
    pub check: bool,
    /// Ask the chain which key is published
    #[arg(long)]
    pub online: bool,
}

/// `keys restore-env`
#[derive(Debug, Clone, Args)]
pub struct RestoreArguments {
    /// The .env; without it the one of --env-file or the profile
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// This generation instead of the one in use
    #[arg(long, value_name = "N")]
    pub generation: Option<u64>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// `keys remove`
#[derive(Debug, Clone, Copy, Args)]
pub struct RemoveArguments {
    /// The generation's number
    #[arg(value_name = "GENERATION")]
    pub generation: u64,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// `exec`
#[derive(Debug, Clone, Args)]
pub struct ExecArguments {
    /// Without the write pair, for a process that never writes. GRAIL's miner needs both
    #[arg(long)]
    pub read_only_keys: bool,
    /// The command and its arguments
    #[arg(value_name = "CMD", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<std::ffi::OsString>,
}

/// `sandbox`
#[derive(Debug, Clone, Args)]
pub struct SandboxArguments {
    /// Only serve: print the URLs and the environment to use, and run until a signal
    #[arg(long)]
    pub serve: bool,
    /// The scenario. The subnet: healthy, first-run, drift, legacy, hostile, outage, r2-faults, rotation,
    /// older-runtime. What may become of a commit:
    /// pool-stale, pool-future, pool-bad-proof, pool-ancient, pool-banned, pool-priority, unregistered-pool,
    /// unregistered-block, budget-spent, era-expires, connection-lost, submission-lost, reorganised, usurped,
    /// lying-finality, invented-block, forged-event, forged-value, doctored-metadata, foreign-extension, armed, encrypted-wallet
    #[arg(long, default_value = "healthy", value_name = "NAME")]
    pub scenario: String,
    /// How many uids are registered (1 to 65536) [default: 256]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub uids: Option<u32>,
    /// Time between blocks, 100ms or more [default: 12s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub block_time: Option<Duration>,
    /// Delay added to every answer of the node
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub latency: Option<Duration>,
    /// Requests a second that each endpoint serves, five at once after a pause; more are refused as public nodes do
    #[arg(long, value_name = "NUMBER", value_parser = parse_rate)]
    pub rate_limit: Option<f64>,
    /// Port of the node on 127.0.0.1 [default: any free one]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Port of the S3 server on 127.0.0.1 [default: any free one]
    #[arg(long, value_name = "PORT")]
    pub s3_port: Option<u16>,
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "a number of requests a second, such as 1 or 0.5".to_owned())
}

fn parse_vault(text: &str) -> Result<Backend, String> {
    Backend::named(text).ok_or_else(|| {
        let names = Backend::NAMED.map(Backend::word).join(", ");
        format!("write one of {names}")
    })
}

/// `250ms`, `12s` or `2m`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| "write a whole number and a unit, such as 250ms or 12s".to_owned())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        _ => Err("the unit is ms, s or m, such as 250ms or 12s".to_owned()),
    }
}
