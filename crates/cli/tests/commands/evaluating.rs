use std::fmt::Write;

use serde_json::Value;

use crate::world::World;

/// Four thousand rows: large transfers late in the file, and a service nobody else uses.
fn rows() -> String {
    let mut text = "bytes,duration,service,label\n".to_owned();
    let mut random = 7_u64;
    let mut next = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as f64 / f64::from(1_u32 << 31)
    };
    for _ in 0..4000 {
        let (kind, bytes, duration) = (next(), 400.0 * (1.0 + next()), next());
        let service = ["http", "dns", "ssh"][(3.0 * next()) as usize];
        let (bytes, service, label) = match kind {
            kind if kind < 0.02 => (bytes * 9.0, service, "exfiltration"),
            kind if kind < 0.03 => (bytes, "icmp", "tunnel"),
            _ => (bytes, service, "normal"),
        };
        writeln!(text, "{bytes:.0},{duration:.3},{service},{label}").expect("a text takes all");
    }
    text
}

#[test]
fn evaluate_ends_with_one_line_of_figures_for_each_detector_and_all_together() {
    let world = World::new();
    world.file("events.csv", rows());
    let arguments = ["evaluate", "--data", "events.csv", "--label", "label", "--split", "0.6"];
    let more = ["--detector", "supervised,autoencoder", "--bootstrap", "20", "--report", "report.html", "--json"];
    let printed = world.lapwing(&[&arguments[..], &more[..]].concat()).succeeded();
    let last: Value = serde_json::from_str(printed.lines().last().expect("something is printed")).expect("it is JSON");
    let names = ["isolation_forest", "robust_zscore", "random_forest", "gradient_boosting", "autoencoder"];
    for figures in names.iter().map(|name| &last["detectors"][name]).chain([&last["fused"]]) {
        let auc = figures["roc_auc"].as_f64().expect("every detector has its figures");
        assert!((0.5..=1.0).contains(&auc), "{last}");
        assert!(figures["pr_auc"].is_number() && figures["tpr_at_fpr"]["0.003"].is_number(), "{last}");
    }
    assert!(last["fused"]["roc_auc"].as_f64() > Some(0.95), "{last}");
    let page = std::fs::read_to_string(world.path("report.html")).expect("the page is written");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("<svg") && !page.contains("<script"));
}

#[test]
fn what_cannot_be_evaluated_is_refused_with_the_nearest_name() {
    let world = World::new();
    world.file("events.csv", rows());
    let said = world.lapwing(&["evaluate", "--data", "events.csv", "--label", "lable"]).failed(64);
    assert!(said.contains("`lable`") && said.contains("did you mean `label`?"), "{said}");
}
