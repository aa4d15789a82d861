//! A secret that the input may place wherever it likes, and that no message may repeat.

use std::fmt::{Debug, Display};

/// What every `§` of an input becomes: the seed of the development phrase, which guards nothing.
pub(crate) const SECRET: &str = "fac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e";
/// The development phrase, and digits of the keys that are made of it.
const TRACES: [&str; 4] = ["bottom drive", "fac7959dbfe72f05", "5794ce5482859b13", "05d65584630d16cd"];

/// The input with the secret in its places.
pub(crate) fn placed(data: &[u8]) -> Vec<u8> {
    let sign = "§".as_bytes();
    let mut out = Vec::with_capacity(data.len());
    let mut rest = data;
    while let Some(at) = rest.windows(sign.len()).position(|window| window == sign) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(SECRET.as_bytes());
        rest = &rest[at + sign.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// No part of the secret stands in what is said.
pub(crate) fn is_not_in(said: &str) {
    assert!(TRACES.iter().all(|trace| !said.contains(trace)), "a secret is told: {said}");
}

/// Neither in an error's words nor in its inside.
pub(crate) fn is_not_told(error: &(impl Display + Debug)) {
    is_not_in(&format!("{error} {error:?}"));
}
