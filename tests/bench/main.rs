//! How fast the console is, measured against the sandbox: `cargo bench --bench console`. Numbers, never assertions.
//!
//! Each line gives the bar that the design sets and what was measured on this machine: whole processes with an injected
//! round trip, frames on a test backend, the console itself in a pseudo terminal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement that cannot go on stops")]

mod commit;
mod console;
mod flood_node;
mod flood_store;
mod floods;
mod frames;
mod guard;
mod key_test;
mod probes;
mod provenance;
mod requests;
mod rotation;
mod status;
mod vault;

/// The middle of some measurements.
fn median(mut measured: Vec<f64>) -> f64 {
    measured.sort_by(f64::total_cmp);
    measured[measured.len() / 2]
}

/// One line of the report.
fn report(what: &str, bar: &str, measured: &str) {
    println!("{what:<62} {bar:<28} {measured}");
}

fn main() {
    // `cargo test --all-targets` runs benchmarks with `--test`: there is nothing to prove here.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    report("what", "bar", "measured");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    // `cargo bench --bench console -- probes` measures that part alone.
    let parts: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|one| one == part);
    if wanted("status") {
        runtime.block_on(status::measure());
    }
    if wanted("requests") {
        runtime.block_on(requests::measure());
    }
    if wanted("commit") {
        runtime.block_on(commit::measure());
    }
    if wanted("key_test") {
        runtime.block_on(key_test::measure());
    }
    if wanted("guard") {
        guard::measure();
    }
    if wanted("frames") {
        runtime.block_on(frames::measure());
    }
    if wanted("probes") {
        runtime.block_on(probes::measure());
    }
    if wanted("provenance") {
        runtime.block_on(provenance::measure());
    }
    if wanted("vault") {
        vault::measure();
    }
    if wanted("rotation") {
        runtime.block_on(rotation::measure());
    }
    if wanted("console") {
        runtime.block_on(console::measure());
    }
    // It takes half an hour.
    if parts.iter().any(|part| part == "floods") {
        runtime.block_on(floods::measure());
    }
}
