//! What is known of a subnet while it is watched: no screen is needed for it.

pub mod changes;
pub mod model;
pub mod own;
pub mod service;
pub mod table;
