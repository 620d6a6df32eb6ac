//! Keys found in lines, against tables and against the regular expression itself.

use std::ops::Range;

use lapwing_logs::{Keys, LayoutError};
use proptest::prelude::*;
use regex::Regex;

fn found<'a>(keys: &Keys, line: &'a str) -> (Vec<&'a str>, usize) {
    let mut ranges: Vec<Range<u32>> = vec![7..9, 0..1];
    let beyond = keys.find(line, &mut ranges);
    (ranges.iter().map(|range| &line[range.start as usize..range.end as usize]).collect(), beyond)
}

#[test]
fn keys_come_once_in_the_order_of_their_first_appearance() {
    let keys = Keys::new(r"blk_-?\d+").unwrap();
    let line = "ask 10.0.0.1 to delete blk_-3 blk_12, blk_-3 blk_ blk_-x xblk_7y";
    assert_eq!(found(&keys, line), (vec!["blk_-3", "blk_12", "blk_7"], 0));
    assert_eq!(found(&keys, ""), (vec![], 0));
}

#[test]
fn a_group_is_the_key() {
    let keys = Keys::new(r"user=(\w+)").unwrap();
    assert_eq!(found(&keys, "user=ann user= user=bob user=ann"), (vec!["ann", "bob"], 0));
    let either = Keys::new(r"job (\d+)|nothing").unwrap();
    assert_eq!(found(&either, "nothing job 7 nothing"), (vec!["7"], 0));
}

#[test]
fn keys_beyond_the_bound_are_counted() {
    let keys = Keys::new(r"k\d+").unwrap();
    let line: String = (0..Keys::MAX + 6).map(|n| format!("k{n} ")).collect();
    let (kept, beyond) = found(&keys, &line);
    assert_eq!((kept.len(), kept[63], beyond), (Keys::MAX, "k63", 6));
    assert_eq!(found(&keys, &"k1 ".repeat(200)), (vec!["k1"], 0));
    assert_eq!(found(&keys, &format!("{line}{}", "k0 ".repeat(9_999))).1, 6);
}

#[test]
fn expressions_that_cannot_work_are_refused() {
    let refused = |pattern: &str| Keys::new(pattern).unwrap_err().to_string();
    assert_eq!(refused("blk_("), "keys `blk_(`: error: unclosed group");
    assert!(refused("a*").contains("it matches the empty text"));
    assert!(refused("(a)(b)").contains("several groups"));
    assert_eq!(
        refused(r"\w{500}\w{500}"),
        r"keys `\w{500}\w{500}`: it compiles to more than 1048576 bytes; make it simpler"
    );
    assert!(matches!(Keys::new(&"x".repeat(2_000)), Err(LayoutError::TooLarge { size: 2_000, .. })));
}

#[test]
fn a_megabyte_of_near_misses_ends() {
    let line = "a".repeat(1 << 20);
    assert_eq!(found(&Keys::new("a[a-z]{2,20}1").unwrap(), &line), (vec![], 0));
    assert_eq!(found(&Keys::new("a[a-z]*1").unwrap(), &line), (vec![], 0));
    assert_eq!(found(&Keys::new(r"a+\b").unwrap(), &line).0.len(), 1);
    assert_eq!(found(&Keys::new("[a-z]+").unwrap(), &line).0.len(), 1);
}

proptest! {
    /// The shortcut and the expression agree, also beside letters and digits outside ASCII.
    #[test]
    fn the_keys_are_those_of_the_expression(line in "(blk_|ab|b|-|[0-9٣aü_ ]){0,40}") {
        let patterns = [
            r"blk_-?\d+", r"b\d{1,3}", r"blk_[a-z]*-?[0-9]+", "ab", "ab?", r"ab[a-z]*\d", r"b-?-?\d", r"b\w+", "(?i)blk_[0-9]+",
            r"b[^ ]+", "ab{2,3}[0-9]?a", r"b\d+?", r"b(?:-|_)\d", "ü[0-9]+",
        ];
        for pattern in patterns {
            let mut expected: Vec<&str> = Vec::new();
            for key in Regex::new(pattern).unwrap().find_iter(&line).map(|key| key.as_str()) {
                if !expected.contains(&key) {
                    expected.push(key);
                }
            }
            prop_assert_eq!(found(&Keys::new(pattern).unwrap(), &line), (expected, 0), "{}", pattern);
        }
    }
}
