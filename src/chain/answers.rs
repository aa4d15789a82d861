//! What a node answers: bounded in bytes by what was asked (THREATS T26).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jsonrpsee::core::client::TransportSenderT;
use serde::Deserialize;
use thiserror::Error;

use super::options::CallLimits;

/// Why an answer is not taken in.
#[derive(Debug, Error)]
pub(super) enum AnswerError {
    #[error("an answer of {bytes} bytes to {method} is too large")]
    Answer { method: Cow<'static, str>, bytes: usize },
    #[error("an error of {bytes} bytes, told in answer to {method}, is too large")]
    Refusal { method: Cow<'static, str>, bytes: usize },
}

/// The requests that are not answered yet, by their ids. One that nobody waits for any longer stays among them: its answer may
/// still come.
#[derive(Debug)]
pub(super) struct Asked {
    limits: CallLimits,
    methods: Mutex<HashMap<u64, String>>,
}

impl Asked {
    pub(super) fn new(limits: &CallLimits) -> Self {
        Self { limits: limits.clone(), methods: Mutex::default() }
    }

    /// Bytes that the largest answer may have which can come now.
    pub(super) fn largest(&self) -> usize {
        self.methods().values().map(|method| self.limits.answer(method)).max().unwrap_or_default()
    }

    /// Takes an answer in, if it is as large as one to that request may be. Each request is answered once.
    pub(super) fn answered(&self, id: Option<u64>, bytes: usize, is_error: bool) -> Result<(), AnswerError> {
        let method = id.and_then(|id| self.methods().remove(&id));
        let of_errors = self.limits.notification;
        let most = method.as_deref().filter(|_| !is_error).map_or(of_errors, |method| self.limits.answer(method));
        if bytes <= most {
            return Ok(());
        }
        let method = method.map_or("nothing that was asked".into(), Cow::Owned);
        Err(if is_error { AnswerError::Refusal { method, bytes } } else { AnswerError::Answer { method, bytes } })
    }

    fn sent(&self, request: &str) {
        #[derive(Deserialize)]
        struct Request<'r> {
            id: u64,
            #[serde(borrow)]
            method: Cow<'r, str>,
        }
        if let Ok(Request { id, method }) = serde_json::from_str(request) {
            self.methods().insert(id, method.into_owned());
        }
    }

    fn methods(&self) -> MutexGuard<'_, HashMap<u64, String>> {
        self.methods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sending half of a connection, with a note of what is asked.
pub(super) struct Noting<S> {
    inner: S,
    asked: Arc<Asked>,
}

impl<S> Noting<S> {
    pub(super) fn new(inner: S, asked: Arc<Asked>) -> Self {
        Self { inner, asked }
    }
}

impl<S: TransportSenderT + Send> TransportSenderT for Noting<S> {
    type Error = S::Error;

    async fn send(&mut self, message: String) -> Result<(), S::Error> {
        self.asked.sent(&message);
        self.inner.send(message).await
    }

    async fn send_ping(&mut self) -> Result<(), S::Error> {
        self.inner.send_ping().await
    }

    async fn close(&mut self) -> Result<(), S::Error> {
        self.inner.close().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1 << 10;

    fn asked(methods: &[&str]) -> Asked {
        let asked = Asked::new(&CallLimits::default());
        for (id, method) in methods.iter().enumerate() {
            asked.sent(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":[[1],null]}}"#));
        }
        asked
    }

    fn refusal(asked: &Asked, id: Option<u64>, bytes: usize) -> Option<String> {
        asked.answered(id, bytes, false).err().map(|error| error.to_string())
    }

    #[test]
    fn an_answer_may_be_as_large_as_an_honest_one_to_that_method() {
        let most = [
            ("state_getRuntimeVersion", 64 * KIB),
            ("chain_getHeader", 64 * KIB),
            ("state_subscribeStorage", 64 * KIB),
            ("chain_getBlockHash", 256 * KIB),
            ("state_getKeysPaged", 256 * KIB),
            ("state_queryStorageAt", 4_096 * KIB),
            ("state_getReadProof", 4_096 * KIB),
            ("state_call", 4_097 * KIB),
            ("state_getMetadata", 4_097 * KIB),
            ("chain_getBlock", 10_240 * KIB),
        ];
        for (method, bytes) in most {
            assert_eq!(refusal(&asked(&[method]), Some(0), bytes), None, "{method}");
            let said = format!("an answer of {} bytes to {method} is too large", bytes + 1);
            assert_eq!(refusal(&asked(&[method]), Some(0), bytes + 1), Some(said));
            assert_eq!(asked(&["system_name", method]).largest(), bytes.max(64 * KIB));
        }
        assert_eq!(asked(&[]).largest(), 0);
    }

    #[test]
    fn a_large_answer_is_of_the_request_that_asked_for_it_and_comes_once() {
        let asked = asked(&["chain_getBlock", "chain_getHeader"]);
        assert!(refusal(&asked, Some(1), 1 << 20).unwrap().contains("chain_getHeader"));
        assert_eq!(refusal(&asked, Some(0), 1 << 20), None);
        for id in [Some(0), Some(7), None] {
            let said = "an answer of 1048576 bytes to nothing that was asked is too large";
            assert_eq!(refusal(&asked, id, 1 << 20).unwrap(), said);
        }
    }

    #[test]
    fn an_error_is_small_whatever_was_asked() {
        let refused = |bytes| asked(&["chain_getBlock"]).answered(Some(0), bytes, true).err();
        assert!(refused(64 * KIB).is_none());
        let said = "an error of 65537 bytes, told in answer to chain_getBlock, is too large";
        assert_eq!(refused(64 * KIB + 1).unwrap().to_string(), said);
    }
}
