//! `[window]` and `[features]`: what rows are made of.

use lapwing_features::{FeatureSpec, Learn, Measure, Nulls, Over, Season, WindowKind};

use super::{Text, quote};
use crate::settings::Window;
use crate::settings::units::show_duration;

pub(super) fn write_window(text: &mut Text, window: &Window) {
    text.table(&["window"]);
    match window.spec.kind {
        WindowKind::Tumbling { size_micros } => {
            text.set_text("kind", "tumbling");
            text.set_duration("size", size_micros);
        }
        WindowKind::Sliding { size_micros, step_micros } => {
            text.set_text("kind", "sliding");
            text.set_duration("size", size_micros);
            text.set_duration("step", step_micros);
        }
        WindowKind::Session { gap_micros, age_micros_max } => {
            text.set_text("kind", "session");
            text.set_duration("gap", gap_micros);
            age_micros_max.into_iter().for_each(|age| text.set_duration("max_age", age));
        }
        WindowKind::CountOrTimeout { events, gap_micros, age_micros_max } => {
            text.set_text("kind", "count");
            text.set("events", events);
            gap_micros.into_iter().for_each(|gap| text.set_duration("gap", gap));
            age_micros_max.into_iter().for_each(|age| text.set_duration("max_age", age));
        }
    }
    text.set_duration("allowed_lateness", window.spec.allowed_lateness_micros);
    window.spec.early_micros.into_iter().for_each(|early| text.set_duration("early", early));
    text.set("min_events", window.spec.events_min);
    text.set("open_max", window.open_max);
    if let (Some(column), Some(texts)) = (&window.text, &window.spec.texts) {
        text.table(&["window", "texts"]);
        text.set_text("column", column);
        text.set("events", texts.events);
        text.set("bytes", texts.bytes);
    }
    if !window.spec.columns.is_empty() {
        text.table(&["window", "columns"]);
        for column in &window.spec.columns {
            let mut parts =
                vec![format!("{} = {}", column.measure.name(), quote(column.column.as_deref().unwrap_or("*")))];
            if column.length > 0 {
                parts.push(format!("length = {}", column.length));
            }
            if !column.labels.is_empty() {
                let labels: Vec<String> = column.labels.iter().map(|label| quote(label)).collect();
                parts.push(format!("labels = [{}]", labels.join(", ")));
            }
            text.set(&column.name, format!("{{ {} }}", parts.join(", ")));
        }
    }
}

pub(super) fn write_features(text: &mut Text, features: &[FeatureSpec]) {
    if features.is_empty() {
        return;
    }
    text.table(&["features"]);
    for feature in features {
        let mut parts = measure_parts(&feature.measure);
        parts.extend(span_parts(&feature.over, feature.measure.panes_default()));
        if feature.nulls == Nulls::Zero {
            parts.push(("nulls", quote("zero")));
        }
        if feature.learn != Learn::Robust {
            parts.push(("learn", quote(feature.learn.name())));
        }
        parts.extend(feature.fill.map(|fill| ("fill", format!("{:?}", fill.value()))));
        let parts: Vec<String> = parts.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        text.set(&feature.name, format!("{{ {} }}", parts.join(", ")));
    }
}

fn measure_parts(measure: &Measure) -> Vec<(&'static str, String)> {
    let name = measure.name();
    match measure {
        Measure::GeoDistance { latitude, longitude } | Measure::GeoSpeed { latitude, longitude } => {
            vec![(name, format!("[{}, {}]", quote(latitude), quote(longitude)))]
        }
        _ => {
            let columns = measure.columns();
            let mut parts = vec![(name, quote(columns.first().map_or("*", |column| column)))];
            match measure {
                Measure::Quantile { q_ppm, .. } => parts.push(("q", format!("{:?}", f64::from(*q_ppm) / 1e6))),
                Measure::Correlation { peers, .. } => parts.push(("peers", quote(peers))),
                Measure::Sequence { length, .. } => parts.push(("length", length.to_string())),
                _ => {}
            }
            parts
        }
    }
}

fn span_parts(over: &Over, panes_default: usize) -> Vec<(&'static str, String)> {
    match over {
        Over::Past => Vec::new(),
        Over::Window { length_micros, panes } => {
            let mut parts = vec![("over", quote(&show_duration(*length_micros)))];
            parts.extend((*panes != panes_default).then(|| ("panes", panes.to_string())));
            parts
        }
        Over::Baseline { length_micros, season, peers } => {
            let mut parts = vec![("baseline", quote(&show_duration(*length_micros)))];
            parts.extend(season.map(|season| match season {
                Season::Day => ("season", quote("day")),
                Season::Week => ("season", quote("week")),
            }));
            parts.extend(peers.as_ref().map(|peers| ("peers", quote(peers))));
            parts
        }
    }
}
