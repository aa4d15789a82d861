//! The README says the truth: its keys are the key map's, its commands exist, its exit codes and files are real.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use clap::Parser;
use grail_console::cli::args::Arguments;
use grail_console::tui::keymap::KeyMap;

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

#[test]
fn the_key_table_is_the_key_map() {
    let table = KeyMap::load(&BTreeMap::new()).unwrap().markdown();
    assert!(readme().contains(table.trim()), "the README's key table should be:\n{table}");
}

#[test]
fn every_command_of_the_readme_is_understood() {
    let text = readme();
    let in_blocks = text.split("```").skip(1).step_by(2).flat_map(str::lines);
    let lines = in_blocks.filter(|line| line.starts_with("grail-console"));
    let mut seen = 0;
    for line in lines {
        seen += 1;
        let command = line.split('#').next().unwrap().split(['>', '|', '&']).next().unwrap();
        let parsed = Arguments::try_parse_from(command.split_whitespace());
        assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
    }
    assert!(seen >= 5, "only {seen} commands found");
}

#[test]
fn the_files_and_pictures_it_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["assets/console.png", "assets/config.example.toml", "LICENSE", "CHANGELOG.md", "src/lib.rs", ".ci/run"]
    {
        assert!(root.join(file).exists(), "{file}");
    }
    assert!(readme().contains("assets/console.png"));
}
