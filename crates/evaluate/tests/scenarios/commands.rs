//! From a file to a report.

use std::fs;

use lapwing_evaluate::ablation::{Against, Verdict};
use serde_json::Value;

use crate::world::{file, options, rows, run};

#[test]
fn planted_anomalies_are_found_and_told_by_type() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(&options(&file(folder.path(), "rows.csv", rows(2000)))).unwrap();
    assert!(report.fused.figures.roc_auc > 0.95, "{:?}", report.fused.figures);
    assert_eq!((report.setup.rows_scored, report.setup.anomalies, report.setup.columns), (2000, 50, 3));
    let names: Vec<(&str, u64)> = report.types.iter().map(|found| (found.name.as_str(), found.rows)).collect();
    assert_eq!(names, [("burst", 25), ("stranger", 25)]);
    assert!(report.types.iter().all(|found| found.fused > 0.8), "{:?}", report.types);
    let intervals = report.fused.intervals.unwrap();
    assert!(intervals[0].low <= report.fused.figures.roc_auc && report.fused.figures.roc_auc <= intervals[0].high);
    let inputs: Vec<&str> = report.importance.iter().map(|input| input.input.as_str()).collect();
    assert!(inputs.len() == 3 && inputs[2] == "speed", "{inputs:?}");
}

#[test]
fn threads_and_the_form_of_the_file_change_no_digit() {
    let folder = tempfile::tempdir().unwrap();
    let plain = file(folder.path(), "rows.csv", rows(600));
    let mut one = options(&plain);
    one.threads = 1;
    let mut three = one.clone();
    three.threads = 3;
    let report = run(&one).unwrap();
    assert_eq!(report, run(&three).unwrap());
    let packed = zstd::encode_all(rows(600).as_bytes(), 1).unwrap();
    let packed = run(&options(&file(folder.path(), "rows.zst", packed))).unwrap();
    assert_eq!(packed.fused, report.fused);
    let other = run(&lapwing_evaluate::Options { seed: 2, ..one }).unwrap();
    assert_ne!(other.fused.histogram, report.fused.histogram);
}

#[test]
fn labels_are_not_looked_at_unless_rows_to_learn_from_are_apart() {
    let folder = tempfile::tempdir().unwrap();
    let data = file(folder.path(), "rows.csv", rows(800));
    let told = run(&options(&data)).unwrap();
    // The same rows, of which every label but two is another one.
    let swapped = rows(800).replace(",normal\n", ",x\n").replace(",burst\n", ",normal\n").replace(",x\n", ",burst\n");
    let swapped = run(&options(&file(folder.path(), "swapped.csv", swapped))).unwrap();
    let sums = |report: &lapwing_evaluate::Report| {
        let at = report.fused.at_threshold.flagged.confusion;
        (at.true_positives + at.false_positives, at.false_negatives + at.true_negatives)
    };
    assert_eq!(sums(&told), sums(&swapped));
}

#[test]
fn a_split_scores_the_later_rows_and_learns_from_normal_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&file(folder.path(), "rows.csv", rows(1000)));
    options.split = Some("0.6".to_owned());
    let by_order = run(&options).unwrap();
    assert_eq!((by_order.setup.rows_learned, by_order.setup.rows_scored), (600, 400));
    options.roles.exclude.clear();
    options.roles.time = Some("when".to_owned());
    let by_time = run(&options).unwrap();
    assert_eq!(by_time.fused, by_order.fused);
    options.split = Some("2023-11-14T22:23:20Z".to_owned());
    assert_eq!(run(&options).unwrap().fused, by_order.fused);
}

#[test]
fn a_training_file_teaches_also_where_its_types_differ() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&file(folder.path(), "data.csv", rows(800)));
    // All words are numbers here, so by itself the column would be one of numbers.
    let train = rows(600).replace("red", "1").replace("green", "2").replace("odd", "3");
    options.train = Some(file(folder.path(), "train.csv", train));
    let report = run(&options).unwrap();
    assert_eq!((report.setup.rows_learned, report.setup.rows_scored), (600, 800));
    assert_eq!(report.setup.encoded_columns, 2 + 4);
}

#[test]
fn the_json_keeps_its_promised_names_and_the_page_stands_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&file(folder.path(), "<rows>.csv", rows(400)));
    options.ablation = true;
    let report = run(&options).unwrap();
    let json: Value = serde_json::from_str(&report.to_json()).unwrap();
    for place in [&json["fused"], &json["detectors"]["robust_zscore"], &json["detectors"]["isolation_forest"]] {
        assert!(place["roc_auc"].is_f64() && place["pr_auc"].is_f64(), "{place}");
        let rates: Vec<&String> = place["tpr_at_fpr"].as_object().unwrap().keys().collect();
        assert_eq!(rates, ["0.001", "0.003", "0.01"]);
    }
    assert!(!report.to_json().contains('\n'));
    let path = folder.path().join("report.html");
    lapwing_evaluate::command::write_page(&report, &path).unwrap();
    let page = fs::read_to_string(path).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("&lt;rows&gt;.csv") && !page.contains("<rows>"));
    for outside in ["<script", "http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "the page holds `{outside}`");
    }
    assert!(page.matches("<svg").count() >= 7 && page.matches("<svg").count() == page.matches("</svg>").count());
    let text = report.to_text();
    assert!(text.contains("what a detector adds") && text.contains("recall by type"), "{text}");
}

#[test]
fn what_learned_from_labels_is_also_told_by_its_probability() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&file(folder.path(), "rows.csv", rows(2000)));
    options.split = Some("0.5".to_owned());
    options.detectors = "isolation_forest,random_forest,gradient_boosting".to_owned();
    let report = run(&options).unwrap();
    let json: Value = serde_json::from_str(&report.to_json()).unwrap();
    for name in ["random_forest", "gradient_boosting"] {
        let told = json["detectors"][name]["at_probability"].as_object().unwrap();
        assert_eq!(told.keys().collect::<Vec<_>>(), ["0.5", "0.75"]);
        // The kinds are planted far apart; boosting's few steps leave it less sure than the forest is.
        assert!(told["0.5"]["f1"].as_f64().unwrap() > 0.9, "{name}: {told:?}");
        let flagged = |at: &Value| at["confusion"]["true_positives"].as_u64().unwrap();
        assert!(flagged(&told["0.5"]) >= flagged(&told["0.75"]));
    }
    assert!(json["fused"]["at_probability"].is_null());
    assert!(json["detectors"]["isolation_forest"]["at_probability"].is_null());
    assert!(report.to_text().contains("random_forest 0.75"));
    assert!(report.to_html().contains("random_forest from 0.75"));
}

#[test]
fn an_ablation_tells_what_helps_from_what_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&file(folder.path(), "rows.csv", rows(2000)));
    options.detectors = "isolation_forest".to_owned();
    options.ablation = true;
    let report = run(&options).unwrap();
    let ablation = report.ablation.unwrap();
    assert_eq!(ablation.len(), 1);
    let addition = &ablation[0];
    assert_eq!((addition.detector.as_str(), addition.against), ("isolation_forest", Against::Baselines));
    assert_eq!(addition.to, ["robust_zscore"]);
    let gain = addition.pr_auc_gain.unwrap();
    let difference = addition.with.pr_auc - addition.without.pr_auc;
    assert!(gain.low <= difference + 0.02 && difference - 0.02 <= gain.high, "{gain:?} {difference}");
    let verdict = match gain {
        gain if gain.low > 0.0 => Verdict::Helps,
        gain if gain.high < 0.0 => Verdict::Harms,
        _ => Verdict::AddsNothing,
    };
    assert_eq!(addition.verdict(), Some(verdict));
    options.bootstrap = 0;
    assert_eq!(run(&options).unwrap().ablation.unwrap()[0].verdict(), None);
}
