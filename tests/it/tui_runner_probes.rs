//! Read tests in the running console: orders out, results in.

use crossterm::event::KeyCode;
use grail_console::domain::probe::{ProbeNews, ProbeOrder, Verdict};

use crate::tui_fixtures::*;
use crate::tui_probe_fixtures::*;
use crate::tui_runner::start;

#[tokio::test]
async fn an_order_reaches_the_one_who_tests_and_its_result_the_screen() {
    let mut console = start(None);
    console.connect().await;
    console.sees("245 readable").await;
    console.press(KeyCode::Char('p'));
    assert_eq!(console.tests.recv().await, Some(ProbeOrder::One(hotkey(u64::from(OWN)))));
    console.sees("… testing").await;
    let one = probe(u64::from(OWN), Verdict::Ok);
    console.results.send(ProbeNews::Tested(Box::new(one))).await.unwrap();
    console.sees("ms on time").await;
}

#[tokio::test]
async fn keys_are_heard_while_hundreds_of_results_arrive() {
    let mut console = start(None);
    console.connect().await;
    console.sees("245 readable").await;
    console.press(KeyCode::Char('P'));
    let Some(ProbeOrder::Sweep(hotkeys)) = console.tests.recv().await else { panic!("no sweep") };
    assert_eq!(hotkeys.len(), 256);
    let results = console.results.clone();
    let pouring = tokio::spawn(async move {
        for uid in (0..256).cycle().take(5_000) {
            results.send(ProbeNews::Tested(Box::new(probe(uid, Verdict::Ok)))).await.unwrap();
        }
    });
    console.press(KeyCode::Char('P'));
    assert_eq!(console.tests.recv().await, Some(ProbeOrder::Cancel));
    pouring.await.unwrap();
    console.results.send(ProbeNews::SweepEnded { cancelled: true }).await.unwrap();
    console.sees("Sweep ended at 256 of 256").await;
}
