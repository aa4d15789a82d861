//! From the name of a host to an open connection: name, TCP, TLS, each with its own error and all under one deadline. No
//! proxy, and no address that the caller does not allow.

mod addresses;
mod dial;
mod error;
mod public;
mod resolver;
mod tls;

pub use dial::{Connection, Deadline, Host, dial, dial_telling};
pub use error::{DialError, Step, plain, seconds};
pub use public::Allowed;
pub use resolver::Resolver;
pub use tls::Tls;
