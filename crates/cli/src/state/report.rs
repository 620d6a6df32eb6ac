use std::sync::Arc;

use lapwing_features::{FeatureState, Level};
use lapwing_pipeline::aggregate::Entity;
use lapwing_pipeline::inspect::{Grounds, Memory, RecentScores, grounds};
use lapwing_pipeline::plan::Plan;
use lapwing_pipeline::score::ModelSource;
use lapwing_vocabulary::EventTime;

use super::bytes;
use crate::failure::{Failure, IO};
use crate::load;

/// What is remembered of an entity, and how its next event would be scored.
pub(super) struct Report<'a> {
    name: &'a str,
    partition: i32,
    offset: i64,
    watermark: Option<EventTime>,
    entity: Entity,
    scoring: Scoring,
    grounds: Vec<Grounds>,
    recent: Option<RecentScores>,
    release: Option<f64>,
}

/// Whether rows are scored.
enum Scoring {
    /// The pipeline only enriches.
    NoDetectors,
    /// Nothing was trained yet.
    NoModel,
    /// By this model.
    By(String),
}

impl Scoring {
    fn of(plan: &Plan) -> Result<Self, Failure> {
        if plan.members.is_empty() {
            return Ok(Self::NoDetectors);
        }
        let model = load::model_source(&plan.settings).changed_from(None).map_err(|fault| Failure::new(IO, fault))?;
        Ok(model.map_or(Self::NoModel, |model| Self::By(model.id())))
    }

    fn text(&self) -> String {
        match self {
            Self::NoDetectors => "not scored: the pipeline has no detectors".to_owned(),
            Self::NoModel => "not scored: there is no model yet; `lapwing train` makes one".to_owned(),
            Self::By(model) => format!("scored by {model} from the first event on"),
        }
    }
}

impl<'a> Report<'a> {
    /// What a memory holds of an entity; `None` if it holds nothing.
    pub(super) fn of(
        plan: &Arc<Plan>,
        partition: i32,
        memory: &Memory,
        name: &'a str,
    ) -> Result<Option<Self>, Failure> {
        let Some(entity) = memory.entity(name)? else { return Ok(None) };
        Ok(Some(Self {
            name,
            partition,
            offset: memory.offset,
            watermark: memory.aggregate().watermark(),
            scoring: Scoring::of(plan)?,
            grounds: grounds(plan, &entity.features),
            recent: memory.recent_scores(name)?,
            release: plan.settings.decide.postprocessing.release,
            entity,
        }))
    }

    /// As lines of text.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("{}: partition {}, as of offset {}", self.name, self.partition, self.offset),
            format!(
                "  last event {}, watermark {}, {} of memory",
                moment(self.entity.last_event),
                moment(self.watermark),
                bytes(self.entity.bytes)
            ),
            "scoring".to_owned(),
        ];
        lines.extend(self.reasons().into_iter().map(|reason| format!("  {reason}")));
        lines.push("features".to_owned());
        lines.extend(self.entity.features.iter().map(|feature| format!("  {}", feature_line(feature))));
        if !self.entity.windows.is_empty() {
            lines.push("open windows".to_owned());
        }
        for window in &self.entity.windows {
            let (start, end) = (window.start.to_rfc3339(), window.end.to_rfc3339());
            let state = match (window.kept, window.rows) {
                (true, _) => "told, kept to be amended",
                (false, 0) => "open, not scored before it closes",
                (false, _) => "open, told early",
            };
            lines.push(format!("  {start} to {end}: {} events, {state}", window.events));
        }
        lines
    }

    /// Whether and why an event of now would be scored and told, or not.
    fn reasons(&self) -> Vec<String> {
        let mut reasons = vec![self.scoring.text()];
        if let Some(watermark) = self.watermark {
            reasons.push(format!("an event before {} is late: not scored", watermark.to_rfc3339()));
        }
        for Grounds { detector, nulls, young } in &self.grounds {
            if !nulls.is_empty() {
                reasons.push(format!("{detector} sees null for want of values: {}", nulls.join(", ")));
            }
            if !young.is_empty() {
                reasons.push(format!("{detector} judges by others too, the own past is short: {}", young.join(", ")));
            }
        }
        reasons.extend(self.recent.iter().flat_map(|recent| self.suppressions(recent)));
        reasons
    }

    fn suppressions(&self, recent: &RecentScores) -> Vec<String> {
        let mut told = Vec::new();
        if let (Some(true), Some(release)) = (recent.is_open, self.release) {
            told.push(format!(
                "findings are suppressed: one is open until the score falls below {release} of the threshold (`release`)"
            ));
        }
        if let Some(surprisal) = recent.surprisal.filter(|surprisal| *surprisal > 0.0) {
            told.push(format!("a surprisal up to about {} is halved as no news (`rest`)", short(surprisal)));
        }
        if let Some(weight) = recent.level_weight.filter(|weight| *weight < recent.level_weight_needed) {
            let needed = recent.level_weight_needed;
            told.push(format!(
                "scores are not judged by their level yet: {} of {needed} seen (`likelihood`)",
                short(weight)
            ));
        }
        told
    }

    /// As one JSON object.
    pub(super) fn json(&self) -> serde_json::Value {
        let features: serde_json::Map<String, serde_json::Value> =
            self.entity.features.iter().map(|feature| (feature.name.clone(), feature_json(feature))).collect();
        let windows = self.entity.windows.iter().map(|window| {
            serde_json::json!({
                "start": window.start.to_rfc3339(),
                "end": window.end.to_rfc3339(),
                "events": window.events,
                "rows": window.rows,
                "kept": window.kept,
            })
        });
        serde_json::json!({
            "entity": self.name,
            "partition": self.partition,
            "snapshot": self.offset,
            "last_event": self.entity.last_event.map(|time| time.to_rfc3339()),
            "watermark": self.watermark.map(|time| time.to_rfc3339()),
            "bytes": self.entity.bytes,
            "scored": self.scoring.text(),
            "model": if let Scoring::By(model) = &self.scoring { Some(model) } else { None },
            "detectors": self.grounds,
            "recent_scores": self.recent,
            "features": features,
            "windows": windows.collect::<Vec<_>>(),
        })
    }
}

fn feature_json(feature: &FeatureState) -> serde_json::Value {
    serde_json::json!({
        "value": feature.value,
        "samples": feature.samples,
        "samples_needed": feature.samples_needed,
        "samples_alone": feature.samples_alone,
        "panes_filled": feature.panes.map(|(filled, _)| filled),
        "panes": feature.panes.map(|(_, panes)| panes),
        "usual": feature.usual,
        "usual_of_all": feature.usual_of_all,
        "own_share": feature.own_share,
        "newest": feature.newest.map(|time| time.to_rfc3339()),
        "frozen": feature.is_frozen,
    })
}

/// A feature with what stands behind it.
fn feature_line(feature: &FeatureState) -> String {
    let mut told = vec![format!("{} = {}", feature.name, feature.value.map_or("–".to_owned(), short))];
    match (feature.samples, feature.samples_alone) {
        (Some(samples), Some(alone)) => told.push(format!("{} of {} values seen", short(samples), short(alone))),
        (Some(samples), None) if samples < feature.samples_needed => {
            told.push(format!("{} of {} values seen", short(samples), short(feature.samples_needed)));
        }
        (Some(samples), None) => told.push(format!("{} values", short(samples))),
        (None, _) => {}
    }
    told.extend(feature.panes.map(|(filled, panes)| format!("{filled} of {panes} panes")));
    told.extend(feature.usual.map(|usual| format!("usually {}", level(usual))));
    told.extend(feature.usual_of_all.map(|usual| format!("all {}", level(usual))));
    told.extend(feature.own_share.map(|share| format!("own past counts {:.0} %", 100.0 * share)));
    told.extend(feature.newest.map(|time| format!("newest {}", time.to_rfc3339())));
    told.extend(feature.is_frozen.then(|| "learns nothing".to_owned()));
    told.join("; ")
}

fn level(level: Level) -> String {
    format!("{} ± {}", short(level.mean), short(level.spread))
}

fn moment(time: Option<EventTime>) -> String {
    time.map_or("none".to_owned(), |time| time.to_rfc3339())
}

/// A number with at most four digits after the point.
fn short(value: f64) -> String {
    let text = if value.abs() >= 1e-3 || value == 0.0 { format!("{value:.4}") } else { return format!("{value:e}") };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
