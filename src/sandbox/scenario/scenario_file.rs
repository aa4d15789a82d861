//! The TOML of a scenario, as typed tables.

use serde::Deserialize;

use crate::sandbox::accounts::Credentials;
use crate::sandbox::byzantine::Byzantine;
use crate::sandbox::commitment::HashKind;
use crate::sandbox::faults::{Interruption, Lie, Moment, Throttle};
use crate::sandbox::pool::PoolAnswer;
use crate::sandbox::s3::{BucketFault, Dialect};
use crate::sandbox::tcp_gate::Stall;
use crate::sandbox::validity::Unregistered;

/// The ordinary part of the population.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::sandbox) struct Subnet {
    /// What its owner calls it; nothing for a subnet without an identity.
    pub(in crate::sandbox) name: String,
    /// Uids that never committed.
    pub(in crate::sandbox) without_commitment: Vec<u16>,
    /// How many blocks ago some uids registered, where it matters.
    pub(in crate::sandbox) registered: Vec<Registered>,
    /// Ordinary commitments were made by their hotkeys' extrinsics, one a block, within so many blocks before the start; 0
    /// for long ago, in blocks that nobody has any more.
    pub(in crate::sandbox) recent_blocks: u32,
    /// Where the commitments of somebody who is not on the subnet end, where it is not where the runtime ends them.
    pub(in crate::sandbox) unregistered: Option<Unregistered>,
    /// Who may act for whom, and has made the other one's commitment where it was made by an extrinsic.
    pub(in crate::sandbox) proxies: Vec<Proxy>,
    /// Whose commitment came in a batch, where it was made by an extrinsic.
    pub(in crate::sandbox) batched: Vec<u16>,
    /// Who has most stake.
    pub(in crate::sandbox) top_stake: u16,
}

impl Default for Subnet {
    fn default() -> Self {
        Self {
            name: "GRAIL".to_owned(),
            without_commitment: Vec::new(),
            registered: Vec::new(),
            recent_blocks: 0,
            unregistered: None,
            proxies: Vec::new(),
            batched: Vec::new(),
            top_stake: 5,
        }
    }
}

/// A uid that may act for another one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sandbox) struct Proxy {
    pub(in crate::sandbox) delegate: u16,
    pub(in crate::sandbox) real: u16,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sandbox) struct Registered {
    pub(in crate::sandbox) uid: u16,
    pub(in crate::sandbox) blocks_ago: u32,
}

/// What the operator of uid 42 has, and has published.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::sandbox) struct OperatorSetup {
    pub(in crate::sandbox) local: Local,
    pub(in crate::sandbox) published: PublishedKey,
    /// Whether the operator's hotkey has its uid; else somebody else has it.
    pub(in crate::sandbox) registered: bool,
    /// Bytes of the current epoch that the operator has used, where it matters.
    pub(in crate::sandbox) budget_used: Option<u64>,
    /// The form of the hotkey's file.
    pub(in crate::sandbox) wallet: HotkeyFile,
}

/// The form of a hotkey's file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::sandbox) enum HotkeyFile {
    /// Readable by whoever may open it.
    #[default]
    Plain,
    /// Behind a password.
    Encrypted,
}

impl Default for OperatorSetup {
    fn default() -> Self {
        Self {
            local: Local::BothPairs,
            published: PublishedKey::Read { generation: 0 },
            registered: true,
            budget_used: None,
            wallet: HotkeyFile::Plain,
        }
    }
}

/// What is configured on the operator's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::sandbox) enum Local {
    /// Wallet, and a `.env` with the read and the write pair.
    BothPairs,
    /// Wallet, and a `.env` with the write pair only (legacy single-credential mode).
    WritePairOnly,
    /// Neither wallet nor credentials.
    Nothing,
}

/// What the operator's commitment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::sandbox) enum PublishedKey {
    /// A read key; generation 0 is the one in the `.env`, others are not.
    Read { generation: u8 },
    /// The write key.
    Write,
    /// No commitment.
    Nothing,
}

/// A commitment that is not the ordinary one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sandbox) struct MemberCommitment {
    pub(in crate::sandbox) uid: u16,
    /// What is odd about it; for whoever reads the scenario.
    #[expect(dead_code, reason = "documents the scenario file; required so that every oddity says what it is")]
    pub(in crate::sandbox) why: String,
    #[serde(default)]
    pub(in crate::sandbox) blocks_ago: Option<u32>,
    #[serde(default)]
    pub(in crate::sandbox) fields: Option<Vec<FieldText>>,
    /// The stored bytes themselves in hex, instead of fields.
    #[serde(default)]
    pub(in crate::sandbox) stored: Option<String>,
}

/// The S3 server as a whole.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::sandbox) struct Server {
    pub(in crate::sandbox) dialect: Dialect,
    /// Seconds of sandbox time until a new token is known.
    pub(in crate::sandbox) token_delay_s: u32,
}

impl Default for Server {
    fn default() -> Self {
        Self { dialect: Dialect::default(), token_delay_s: 60 }
    }
}

/// The simulated validators.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::sandbox) struct Panel {
    /// Who they are.
    pub(in crate::sandbox) uids: Vec<u16>,
    /// Seconds of sandbox time between two fetches of one.
    pub(in crate::sandbox) refetch_s: u32,
}

impl Default for Panel {
    fn default() -> Self {
        Self { uids: Vec::new(), refetch_s: 600 }
    }
}

/// The operator's GRAIL.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::sandbox) struct Miner {
    /// Block times between its restarts; 0 for none but those that are asked for.
    pub(in crate::sandbox) restart_every_blocks: u32,
}

/// A bucket with which something is wrong from the start.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sandbox) struct OddBucket {
    pub(in crate::sandbox) uid: u16,
    /// What that means; for whoever reads the scenario.
    #[expect(dead_code, reason = "documents the scenario file; required so that every oddity says what it is")]
    pub(in crate::sandbox) why: String,
    pub(in crate::sandbox) fault: BucketFault,
}

/// Somebody who left the subnet and whose commitment stayed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sandbox) struct FormerMember {
    pub(in crate::sandbox) index: u16,
    #[serde(default = "long_ago")]
    pub(in crate::sandbox) blocks_ago: u32,
    /// The uid whose hotkey took the place of this one; told by runtimes that can tell.
    #[serde(default)]
    pub(in crate::sandbox) successor: Option<u16>,
}

const fn long_ago() -> u32 {
    400_000
}

/// A field as a scenario writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::sandbox) enum FieldText {
    None,
    Raw(BytesText),
    BigRaw(BytesText),
    Hash(HashKind),
    Timelock { encrypted_bytes: u16, round: u64 },
    ResetBondsFlag,
    TimelockRevealFailed { round: u64 },
    Unknown { index: u8, hex: String },
}

/// Bytes as a scenario writes them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::sandbox) enum BytesText {
    /// As they are.
    Text(String),
    /// In hex.
    Hex(String),
    /// One text so many times.
    Repeat { text: String, times: u16 },
    /// The 128 characters of a uid's credentials, parts of which may be others.
    Parts(Parts),
}

/// The three parts of a commitment; what is missing is the uid's own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::sandbox) struct Parts {
    /// Whose credentials, if not the uid's own.
    pub(in crate::sandbox) of_uid: Option<u16>,
    pub(in crate::sandbox) generation: u8,
    pub(in crate::sandbox) locator: Option<String>,
    pub(in crate::sandbox) key_id: Option<String>,
    pub(in crate::sandbox) secret: Option<String>,
    /// Only so many characters of the whole.
    pub(in crate::sandbox) take: Option<usize>,
}

/// Something that happens so many block times after the start.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::sandbox) struct TimedEvent {
    pub(in crate::sandbox) after_blocks: u32,
    #[serde(flatten)]
    pub(in crate::sandbox) what: What,
}

/// What happens.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::sandbox) enum What {
    /// A uid commits.
    Commit { uid: u16, fields: Vec<FieldText> },
    /// The operator's write key is committed, as GRAIL does when the read pair is missing.
    CommitWriteKey {},
    /// A former member's hotkey (by index) takes a uid.
    Register { uid: u16, former_member: u16 },
    /// The subnet's owner gives it another name.
    Rename { name: String },
    /// Every connection is closed.
    DropConnections {},
    /// The node is killed.
    Refuse {},
    /// Connections fall silent.
    Stall { which: Stall },
    /// Every request takes longer.
    Lag { milliseconds: u64 },
    /// Too many requests.
    TooManyRequests { at: Throttle },
    /// No more blocks.
    StaleHead {},
    /// Block 0 is another chain's.
    WrongGenesis {},
    /// The next spec version.
    RuntimeUpgrade {},
    /// Every submission is refused.
    RefuseSubmissions { answer: PoolAnswer },
    /// Nothing from the pool is included.
    HoldPool {},
    /// Nothing becomes final.
    HoldFinality {},
    /// The connection is lost during the next submission.
    InterruptSubmission { at: Interruption },
    /// The last blocks are replaced by others.
    Fork { depth: u32 },
    /// The same, after the operator's next commitment.
    ForkAfterCommit { depth: u32 },
    /// Extrinsics of replaced blocks are lost.
    LoseInFork {},
    /// Whenever a hotkey commits whose key the competing submitter knows, somebody else commits this with the same hotkey.
    Usurp { moment: Moment, fields: Vec<FieldText> },
    /// The node says what is not true.
    Lie { lie: Lie },
    /// The endpoint says what is not so, while the node behind it tells the truth.
    Deceive { deceit: Byzantine },
    /// The second endpoint does.
    DeceiveByWitness { deceit: Byzantine },
    /// The operator's hotkey takes a uid.
    RegisterOperator { uid: u16 },
    /// Something is wrong with a bucket.
    BucketFault { uid: u16, fault: BucketFault },
    /// Everything works again.
    Recover {},
}

impl Parts {
    /// The parts side by side, each padded with blanks to its place (32, 32 and 64 characters) and never cut.
    pub(in crate::sandbox) fn text(&self, uid: u16) -> String {
        let own = Credentials::of(self.of_uid.unwrap_or(uid), self.generation);
        let locator = self.locator.as_deref().unwrap_or(&own.account);
        let key_id = self.key_id.as_deref().unwrap_or(&own.read_key_id);
        let secret = self.secret.as_deref().unwrap_or_else(|| own.read_secret.expose());
        let whole = format!("{locator:<32}{key_id:<32}{secret:<64}");
        whole.chars().take(self.take.unwrap_or(usize::MAX)).collect()
    }
}
