//! grail-console
pub mod domain;
pub mod chain;
pub mod wallet;
pub mod state;
pub mod config;
pub mod ops;
pub mod cli;
pub mod tui;
pub mod sandbox;
pub mod logs;
