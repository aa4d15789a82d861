//! What is in a commitment, as GRAIL writes and reads it (FACTS 2). Deliberately not the console's own codec: validators
//! that share its mistakes would prove nothing.

use crate::domain::secret::SecretKey;

/// Characters of the three parts.
const PLACES: [usize; 3] = [32, 32, 64];

/// The three parts of a commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The account id, which is also the bucket's name.
    pub account: String,
    /// Access key id.
    pub key_id: String,
    /// Secret access key.
    pub secret: SecretKey,
}

impl Published {
    /// Out of the bytes of a commitment's first field: strict UTF-8, exactly 128 characters, no part empty.
    pub fn read(content: &[u8]) -> Option<Self> {
        let characters: Vec<char> = std::str::from_utf8(content).ok()?.chars().collect();
        if characters.len() != PLACES.iter().sum::<usize>() {
            return None;
        }
        let (account, keys) = characters.split_at(PLACES[0]);
        let (key_id, secret) = keys.split_at(PLACES[1]);
        let part = |characters: &[char]| {
            let text: String = characters.iter().collect();
            Some(text.trim().to_owned()).filter(|part| !part.is_empty())
        };
        Some(Self { account: part(account)?, key_id: part(key_id)?, secret: SecretKey::new(part(secret)?) })
    }

    /// The 128 characters: each part is cut to its place, or padded with blanks, without a word.
    pub fn text(&self) -> String {
        let parts = [self.account.as_str(), &self.key_id, self.secret.expose()];
        let placed = parts.into_iter().zip(PLACES).map(|(part, place)| format!("{part:<place$.place$}"));
        placed.collect::<Vec<_>>().concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::accounts::Credentials;

    #[test]
    fn what_the_population_publishes_is_read_and_written_alike() {
        let own = Credentials::of(42, 0);
        let published = Published::read(own.read_commitment().as_bytes()).unwrap();
        assert_eq!((&published.account, &published.key_id), (&own.account, &own.read_key_id));
        assert_eq!(published.text(), own.read_commitment());
    }

    #[test]
    fn parts_are_padded_cut_and_trimmed_as_grail_does() {
        let odd = Published { account: "x".repeat(33), key_id: "k".to_owned(), secret: SecretKey::new("s") };
        let text = odd.text();
        assert_eq!(text.len(), 128);
        let read = Published::read(text.as_bytes()).unwrap();
        assert_eq!((read.account, read.key_id, read.secret), ("x".repeat(32), "k".to_owned(), SecretKey::new("s")));
    }

    #[test]
    fn what_grail_drops_is_dropped() {
        for content in [&b""[..], &[b'a'; 127], &[b'a'; 129], &[0xff; 128], &[b' '; 128]] {
            assert_eq!(Published::read(content), None);
        }
    }
}
