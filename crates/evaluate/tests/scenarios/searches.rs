//! Searches for good options.

use std::fs;
use std::sync::atomic::AtomicBool;

use indicatif::ProgressBar;
use lapwing_detect::OptionValue;
use lapwing_evaluate::tune::{Objective, Strategy};
use lapwing_evaluate::{EvaluateError, TuneOptions, Tuned, tune};

use crate::world::{file, rows, tune_options};

fn search(options: &TuneOptions) -> Result<Tuned, EvaluateError> {
    tune(options, &ProgressBar::hidden(), &AtomicBool::new(false))
}

#[test]
fn the_best_trial_is_the_one_with_the_highest_mean_and_becomes_toml() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = tune_options(&file(folder.path(), "rows.csv", rows(600)));
    options.strategy = Strategy::Grid;
    let tuned = search(&options).unwrap();
    assert_eq!(tuned.trials.len(), 1 + 4);
    let highest = tuned.trials.iter().map(|trial| trial.mean()).fold(f64::MIN, f64::max);
    assert_eq!(tuned.best.0, highest);
    assert_eq!(tuned.default.0, tuned.trials[0].mean());
    let best = tuned.trials.iter().find(|trial| trial.mean() == highest).unwrap();
    let toml = tuned.to_toml();
    assert!(toml.starts_with("[detect.isolation_forest]\nmethod = \"isolation_forest\"\ninputs = "), "{toml}");
    for (name, value) in &best.options {
        assert!(toml.contains(&format!("\n{name} = {value}\n")), "{toml}");
    }
    assert!(tuned.notes.iter().any(|note| note.contains("learns without labels")), "{:?}", tuned.notes);
    let json: serde_json::Value = serde_json::from_str(&tuned.to_json()).unwrap();
    let Some((_, OptionValue::Whole(trees))) = tuned.best_method.options().into_iter().next() else { panic!("{json}") };
    assert_eq!(json["options"]["trees"], trees);
}

#[test]
fn a_search_that_was_stopped_goes_on_to_the_same_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = tune_options(&file(folder.path(), "rows.csv", rows(400)));
    let whole = search(&options).unwrap();
    let journal = folder.path().join("journal");
    options.journal = Some(journal.clone());
    assert_eq!(search(&options).unwrap(), whole);
    // All lines but the last three, and a piece of the next one.
    let text = fs::read_to_string(&journal).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1 + 5);
    fs::write(&journal, lines[..3].join("\n") + "\n{\"rows\":").unwrap();
    assert_eq!(search(&options).unwrap(), whole);
    assert_eq!(fs::read_to_string(&journal).unwrap(), text);
    // Everything is known: an interrupted search has nothing to do.
    let stopped = tune(&options, &ProgressBar::hidden(), &AtomicBool::new(true)).unwrap();
    assert_eq!(stopped, whole);
    options.journal = None;
    let stopped = tune(&options, &ProgressBar::hidden(), &AtomicBool::new(true));
    assert!(matches!(stopped, Err(EvaluateError::Interrupted)));
}

#[test]
fn a_journal_of_another_search_is_refused_with_the_difference() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = tune_options(&file(folder.path(), "rows.csv", rows(400)));
    options.journal = Some(folder.path().join("journal"));
    search(&options).unwrap();
    options.objective = Objective::RocAuc;
    let text = search(&options).unwrap_err().to_string();
    assert!(text.contains("`objective` was \"pr_auc\" and is \"roc_auc\""), "{text}");
    options.objective = Objective::PrAuc;
    file(folder.path(), "rows.csv", rows(401));
    assert!(search(&options).unwrap_err().to_string().contains("data_sha256"));
}

#[test]
fn halving_spends_all_rows_on_few_trials() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = tune_options(&file(folder.path(), "rows.csv", rows(3200)));
    (options.strategy, options.trials) = (Strategy::Halving, 5);
    let tuned = search(&options).unwrap();
    let of = |rows: u64| tuned.trials.iter().filter(|trial| trial.rows == rows).count();
    assert_eq!((of(1066), of(3200), tuned.trials.len()), (6, 2, 8));
    assert_eq!(tuned.rows, 3200);
}

#[test]
fn forward_validation_tests_on_later_rows_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = tune_options(&file(folder.path(), "rows.csv", rows(600)));
    options.forward = true;
    options.trials = 1;
    let by_order = search(&options).unwrap();
    assert!(by_order.validation.contains("later"), "{}", by_order.validation);
    // Rows in another order, told by their times, are the same rows.
    let text = rows(600);
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1..].reverse();
    let mut reversed = options.clone();
    reversed.data = file(folder.path(), "reversed.csv", lines.join("\n") + "\n");
    reversed.roles.exclude.clear();
    reversed.roles.time = Some("when".to_owned());
    let by_time = search(&reversed).unwrap();
    assert_eq!(by_time.trials[0].scores.len(), by_order.trials[0].scores.len());
    assert!((by_time.default.0 - by_order.default.0).abs() < 0.2, "{by_time:?} {by_order:?}");
}

#[test]
fn too_few_anomalies_for_the_folds_and_failing_trials_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = tune_options(&file(folder.path(), "rows.csv", rows(130)));
    options.folds = 5;
    let text = search(&options).unwrap_err().to_string();
    assert!(text.contains("3 anomalies cannot be dealt to 5 folds"), "{text}");
    options.folds = 1;
    assert!(search(&options).unwrap_err().to_string().contains("folds 2 to 100"));
    options.folds = 3;
    options.trials = 1;
    assert!(search(&options).unwrap().best.0.is_finite());
}
