//! What cannot be evaluated is refused with the place and the remedy.

#[cfg(unix)]
use std::path::Path;

use lapwing_evaluate::EvaluateError;

use crate::world::{file, options, refusal, rows, run};

#[test]
fn files_that_are_not_there_or_hold_nothing_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.csv");
    assert!(matches!(run(&options(&missing)), Err(EvaluateError::NoFile(_))));
    assert!(refusal(&options(&missing)).contains("missing.csv"));
    assert!(refusal(&options(folder.path())).contains("this is a folder"));
    #[cfg(unix)]
    assert!(refusal(&options(Path::new("/dev/null"))).contains("no plain file"));
    assert!(refusal(&options(&file(folder.path(), "empty", ""))).contains("the file is empty"));
    for name in ["torn.npz", "torn.parquet"] {
        let torn = refusal(&options(&file(folder.path(), name, "x,y\n1,0\n")));
        assert!(torn.contains("does not begin as its name says"), "{torn}");
    }
    assert!(refusal(&options(&file(folder.path(), "names", "a,b,label\n"))).contains("no rows"));
}

#[test]
fn a_misspelt_column_is_met_with_the_nearest_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "rows.csv", rows(100));
    let mut misspelt = options(&path);
    misspelt.roles.label = "lable".to_owned();
    assert!(refusal(&misspelt).contains("did you mean `label`?"), "{}", refusal(&misspelt));
    misspelt = options(&path);
    misspelt.roles.exclude = vec!["sped".to_owned()];
    assert!(refusal(&misspelt).contains("did you mean `speed`?"), "{}", refusal(&misspelt));
    misspelt = options(&path);
    misspelt.roles.exclude = ["size", "speed", "word", "when"].map(str::to_owned).to_vec();
    assert!(refusal(&misspelt).contains("no column besides"), "{}", refusal(&misspelt));
}

#[test]
fn ragged_rows_are_told_by_their_line_and_open_quotes_end() {
    let folder = tempfile::tempdir().unwrap();
    let ragged = rows(50) + "1,2\n";
    let text = refusal(&options(&file(folder.path(), "ragged.csv", ragged)));
    assert!(text.contains("line 52 has 2 values, the first has 5"), "{text}");
    let open = rows(50) + "\"" + &"x\n".repeat(9 << 20);
    let text = refusal(&options(&file(folder.path(), "open.csv", open)));
    assert!(text.contains("is a quote left open?"), "{text}");
}

#[test]
fn labels_of_one_kind_are_refused_and_three_anomalies_are_enough() {
    let folder = tempfile::tempdir().unwrap();
    let normal = rows(100).replace("burst", "normal").replace("stranger", "normal");
    assert!(refusal(&options(&file(folder.path(), "normal.csv", normal))).contains("all 100 labels"));
    let ones = rows(100).replace("normal", "1");
    let text = refusal(&options(&file(folder.path(), "ones.csv", ones)));
    assert!(text.contains("mean anomaly; --normal VALUE"), "{text}");
    let report = run(&options(&file(folder.path(), "three.csv", rows(140)))).unwrap();
    assert_eq!(report.setup.anomalies, 3);
    assert!(report.notes.iter().any(|note| note.contains("only 3 anomalies")), "{:?}", report.notes);
    let intervals = report.fused.intervals.unwrap();
    assert!(intervals.iter().all(|interval| interval.low <= interval.high));
}

#[test]
fn files_with_different_columns_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&file(folder.path(), "data.csv", rows(100)));
    options.train = Some(file(folder.path(), "train.csv", rows(100).replace("speed", "velocity")));
    let text = refusal(&options);
    assert!(text.contains("train.csv has `velocity`") && text.contains("data.csv has `speed`"), "{text}");
}

#[test]
fn a_column_of_ids_is_left_out_and_said_and_a_file_of_nothing_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let with_ids = |row: (usize, &str)| {
        format!("{}{}\n", if row.0 == 0 { "id,".to_owned() } else { format!("x{},", row.0) }, row.1)
    };
    let text: String = rows(300).lines().enumerate().map(with_ids).collect();
    let report = run(&options(&file(folder.path(), "ids.csv", text))).unwrap();
    assert!(report.notes.iter().any(|note| note.contains("`id` is not read: 300 different")), "{:?}", report.notes);
    let only: String = (0..300).map(|row| format!("x{row},{}\n", if row == 5 { "bad" } else { "ok" })).collect();
    let mut only = options(&file(folder.path(), "only.csv", "id,label\n".to_owned() + &only));
    only.roles.exclude.clear();
    assert!(refusal(&only).contains("no column is left to learn from"), "{}", refusal(&only));
}

type Change<'a> = &'a dyn Fn(&mut lapwing_evaluate::Options);

#[test]
fn contradictions_and_impossible_settings_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "rows.csv", rows(200));
    let cases: [(Change<'_>, &str); 7] = [
        (&|options| (options.train, options.split) = (Some(options.data.clone()), Some("0.5".into())), "contradict"),
        (&|options| options.alert_rate = 0.9, "alert_rate"),
        (&|options| options.sample = 0, "nothing would be learned"),
        (&|options| options.bootstrap = 1_000_000_000, "resamples"),
        (&|options| options.split = Some("yesterday".into()), "a share such as 0.7"),
        (&|options| options.detectors = "isolation_forst".into(), "did you mean `isolation_forest`?"),
        (
            &|options| (options.roles.exclude, options.roles.time) = (vec![], Some("word".into())),
            "row 1: `word` is red",
        ),
    ];
    for (change, expected) in cases {
        let mut options = options(&path);
        change(&mut options);
        let text = refusal(&options);
        assert!(text.contains(expected), "{text} lacks {expected}");
    }
}
