//! The result of a read test, as screens and JSON show it. It holds no secret.

use serde::Serialize;

use crate::domain::diagnostic::{Class, Diagnostic};

use super::blame::Blame;
use super::evidence::Exchange;
use super::verdict::Verdict;
use crate::domain::hotkey::Hotkey;
use crate::domain::text::uncapitalised;
use crate::domain::window::{Deadline, Window};

/// One request of the test, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Stable name, such as `head_gz`.
    pub step: &'static str,
    /// The words on the screen.
    #[serde(skip)]
    pub words: &'static str,
    /// HTTP status; null where there was no answer.
    pub http: Option<u16>,
    /// The store's error code, or the name of what went wrong before there was one; sanitised.
    pub code: Option<String>,
    /// The store's message, or the content type and the server of what answered in its place; sanitised.
    pub message: Option<String>,
    /// How long it took, in ms.
    pub ms: u64,
}

impl Step {
    /// Code and message.
    pub fn words_of_the_answer(&self) -> String {
        match (&self.code, &self.message) {
            (Some(code), Some(message)) if code != message => format!("{code}: {message}"),
            (Some(words), _) | (None, Some(words)) => words.clone(),
            (None, None) => String::new(),
        }
    }
}

impl From<&Exchange> for Step {
    fn from(exchange: &Exchange) -> Self {
        Self {
            step: exchange.request.name(),
            words: exchange.request.words(),
            http: exchange.reply.http(),
            code: exchange.reply.code(),
            message: exchange.reply.message(),
            ms: exchange.ms,
        }
    }
}

/// What is risky about a published key, whatever the verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "risk", rename_all = "snake_case")]
pub enum Risk {
    /// The published key can write. Known of the own key only.
    WriteCapable,
    /// The published key can list the account's buckets. Known of the own key only.
    AccountWide,
    /// Several hotkeys published this key id.
    SharedKey {
        /// The other uids; ex-members have none and are not among them.
        uids: Vec<u16>,
    },
    /// The key has AWS's shape on R2.
    AwsShaped,
    /// The hotkey is no longer registered: nobody can overwrite the commitment.
    ExMember,
}

impl Probe {
    /// A test that did not go well, as what it comes to.
    pub fn diagnostic(&self) -> Diagnostic {
        let whom = self.uid.map_or_else(|| self.hotkey.short(), |uid| format!("uid {uid}"));
        let class = if self.is_definite { Class::Finding } else { Class::Unknown };
        let what = format!("{whom}: {}", self.verdict.word());
        Diagnostic::failure(class, self.verdict.name(), what, &self.explanation, &self.fix)
            .about_row(self.uid, self.hotkey)
    }
}

impl Risk {
    /// A word or two.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::WriteCapable => "can write",
            Self::AccountWide => "account-wide",
            Self::SharedKey { .. } => "shared key",
            Self::AwsShaped => "AWS-shaped",
            Self::ExMember => "ex-member",
        }
    }

    /// What follows from it.
    pub fn sentence(&self) -> String {
        match self {
            Self::WriteCapable => {
                "The published key can write: anybody can overwrite or delete windows. Revoke it now, \
                                   then publish a key that can only read."
                    .to_owned()
            }
            Self::AccountWide => "The published key can list the account's buckets: it is not limited to this one. \
                                  Replace it by an Object Read token for this bucket alone."
                .to_owned(),
            Self::SharedKey { uids } => {
                let list = uids.iter().map(|uid| format!("uid {uid}")).collect::<Vec<_>>().join(", ");
                format!("The same key id is published by {}.", if uids.is_empty() { "an ex-member" } else { &list })
            }
            Self::AwsShaped => {
                "The key id has the shape of an AWS key; R2 refuses anything but 32 hexadecimal characters.".to_owned()
            }
            Self::ExMember => {
                "The hotkey is no longer registered: the key stays published for ever, and only revoking \
                               the token closes the bucket."
                    .to_owned()
            }
        }
    }
}

/// What is said beside a verdict on a holder whose key nobody else confirmed.
pub const ONE_NODE_SAYS: &str = "As this node says it: nobody else confirmed that this is the key on chain.";

impl Probe {
    /// What is to be said beside the explanation: that the holder is blamed on one node's word.
    pub fn reservation(&self) -> Option<&'static str> {
        (self.blame == Some(Blame::Holder) && self.confirmed.is_none()).then_some(ONE_NODE_SAYS)
    }

    /// Sources contradict each other about the key: whatever came of the test is nothing that its holder did.
    pub fn contradicted(&mut self, finding: &Diagnostic) {
        self.confirmed = Some(false);
        (self.blame, self.is_definite) = (Some(Blame::Unknown), false);
        self.explanation = format!(
            "Not known: {}. With the key that this node names the test says: {}",
            uncapitalised(finding.summary.trim_end_matches('.')),
            uncapitalised(&self.explanation)
        );
        self.fix.clone_from(&finding.help);
    }

    /// Whether the test failed on this machine or on the way, and says nothing about the uid.
    pub fn is_local_fault(&self) -> bool {
        let is_local = matches!(self.blame, Some(Blame::ThisMachine | Blame::Network)) || self.verdict == Verdict::Dns;
        is_local && !self.is_definite
    }
}

/// A read test and its verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// The uid; `None` for an ex-member.
    pub uid: Option<u16>,
    /// The hotkey.
    pub hotkey: Hotkey,
    /// The verdict.
    pub verdict: Verdict,
    /// Whose fault it is; `None` where nothing is wrong.
    pub blame: Option<Blame>,
    /// Whether it is a store's own answer, which validators get too. Otherwise nothing is known of the uid.
    pub is_definite: bool,
    /// The window that was looked for; `None` where it did not come to that.
    pub window: Option<Window>,
    /// The object that was found, or the last one looked for.
    pub object: Option<String>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// When it was last modified, in ms since 1970.
    pub last_modified_ms: Option<u64>,
    /// The last moment for an upload.
    pub deadline: Option<Deadline>,
    /// How long its requests took, in ms.
    pub elapsed_ms: u64,
    /// By how much this machine's clock is behind the store's, in ms; negative when it is ahead. To the second.
    pub clock_offset_ms: Option<i64>,
    /// The requests.
    pub steps: Vec<Step>,
    /// What is risky about the key.
    pub risks: Vec<Risk>,
    /// Why it is so, in the operator's words.
    pub explanation: String,
    /// What to do.
    pub fix: String,
    /// Whether the key that it was made with is on chain, as a second source and the state's proof say; `None` where one node's
    /// word is all there is.
    pub confirmed: Option<bool>,
    /// When the test ended, in ms since 1970.
    pub at_ms: u64,
}
