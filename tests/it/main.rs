//! Integration tests, one crate so that they link once. Real servers, real files, real terminals; see the module names.
#![allow(missing_docs, clippy::missing_panics_doc)]

mod config_dotenv;
mod config_settings;
mod layers;
mod state_files;
mod tui_fixtures;
mod tui_runner;
mod tui_safety;
mod tui_screens;
mod tui_update;
