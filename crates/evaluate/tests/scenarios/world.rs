//! A small world for the other tests: files with planted anomalies.

use std::fs;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use lapwing_evaluate::tune::{Objective, Strategy};
use lapwing_evaluate::{EvaluateError, Options, Report, Roles, TuneOptions, evaluate};

/// A number in 0..1 that follows from the row.
pub fn noise(row: usize, salt: usize) -> f64 {
    (row as f64 * 0.754_877_666 + salt as f64 * 0.569_840_29 + (row * row % 97) as f64 * 0.013).fract()
}

/// Rows as CSV: two numbers, a word, a time and a label. Each fortieth row is an anomaly: far away in `size` if it is a
/// `burst`, with a word of its own if it is a `stranger`.
pub fn rows(count: usize) -> String {
    let mut text = "size,speed,word,when,label\n".to_owned();
    for row in 0..count {
        let label = match row % 40 {
            39 if row % 80 == 79 => "stranger",
            39 => "burst",
            _ => "normal",
        };
        let size = noise(row, 1) + if label == "burst" { 9.0 } else { 0.0 };
        let word = if label == "stranger" { "odd" } else { ["red", "green"][row % 2] };
        text.push_str(&format!("{size:.5},{:.5},{word},{},{label}\n", noise(row, 2), 1_700_000_000 + row));
    }
    text
}

/// Writes a file into a folder.
pub fn file(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// Small and quick.
pub fn options(data: &Path) -> Options {
    Options {
        data: data.to_owned(),
        train: None,
        roles: Roles { label: "label".to_owned(), exclude: vec!["when".to_owned()], ..Roles::default() },
        detectors: "default".to_owned(),
        settings: vec!["isolation_forest.trees=20".to_owned()],
        inputs: vec![],
        split: None,
        alert_rate: 0.05,
        seed: 1,
        sample: 1_000_000,
        bootstrap: 20,
        ablation: false,
        threads: 2,
    }
}

pub fn run(options: &Options) -> Result<Report, EvaluateError> {
    evaluate(options, &ProgressBar::hidden())
}

/// The text of the error that comes.
pub fn refusal(options: &Options) -> String {
    run(options).expect_err("this must be refused").to_string()
}

pub fn tune_options(data: &Path) -> TuneOptions {
    TuneOptions {
        data: data.to_owned(),
        roles: options(data).roles,
        method: "isolation_forest".to_owned(),
        settings: Vec::new(),
        searches: vec!["trees=1..9".to_owned(), "samples=8,32".to_owned()],
        strategy: Strategy::Random,
        trials: 4,
        folds: 2,
        forward: false,
        objective: Objective::PrAuc,
        journal: None,
        sample: 1_000_000,
        seed: 3,
    }
}
