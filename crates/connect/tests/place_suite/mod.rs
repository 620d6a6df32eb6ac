//! What every place for snapshots must do.

use std::io::{self, Read};

use lapwing_state::{SnapshotPlace, StateError};

/// More than two parts, and not a whole number of them.
const LARGE_BYTES: usize = (8 << 20) * 2 + 12_345;

/// A name for its place, and what is checked there.
type Case = (&'static str, fn(&dyn SnapshotPlace));

/// Runs every case in a place of its own, which `open` makes from a name; what an earlier run left is removed.
pub(crate) fn run<P: SnapshotPlace>(open: impl Fn(&str) -> P) {
    let cases: [Case; 5] = [
        ("sizes", files_of_every_size_come_back_as_they_were_written),
        ("names", names_are_listed_by_their_beginning_and_deleted_once_or_twice),
        ("failing", a_writer_that_fails_leaves_the_file_that_was_there),
        ("missing", a_file_that_is_not_there_is_missing),
        ("replaced", a_file_that_is_replaced_while_it_is_read_is_not_mixed),
    ];
    for (name, case) in cases {
        let place = open(name);
        for left in place.list("").unwrap() {
            place.delete(&left).unwrap();
        }
        case(&place);
    }
}

fn put(place: &dyn SnapshotPlace, name: &str, bytes: &[u8]) {
    place.put(name, Box::new(|out| out.write_all(bytes))).unwrap();
}

fn get(place: &dyn SnapshotPlace, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    place.get(name).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

fn names(place: &dyn SnapshotPlace, prefix: &str) -> Vec<String> {
    let mut names = place.list(prefix).unwrap();
    names.sort();
    names
}

fn files_of_every_size_come_back_as_they_were_written(place: &dyn SnapshotPlace) {
    for length in [0, 1, 100_000, 8 << 20, (8 << 20) + 1, LARGE_BYTES] {
        let sent = bytes(length);
        put(place, "one", &sent);
        assert!(get(place, "one") == sent, "{length} bytes");
    }
}

fn names_are_listed_by_their_beginning_and_deleted_once_or_twice(place: &dyn SnapshotPlace) {
    for name in ["partition-00001-offset-1", "partition-00001-offset-2", "partition-00002-offset-1"] {
        put(place, name, b"x");
    }
    assert_eq!(names(place, "partition-00001-"), ["partition-00001-offset-1", "partition-00001-offset-2"]);
    assert_eq!(names(place, "").len(), 3);
    place.delete("partition-00001-offset-1").unwrap();
    place.delete("partition-00001-offset-1").unwrap();
    assert_eq!(names(place, "partition-00001-"), ["partition-00001-offset-2"]);
}

fn a_writer_that_fails_leaves_the_file_that_was_there(place: &dyn SnapshotPlace) {
    put(place, "one", b"old");
    let large = bytes(LARGE_BYTES);
    let outcome = place.put(
        "one",
        Box::new(|out| {
            out.write_all(&large)?;
            Err(io::Error::other("the writer gives up"))
        }),
    );
    assert!(outcome.unwrap_err().to_string().contains("the writer gives up"));
    assert_eq!((get(place, "one"), names(place, "")), (b"old".to_vec(), vec!["one".to_string()]));
    // A fault of the state crate comes out as it was.
    let outcome = place.put("two", Box::new(|_| Err(io::Error::other(StateError::NotASnapshot))));
    assert!(matches!(outcome, Err(StateError::NotASnapshot)), "{outcome:?}");
    assert_eq!(names(place, ""), ["one"]);
}

fn a_file_that_is_not_there_is_missing(place: &dyn SnapshotPlace) {
    let outcome = place.get("nothing").map(|_| ());
    let Err(StateError::Missing { name, place: shown }) = outcome else { panic!("{outcome:?}") };
    assert_eq!((name, shown), ("nothing".to_string(), place.describe()));
}

fn a_file_that_is_replaced_while_it_is_read_is_not_mixed(place: &dyn SnapshotPlace) {
    put(place, "one", &bytes(LARGE_BYTES));
    let mut reader = place.get("one").unwrap();
    let mut found = vec![0; 100];
    reader.read_exact(&mut found).unwrap();
    put(place, "one", &vec![7; LARGE_BYTES]);
    match reader.read_to_end(&mut found) {
        // A folder keeps the file that was opened.
        Ok(_) => assert!(found == bytes(LARGE_BYTES), "the old file, and nothing else"),
        Err(error) => {
            let fault = StateError::storage("read", "here", error);
            assert!(matches!(fault, StateError::Missing { .. }), "{fault}");
        }
    }
}
