use std::path::Path;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart::{Axes, Band, Line, Scale};
use super::text::verdict;
use super::{DetectorReport, FIGURES, FUSED, Report, count, facts, share};
use crate::bootstrap::Interval;
use crate::threshold::{Confusion, Flagged};

/// Colours of lines; a further detector begins again with the first.
const COLOURS: usize = 8;
/// Most inputs that are drawn; the table of JSON holds all.
const INPUTS_MAX: usize = 20;

const STYLE: &str = include_str!("report.css");

pub(super) fn page(report: &Report) -> String {
    let name = Path::new(&report.setup.data).file_name().unwrap_or_default();
    let title = format!("Evaluation of {}", name.to_string_lossy());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (title) }
                    (headline(report))
                    @for note in &report.notes { p.note { (note) } }
                    (figures(report))
                    (curves(report))
                    (confusion(report))
                    (types(report))
                    (ablation(report))
                    (importance(report))
                    (reliability(report))
                    (histograms(report))
                    (done(report))
                }
            }
        }
    };
    page.into_string()
}

fn headline(report: &Report) -> Markup {
    let fused = &report.fused;
    let cards = [
        ("ROC AUC", share(fused.figures.roc_auc)),
        ("PR AUC", share(fused.figures.pr_auc)),
        ("recall at 1 % false alarms", share(fused.figures.tpr_at_fpr[2])),
        ("precision at the threshold", share(fused.at_threshold.flagged.precision)),
        ("recall at the threshold", share(fused.at_threshold.flagged.recall)),
    ];
    html! {
        p.lead {
            (count(report.setup.rows_scored)) " rows, " (count(report.setup.anomalies)) " of them anomalies; "
            (report.setup.split) "."
        }
        div.cards {
            @for (name, value) in &cards { div.card { span.value { (value) } span.name { (name) } } }
        }
        p.quiet { "All detectors together (fused), at an alert rate of " (report.setup.alert_rate) "." }
    }
}

fn figures(report: &Report) -> Markup {
    html! {
        h2 { "Detector by detector" }
        div.scroll { table {
            thead { tr { th { "detector" } @for name in FIGURES { th.number { (name) } } } }
            tbody {
                @for (place, detector) in report.all().enumerate() {
                    tr.fused[detector.name == FUSED] {
                        th scope="row" { span class={ "key s" (place % COLOURS) } {} (detector.name) }
                        @for (index, value) in detector.figures.values().iter().enumerate() {
                            td.number {
                                (share(*value))
                                @if let Some(intervals) = &detector.intervals {
                                    br; small { (range(&intervals[index])) }
                                }
                            }
                        }
                    }
                }
            }
        } }
        p.quiet {
            "PR AUC is average precision; a detector that guesses has " (share(report.setup.anomaly_share()))
            ". TPR at FPR x: the share of anomalies found when at most the share x of normal rows is flagged. "
            @if report.setup.bootstrap > 0 {
                "Small figures: 95 % intervals from " (count(report.setup.bootstrap)) " resamples."
            }
        }
    }
}

fn range(interval: &Interval) -> String {
    format!("{:.3} – {:.3}", interval.low, interval.high)
}

/// The lines of all detectors, each with its colour.
fn lines<'a>(
    report: &'a Report,
    marked: bool,
    stepped: bool,
    points: impl Fn(&'a DetectorReport) -> &'a [(f64, f64)],
) -> Vec<Line<'a>> {
    let line = |(place, detector): (usize, &'a DetectorReport)| Line {
        name: &detector.name,
        points: points(detector),
        colour: place % COLOURS,
        marked,
        stepped,
    };
    report.all().enumerate().map(line).collect()
}

fn legend(report: &Report) -> Markup {
    html! {
        p.legend {
            @for (place, detector) in report.all().enumerate() {
                span { span class={ "key s" (place % COLOURS) } {} (detector.name) }
            }
        }
    }
}

fn curves(report: &Report) -> Markup {
    let share = Scale::Linear(0.0, 1.0);
    let rate = "false positive rate";
    let roc = Axes { title: "ROC curves", x: (rate, share), y: ("true positive rate", share) };
    let left =
        Axes { title: "ROC curves, left end", x: (rate, Scale::Log(1e-4, 1.0)), y: ("true positive rate", share) };
    let pr = Axes { title: "Precision and recall", x: ("recall", share), y: ("precision", share) };
    let fused = (report.all().count() - 1) % COLOURS;
    let around_roc = Band { points: &report.fused.bands.roc, colour: fused };
    let around_pr = Band { points: &report.fused.bands.precision_recall, colour: fused };
    html! {
        h2 { "Curves" }
        (legend(report))
        div.charts {
            figure {
                (roc.lines(&lines(report, false, false, |detector| &detector.curves.roc), Some(&around_roc), true))
                figcaption { "ROC. The dashed line is guessing; the band holds 95 % of the resamples of the fused score." }
            }
            figure {
                (left.lines(&lines(report, false, true, |detector| &detector.curves.roc), Some(&around_roc), false))
                figcaption { "The same with a stretched left end, where people live." }
            }
            figure {
                (pr.lines(&lines(report, false, true, |detector| &detector.curves.precision_recall), Some(&around_pr), false))
                figcaption { "Precision and recall." }
            }
        }
    }
}

fn confusion(report: &Report) -> Markup {
    let at = &report.fused.at_threshold;
    let Confusion { true_positives, false_positives, false_negatives, true_negatives } = at.flagged.confusion;
    html! {
        h2 { "At the threshold" }
        p.quiet {
            "Flagged is what at most the share " (at.alert_rate) " of normal rows exceeds. The confusion matrix is that "
            "of the fused score."
        }
        div.scroll { table.matrix {
            thead { tr { th {} th.number { "flagged" } th.number { "not flagged" } } }
            tbody {
                tr { th scope="row" { "anomaly" } td.number.good { (count(true_positives)) } td.number.bad { (count(false_negatives)) } }
                tr { th scope="row" { "normal" } td.number.bad { (count(false_positives)) } td.number.good { (count(true_negatives)) } }
            }
        } }
        div.scroll { table {
            thead { (flagged_names()) }
            tbody {
                @for detector in report.all() {
                    tr.fused[detector.name == FUSED] {
                        th scope="row" { (detector.name) }
                        (flagged_values(&detector.at_threshold.flagged))
                    }
                }
            }
        } }
        @if report.at_probabilities().next().is_some() {
            p.quiet { "Flagged from a probability on, as far as a detector learned any from labels:" }
            div.scroll { table {
                thead { (flagged_names()) }
                tbody {
                    @for (detector, at) in report.at_probabilities() {
                        tr {
                            th scope="row" { (detector) " from " (at.probability) }
                            (flagged_values(&at.flagged))
                        }
                    }
                }
            } }
        }
    }
}

fn flagged_names() -> Markup {
    html! {
        tr {
            th { "detector" }
            @for name in ["precision", "recall", "F1", "false positive rate", "flagged"] { th.number { (name) } }
        }
    }
}

fn flagged_values(flagged: &Flagged) -> Markup {
    let Confusion { true_positives, false_positives, .. } = flagged.confusion;
    html! {
        @for value in [flagged.precision, flagged.recall, flagged.f1] { td.number { (share(value)) } }
        td.number { (format!("{:.5}", flagged.false_positive_rate)) }
        td.number { (count(true_positives + false_positives)) }
    }
}

fn bar(value: f64) -> Markup {
    html! { span.meter { span style={ "width:" (format!("{:.1}", 100.0 * value.clamp(0.0, 1.0))) "%" } {} } }
}

fn types(report: &Report) -> Markup {
    html! {
        @if report.types.len() > 1 {
            h2 { "Recall by type of anomaly" }
            div.scroll { table {
                thead { tr {
                    th { "type" } th.number { "rows" } th { "fused" }
                    @for detector in &report.detectors { th.number { (detector.name) } }
                } }
                tbody {
                    @for found in &report.types {
                        tr {
                            th scope="row" { (found.name) }
                            td.number { (count(found.rows)) }
                            td { (bar(found.fused)) " " (share(found.fused)) }
                            @for value in &found.detectors { td.number { (share(*value)) } }
                        }
                    }
                }
            } }
        }
    }
}

fn ablation(report: &Report) -> Markup {
    html! {
        @if let Some(ablation) = &report.ablation {
            h2 { "What each detector adds" }
            p.quiet { "Average precision of the fused score without and with the detector; intervals are of the difference, on the same resamples." }
            div.scroll { table {
                thead { tr { th { "detector" } th { "added to" } th.number { "without" } th.number { "with" } th.number { "gain" } th {} } }
                tbody {
                    @for addition in ablation {
                        tr {
                            th scope="row" { (addition.detector) }
                            td { (addition.to.join(" + ")) }
                            td.number { (share(addition.without.pr_auc)) }
                            td.number { (share(addition.with.pr_auc)) }
                            td.number {
                                (format!("{:+.3}", addition.with.pr_auc - addition.without.pr_auc))
                                @if let Some(gain) = addition.pr_auc_gain { br; small { (format!("{:+.3} – {:+.3}", gain.low, gain.high)) } }
                            }
                            td { (verdict(addition)) }
                        }
                    }
                }
            } }
        }
    }
}

fn importance(report: &Report) -> Markup {
    let most = report.importance.iter().map(|input| input.share).fold(f64::MIN_POSITIVE, f64::max);
    html! {
        @if !report.importance.is_empty() {
            h2 { "What the fused score rests on" }
            p.quiet {
                "Share: mean share among the reasons of flagged rows. Permutation: what average precision loses when the "
                "input is shuffled, on a sample."
            }
            div.scroll { table {
                thead { tr { th { "input" } th { "share" } th.number { "permutation" } } }
                tbody {
                    @for input in report.importance.iter().take(INPUTS_MAX) {
                        tr {
                            th scope="row" { (input.input) }
                            td { (bar(input.share / most)) " " (share(input.share)) }
                            td.number { (format!("{:+.3}", input.permutation)) }
                        }
                    }
                }
            } }
        }
    }
}

fn reliability(report: &Report) -> Markup {
    let least = report.fused.reliability.iter().map(|point| point.tail).fold(0.1, f64::min) / 2.0;
    let axis = Scale::Log(least, 1.0);
    let axes = Axes { title: "Reliability", x: ("tail promised", axis), y: ("share of normal rows seen", axis) };
    let points: Vec<Vec<(f64, f64)>> = report
        .all()
        .map(|detector| detector.reliability.iter().map(|point| (point.tail, point.seen)).collect())
        .collect();
    let lines: Vec<Line<'_>> = report
        .all()
        .zip(&points)
        .enumerate()
        .map(|(place, (detector, points))| Line {
            name: &detector.name,
            points,
            colour: place % COLOURS,
            marked: true,
            stepped: false,
        })
        .collect();
    html! {
        h2 { "Are the tails true?" }
        (legend(report))
        div.charts { figure {
            (axes.lines(&lines, None, true))
            figcaption {
                "Of the normal rows, the share x should have a tail of at most x: points on the dashed line keep that "
                "promise, points above it flag more than they say."
            }
        } }
    }
}

fn histograms(report: &Report) -> Markup {
    html! {
        h2 { "How scores are spread" }
        p.legend { span { span.key.b0 {} "normal" } span { span.key.b1 {} "anomalies" } }
        div.charts {
            @for detector in report.all() {
                @let spread = &detector.histogram;
                @let axes = Axes {
                    title: &detector.name,
                    x: ("surprisal, −ln tail", Scale::Linear(0.0, spread.surprisal_max)),
                    y: ("share of rows", Scale::Log(1e-4, 1.0)),
                };
                figure { (axes.bars([&spread.normal, &spread.anomalies], spread.surprisal_max)) figcaption { (detector.name) } }
            }
        }
    }
}

fn done(report: &Report) -> Markup {
    html! {
        h2 { "What was done" }
        div.scroll { table.facts { tbody {
            @for (name, value) in facts(&report.setup) { tr { th scope="row" { (name) } td { (value) } } }
        } } }
    }
}
