//! Read tests in the console as it runs: keys, a real chain, a real store.

use grail_console::sandbox::BucketFault;

use crate::support::house::House;
use crate::support::node::Node;
use crate::support::pty::Pty;

const TAB: &str = "\t";
const ENTER: &str = "\r";
const ESC: &str = "\u{1b}";

fn console(house: &House, node: &Node) -> Pty {
    let store = vec!["--s3-endpoint".to_owned(), node.sandbox().s3_url().to_owned()];
    let console = Pty::open(house, [node.operator_flags(), store].concat());
    console.until("the table", |screen| screen.contains("64 uids") && screen.contains("● live"));
    console
}

#[test]
fn a_row_is_tested_listed_and_swept_with_all_the_others() {
    let (house, node) = (House::new(), Node::with_uids("r2-faults", 64));
    node.sandbox().s3().set_fault(35, None);
    node.sandbox().s3().set_fault(36, None);
    let mut console = console(&house, &node);
    console.keys("/17\rp");
    console.shows("unknown key");
    console.keys(ENTER);
    console.shows("The store does not know this key");
    console.keys("b");
    console.shows("The listing was refused: the store answers 401");
    console.keys(ESC);
    console.shows("1 of 64 rows");
    console.keys(ESC);
    console.shows("by uid");
    console.keys("P");
    console.shows("Swept 64: ");
    console.keys("/test:denied\r");
    let screen = console.shows("rows");
    assert!(screen.contains("✗ denied"), "{screen}");
    console.keys(ESC);
    console.shows("by uid");
    console.keys("m");
    console.shows("+8");
    console.keys("q");
    console.left().restored_with(0);
}

#[test]
fn the_own_visibility_follows_what_the_store_says_now() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 64));
    let mut console = console(&house, &node);
    console.keys("up");
    console.shows("A validator would see you now.");
    node.sandbox().s3().set_fault(42, Some(BucketFault::OtherBucket));
    console.keys("p");
    console.shows("A validator would not see you now");
    console.keys("q");
    console.left().restored_with(0);
}

#[test]
fn the_own_keys_are_tested_after_a_question_and_nothing_stays_in_the_bucket() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 64));
    let mut console = console(&house, &node);
    console.keys("uT");
    console.shows("Test your own keys?");
    console.keys(ENTER).hides("Test your own keys?");
    assert!(node.sandbox().s3().requests().is_empty(), "enter alone begins nothing");
    console.keys("T");
    console.shows("Test your own keys?");
    console.keys(TAB).keys(ENTER);
    console.shows("Your keys do what they should, and nothing more.");
    let puts = node.sandbox().s3().requests().iter().filter(|request| request.method == "PUT").count();
    assert_eq!(
        (puts, node.sandbox().s3().stored(42).len()),
        (2, 0),
        "the canary, and the try to write with the read key"
    );
    console.keys("q");
    console.left().restored_with(0);
}
