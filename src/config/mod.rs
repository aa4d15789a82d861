//! What the operator has configured: the console's own file with its profiles, GRAIL's `.env`, exported variables and
//! flags, each value with the place it came from.
//!
//! Nothing here reads the process environment or the current directory: the environment is a parameter, and the only
//! files read are the ones named by a flag or a profile.

pub mod dotenv;
