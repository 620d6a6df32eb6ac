use std::fs;

use proptest::prelude::*;

use super::super::*;
use super::{FULL, SMALL, parse};

#[test]
fn a_file_that_is_not_toml_has_one_fault_with_its_place() {
    let faults = parse("name = \"a\"\nworkers = = 2\n").unwrap_err();
    let at = faults.list()[0].at.as_ref().unwrap();
    assert_eq!((faults.list().len(), at.line, at.column), (1, 2, 11));
    assert!(faults.list()[0].message.starts_with("not TOML: "), "{faults}");
}

#[test]
fn a_key_given_twice_is_a_fault_at_the_second_place() {
    let faults = parse(&format!("{SMALL}key = \"other\"\n")).unwrap_err();
    assert_eq!(faults.list()[0].at.as_ref().map(|at| at.line), Some(6), "{faults}");
}

#[test]
fn a_file_is_read_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.toml");
    fs::write(&path, SMALL).unwrap();
    assert_eq!(Pipeline::read(&path).unwrap().file(), path);
}

#[test]
fn a_file_that_cannot_be_read_is_a_fault_without_a_place() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("absent.toml"), folder.path().to_owned()] {
        let faults = Pipeline::read(&path).unwrap_err();
        assert!(faults.list()[0].message.starts_with("cannot be read: "), "{faults}");
        assert_eq!(faults.list()[0].at, None);
    }
}

#[test]
fn a_file_that_is_not_utf8_names_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.toml");
    fs::write(&path, b"name = \"a\"\nx = \"\xff\"\n").unwrap();
    let faults = Pipeline::read(&path).unwrap_err();
    let fault = &faults.list()[0];
    assert_eq!(fault.message, "this is not UTF-8");
    assert_eq!(fault.at.as_ref().map(|at| (at.line, at.column)), Some((2, 6)));
}

#[test]
fn a_file_that_is_too_large_is_refused_before_it_is_parsed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.toml");
    let text = format!("{SMALL}#{}", "x".repeat(FILE_BYTES_MAX));
    fs::write(&path, &text).unwrap();
    for faults in [Pipeline::read(&path).unwrap_err(), parse(&text).unwrap_err()] {
        assert_eq!(faults.list()[0].message, "larger than 1048576 bytes");
    }
    let fits = format!("{SMALL}#{}", "x".repeat(FILE_BYTES_MAX - SMALL.len() - 1));
    assert!(parse(&fits).is_ok());
}

#[test]
fn a_deep_file_is_refused_and_not_a_crash() {
    for text in [
        "a.".repeat(100_000) + "a = 1",
        "x = ".to_owned() + &"[".repeat(100_000),
        format!("[{}a]", "a.".repeat(100_000)),
    ] {
        assert!(parse(&text).is_err());
    }
}

#[test]
fn of_very_many_faults_the_first_are_shown_and_all_are_counted() {
    let text = (0..5_000).map(|index| format!("k{index} = 1\n")).collect::<String>();
    let report = parse(&text).unwrap_err().to_string();
    assert!(report.ends_with("p.toml: 5004 faults, the first 100 are shown"), "{}", &report[report.len() - 100..]);
}

#[test]
fn windows_line_ends_and_tabs_keep_the_caret_in_place() {
    let report = parse(&SMALL.replace('\n', "\r\n").replace("key = ", "\tkey\t=\t3 # ")).unwrap_err().to_string();
    assert!(report.contains("\n  4 |  key = 3 # \"host\"\n    |        ^\n"), "{report}");
}

/// Pieces that get far into the reader.
fn piece() -> impl Strategy<Value = String> {
    let words: Vec<String> = FULL.split_inclusive(['\n', '=', '.', '"', ' ']).map(str::to_owned).collect();
    prop_oneof![4 => proptest::sample::select(words), 1 => any::<String>(), 1 => Just("\n[".to_owned())]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Err(faults) = parse(&String::from_utf8_lossy(&bytes)) {
            prop_assert!(!faults.to_string().is_empty());
        }
    }

    #[test]
    fn no_mixture_of_its_own_words_makes_it_panic(pieces in proptest::collection::vec(piece(), 0..60)) {
        if let Err(faults) = parse(&pieces.concat()) {
            prop_assert!(!faults.to_string().is_empty());
        }
    }

    #[test]
    fn no_damaged_line_makes_it_panic(line in 0_usize..110, piece in piece(), keep in 0_usize..30) {
        let mut lines: Vec<String> = FULL.lines().map(str::to_owned).collect();
        let line = line % lines.len();
        let kept: String = lines[line].chars().take(keep).collect();
        lines[line] = format!("{kept}{piece}");
        match parse(&lines.join("\n")) {
            // A secret that stands in the file itself is masked, so it does not come back.
            Ok(_) if lines[line].contains("password") => {}
            Ok(pipeline) => prop_assert_eq!(parse(&pipeline.resolved()).map_err(|faults| faults.to_string()), Ok(pipeline)),
            Err(faults) => prop_assert!(!faults.list().is_empty()),
        }
    }
}
