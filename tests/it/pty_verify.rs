//! Provenance in the console as it runs: keys, two endpoints, a liar.

use grail_console::sandbox::{Byzantine, OPERATOR_UID};

use crate::support::house::House;
use crate::support::node::Node;
use crate::support::pty::Pty;

fn console(house: &House, node: &Node) -> Pty {
    let witness = vec!["--witness".to_owned(), node.sandbox().witness_url().to_owned()];
    let console = Pty::open(house, [node.operator_flags(), witness].concat());
    console.until("the table", |screen| screen.contains("64 uids") && screen.contains("● live"));
    console
}

#[test]
fn rows_are_proven_by_themselves_and_signed_when_asked() {
    let (house, node) = (House::new(), Node::with_uids("provenance", 64));
    let mut console = console(&house, &node);
    console.until("proofs", |screen| screen.contains("readable ✓") && screen.contains("readable ≡"));
    console.keys("/5\r");
    console.shows("1 of 64 rows");
    console.keys("V");
    console.until("the signature", |screen| screen.contains("readable ✓"));
    console.keys("\u{1b}");
    console.until("all rows", |screen| screen.contains(" 64 rows") && !screen.contains("of 64 rows"));
    console.keys("/proof:signed\r");
    console.shows("2 of 64 rows");
    console.keys("q");
    console.left().restored_with(0);
}

#[test]
fn a_liar_is_named_and_writing_waits_until_that_was_read() {
    let (house, node) = (House::new(), Node::with_uids("provenance", 64));
    node.sandbox().faults().deceive(Some(Byzantine::ForgedValue(OPERATOR_UID)));
    let mut console = console(&house, &node);
    console.shows("Sources disagree");
    console.keys("C");
    console.shows("Commit: not now");
    console.keys("\rA");
    console.until("the banner gone", |screen| !screen.contains("Sources disagree"));
    console.keys("q");
    console.left().restored_with(0);
}

#[test]
fn a_node_that_forges_the_own_row_in_its_table_alone_is_found_out_by_itself() {
    let (house, node) = (House::new(), Node::with_uids("provenance", 64));
    node.sandbox().faults().deceive(Some(Byzantine::ForgedInTables(OPERATOR_UID)));
    let mut console = console(&house, &node);
    console
        .until("the lie", |screen| screen.contains("Sources disagree") && screen.contains("The first is proven wrong"));
    console.until("the proven row", |screen| screen.contains("✓ you: chain and local agree"));
    console.keys("C");
    console.shows("Commit: not now");
    console.keys("\r").hides("Commit: not now");
    console.keys("q");
    console.left().restored_with(0);
}
