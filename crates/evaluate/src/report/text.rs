use std::fmt::Write;

use super::{FIGURES, Report, count, facts, share};
use crate::ablation::{Addition, Against, Verdict};
use crate::bootstrap::Interval;
use crate::threshold::{Confusion, Flagged};

/// Most rows of a table on a terminal; the page and the JSON hold all.
const LINES_MAX: usize = 30;

pub(super) fn text(report: &Report) -> String {
    let mut text = String::new();
    for (name, value) in facts(&report.setup) {
        line(&mut text, format_args!("{name:<14} {value}"));
    }
    report.notes.iter().for_each(|note| line(&mut text, format_args!("note           {note}")));
    figures(report, &mut text);
    threshold(report, &mut text);
    if report.types.len() > 1 {
        types(report, &mut text);
    }
    if !report.importance.is_empty() {
        line(&mut text, format_args!("\n{:<32} {:>12} {:>12}", "input", "share", "permutation"));
        for input in report.importance.iter().take(LINES_MAX) {
            line(&mut text, format_args!("{:<32} {:>12.3} {:>12.3}", input.input, input.share, input.permutation));
        }
    }
    if let Some(ablation) = &report.ablation {
        additions(ablation, &mut text);
    }
    text
}

/// Writing to a string cannot fail.
fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "{content}");
}

fn figures(report: &Report, text: &mut String) {
    let header: String = FIGURES.iter().map(|name| format!(" {name:>18}")).collect();
    line(text, format_args!("\n{:<24}{header}", "detector"));
    for detector in report.all() {
        let values = detector.figures.values().map(share);
        line(text, format_args!("{:<24}{}", detector.name, values.map(|value| format!(" {value:>18}")).concat()));
        if let Some(intervals) = &detector.intervals {
            let shown = intervals.map(|interval| format!(" {:>18}", range(&interval)));
            line(text, format_args!("{:<24}{}", "", shown.concat()));
        }
    }
}

fn range(interval: &Interval) -> String {
    format!("{:.3} – {:.3}", interval.low, interval.high)
}

fn threshold(report: &Report, text: &mut String) {
    let names = ["precision", "recall", "F1", "FPR", "true +", "false +", "false -", "true -"];
    let header: String = names.iter().map(|name| format!(" {name:>10}")).collect();
    line(text, format_args!("\n{:<24}{header}", format!("at alert rate {}", report.setup.alert_rate)));
    for detector in report.all() {
        line(text, format_args!("{:<24}{}", detector.name, values(&detector.at_threshold.flagged)));
    }
    if report.at_probabilities().next().is_some() {
        line(text, format_args!("\n{:<24}{header}", "at probability"));
    }
    for (detector, at) in report.at_probabilities() {
        line(text, format_args!("{:<24}{}", format!("{detector} {}", at.probability), values(&at.flagged)));
    }
}

fn values(flagged: &Flagged) -> String {
    let shares = [flagged.precision, flagged.recall, flagged.f1].map(share);
    let Confusion { true_positives, false_positives, false_negatives, true_negatives } = flagged.confusion;
    let counts = [true_positives, false_positives, false_negatives, true_negatives].map(count);
    let rate = format!("{:.5}", flagged.false_positive_rate);
    shares.into_iter().chain([rate]).chain(counts).map(|value| format!(" {value:>10}")).collect()
}

fn types(report: &Report, text: &mut String) {
    let names: String = report.detectors.iter().map(|detector| format!(" {:>20}", detector.name)).collect();
    line(text, format_args!("\n{:<24} {:>10} {:>8}{names}", "recall by type", "rows", "fused"));
    for found in report.types.iter().take(LINES_MAX) {
        let values: String = found.detectors.iter().map(|value| format!(" {value:>20.3}")).collect();
        line(text, format_args!("{:<24} {:>10} {:>8.3}{values}", found.name, count(found.rows), found.fused));
    }
    if let Some(more) = report.types.len().checked_sub(LINES_MAX + 1) {
        line(text, format_args!("and {} more", more + 1));
    }
}

fn additions(ablation: &[Addition], text: &mut String) {
    line(text, format_args!("\nwhat a detector adds to the fused score (PR AUC)"));
    for addition in ablation {
        let gain =
            addition.pr_auc_gain.map_or(String::new(), |gain| format!(" ({:+.3} – {:+.3})", gain.low, gain.high));
        line(
            text,
            format_args!(
                "{:<24} to {:<40} {:.3} → {:.3}{gain} {}",
                addition.detector,
                addition.to.join(" + "),
                addition.without.pr_auc,
                addition.with.pr_auc,
                verdict(addition),
            ),
        );
    }
}

/// What an addition comes to, in words.
pub(super) fn verdict(addition: &Addition) -> &'static str {
    match (addition.verdict(), addition.against) {
        (Some(Verdict::Helps), _) => "helps",
        (Some(Verdict::Harms), _) => "harms",
        (Some(Verdict::AddsNothing), Against::Baselines) => "adds nothing that can be shown",
        (Some(Verdict::AddsNothing), Against::Others) => "would not be missed",
        (None, _) => "",
    }
}
