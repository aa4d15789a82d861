//! Use cases: the only place where the layers meet. A command line and a screen are two faces of these.

pub mod commit;
pub mod context;
pub mod context_watch;
pub mod disk;
pub mod doctor;
pub mod feed;
pub mod keys;
pub mod own_hotkey;
pub mod probe;
pub mod rotation;
pub mod self_test;
pub mod survey;
pub mod vault;
pub mod verify;
pub mod visible;
