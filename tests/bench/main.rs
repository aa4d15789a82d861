//! How fast the console is, measured against the sandbox: `cargo bench --bench console`. Numbers, never assertions.
//!
//! Each line gives the bar that the design sets and what was measured on this machine: whole processes with an injected
//! round trip, frames on a test backend, the console itself in a pseudo terminal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement that cannot go on stops")]

mod commit;
mod console;
mod frames;
mod probes;
mod status;

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
    runtime.block_on(status::measure());
    runtime.block_on(commit::measure());
    runtime.block_on(frames::measure());
    runtime.block_on(probes::measure());
    runtime.block_on(console::measure());
}
