//! Objects that somebody wrote, in memory.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use s3s::S3Error;

use super::objects::{Content, Object};
use super::refusal;

/// Most bytes of one object.
pub const MAX_OBJECT: usize = 16 * 1024 * 1024;
/// Most bytes of all objects.
const MAX_BYTES: usize = 256 * 1024 * 1024;
/// Most objects.
const MAX_OBJECTS: usize = 10_000;

/// What was written, by uid and name.
#[derive(Debug, Default)]
pub struct ObjectStore {
    buckets: HashMap<u16, BTreeMap<String, Object>>,
    bytes: usize,
    objects: usize,
}

impl ObjectStore {
    /// An object.
    pub fn get(&self, uid: u16, name: &str) -> Option<&Object> {
        self.buckets.get(&uid)?.get(name)
    }

    /// The objects of a bucket, by name.
    pub fn of(&self, uid: u16) -> impl Iterator<Item = &Object> {
        self.buckets.get(&uid).into_iter().flat_map(BTreeMap::values)
    }

    /// Puts an object into a bucket, in place of the one that has its name.
    pub fn put(&mut self, uid: u16, name: String, bytes: Bytes, etag: String, modified_ms: u64) -> Result<(), S3Error> {
        let replaced = self.get(uid, &name).map_or(0, size);
        let objects = self.objects + usize::from(self.get(uid, &name).is_none());
        let total = self.bytes - replaced + bytes.len();
        if total > MAX_BYTES || objects > MAX_OBJECTS {
            return Err(refusal::no_room());
        }
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let object = Object { name: name.clone(), size: length, modified_ms, etag, content: Content::Bytes(bytes) };
        self.buckets.entry(uid).or_default().insert(name, object);
        (self.bytes, self.objects) = (total, objects);
        Ok(())
    }

    /// Puts an object there whose bytes are made when they are asked for; it takes no room.
    pub fn place(&mut self, uid: u16, object: Object) {
        self.delete(uid, &object.name);
        self.objects += 1;
        self.buckets.entry(uid).or_default().insert(object.name.clone(), object);
    }

    /// Takes an object away.
    pub fn delete(&mut self, uid: u16, name: &str) {
        if let Some(object) = self.buckets.get_mut(&uid).and_then(|bucket| bucket.remove(name)) {
            self.bytes -= size(&object);
            self.objects -= 1;
        }
    }
}

fn size(object: &Object) -> usize {
    match &object.content {
        Content::Bytes(bytes) => bytes.len(),
        Content::Noise { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shelf_is_finite_and_what_is_deleted_makes_room() {
        let mut shelf = ObjectStore::default();
        let put = |shelf: &mut ObjectStore, name: &str| {
            shelf.put(7, name.to_owned(), Bytes::from(vec![0; MAX_OBJECT]), String::new(), 0)
        };
        for index in 0..16 {
            put(&mut shelf, &index.to_string()).unwrap();
        }
        put(&mut shelf, "0").unwrap();
        assert_eq!(put(&mut shelf, "one too many").unwrap_err().code().as_str(), "ServiceUnavailable");
        assert!(shelf.get(7, "one too many").is_none());
        shelf.delete(7, "0");
        put(&mut shelf, "no longer too many").unwrap();
        assert_eq!(shelf.of(7).count(), 16);
        assert_eq!(shelf.of(8).count(), 0);
    }
}
