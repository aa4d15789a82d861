//! grail-console
pub mod chain;
pub mod cli;
pub mod config;
pub mod domain;
pub mod logs;
pub mod ops;
pub mod sandbox;
pub mod state;
pub mod tui;
pub mod wallet;
