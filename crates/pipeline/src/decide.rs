//! From scores to findings: which rows are alerts, of what type, how urgent. Episodes, which join the findings of one
//! story, will live here; until then every flagged event is a finding of its own.

use arrow::array::{Array, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use lapwing_features::{Cause, WindowText};
use lapwing_sql::{Predicate, SqlError};
use lapwing_vocabulary::{
    Alert, AlertLine, AlertStatus, AlertTemplate, AlertWindow, Contribution, EventBatch, Offset, Position, Severity,
};
use sha2::{Digest, Sha256};

use crate::aggregate::WindowRow;
use crate::score::{Model, Scored};
use crate::settings::{AlertType, VoteAt};
use crate::wording::{Wording, in_words};

/// Type of a finding to which none of the declared types applies.
pub const DEFAULT_KIND: &str = "anomaly";

/// Stands for the type in the id of a window's alert.
const WINDOW_ID: &str = "window";

/// Scored rows.
pub struct Rows<'a> {
    /// The model that scored them.
    pub model: &'a Model,
    /// The rows.
    pub events: &'a EventBatch,
    /// Entity of each.
    pub entities: &'a StringArray,
    /// Scores of each.
    pub scored: &'a Scored,
    /// Where rows are windows: what each is.
    pub windows: Option<&'a [WindowRow]>,
}

/// The decide stage of one partition.
pub struct Decide {
    pipeline: String,
    id: Option<String>,
    types: Vec<(AlertType, Predicate)>,
    wording: Wording,
}

/// An alert, and where its event stands in the batch.
#[derive(Debug)]
pub struct Finding {
    /// Index of the event in the batch that was scored.
    pub row: u32,
    /// The alert.
    pub alert: Alert,
}

impl Decide {
    /// Plans the conditions of the declared types over rows of `schema`.
    pub fn new(
        pipeline: &str,
        id: Option<&str>,
        types: &[AlertType],
        wording: Wording,
        schema: &SchemaRef,
    ) -> Result<Self, (String, SqlError)> {
        let plan = |kind: &AlertType| match Predicate::plan(&kind.when, schema) {
            Ok(predicate) => Ok((kind.clone(), predicate)),
            Err(error) => Err((kind.name.clone(), error)),
        };
        let types = types.iter().map(plan).collect::<Result<_, _>>()?;
        Ok(Self { pipeline: pipeline.to_owned(), id: id.map(str::to_owned), types, wording })
    }

    /// Turns flagged rows into alerts, in the order of the rows. Where rows are windows, one that takes the place of a
    /// flagged one and is not flagged itself withdraws what was said.
    pub fn decide(&self, rows: &Rows<'_>) -> Result<Vec<Finding>, SqlError> {
        let votes = self.votes(rows)?;
        let speaks = |row: usize| rows.scored.scores.flagged[row] || votes.iter().flatten().any(|vote| vote[row]);
        let found: Vec<(u32, AlertStatus)> =
            (0..rows.events.len()).filter_map(|row| Some((row as u32, rows.verdict(row, &speaks)?))).collect();
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = UInt32Array::from_iter_values(found.iter().map(|(row, _)| *row));
        let batch = take_record_batch(&rows.events.rows, &wanted).expect("flagged rows lie within the batch");
        let kinds = self.kinds(rows, &batch, &wanted, &votes)?;
        let ids = self.id.as_ref().map(|id| text_column(&batch, id));
        let finding = |(at, (row, status)): (usize, &(u32, AlertStatus))| {
            let event_id = ids.as_ref().filter(|ids| ids.is_valid(at)).map(|ids| ids.value(at).to_owned());
            let alert = self.alert(rows, *row as usize, kinds[at], event_id, *status);
            Finding { row: *row, alert }
        };
        Ok(found.iter().enumerate().map(finding).collect())
    }

    /// For each type with a vote of its own, whether it holds in each row: the detector says so, and so does `when`.
    fn votes(&self, rows: &Rows<'_>) -> Result<Vec<Option<Vec<bool>>>, SqlError> {
        let names = rows.model.ensemble.member_names();
        let vote = |(kind, predicate): &(AlertType, Predicate)| {
            let Some(vote) = &kind.vote else { return Ok(None) };
            let Some(member) = names.iter().position(|name| *name == vote.detector) else { return Ok(None) };
            let holds = predicate.evaluate(&rows.events.rows)?;
            let said = &rows.scored.scores.members[member];
            let votes = |row: usize| match vote.at {
                VoteAt::Rate(rate) => said.tail[row] <= rate,
                VoteAt::Score(least) => said.raw[row] >= least,
            };
            Ok(Some((0..said.tail.len()).map(|row| votes(row) && holds.value(row)).collect()))
        };
        self.types.iter().map(vote).collect()
    }

    /// For each of the rows wanted the first declared type whose condition holds, and whose vote, where the ensemble
    /// is silent.
    fn kinds(
        &self,
        rows: &Rows<'_>,
        batch: &RecordBatch,
        wanted: &UInt32Array,
        votes: &[Option<Vec<bool>>],
    ) -> Result<Vec<Option<&AlertType>>, SqlError> {
        let mut kinds = vec![None; batch.num_rows()];
        for ((kind, predicate), vote) in self.types.iter().zip(votes).rev() {
            let holds = predicate.evaluate(batch)?;
            for (at, chosen) in kinds.iter_mut().enumerate() {
                let row = wanted.value(at) as usize;
                let counts = rows.scored.scores.flagged[row] || vote.as_ref().is_some_and(|vote| vote[row]);
                if holds.value(at) && counts {
                    *chosen = Some(kind);
                }
            }
        }
        Ok(kinds)
    }

    fn alert(
        &self,
        rows: &Rows<'_>,
        row: usize,
        kind: Option<&AlertType>,
        event_id: Option<String>,
        status: AlertStatus,
    ) -> Alert {
        let Rows { model, events, entities, scored, windows } = rows;
        let (tail, threshold) = (scored.scores.tail[row], model.ensemble.threshold());
        let severity = kind.map_or_else(|| severity(tail, 1.0 - threshold), |kind| kind.severity);
        let kind = kind.map_or(DEFAULT_KIND, |kind| kind.name.as_str());
        let entity = entities.value(row);
        let position = |offset: Offset| Position { offset, ..events.position(row) };
        let contributions =
            model.ensemble.explain(scored.matrix.row(row)).expect("the matrix was encoded for this model");
        let detectors = model.ensemble.detector_scores(&scored.scores, row);
        let templates = self.wording.told(&contributions);
        let window = windows.map(|windows| &windows[row]);
        // A window keeps its id when late events change its type; an event is what it is.
        let id = match window {
            Some(window) => alert_id(&self.pipeline, WINDOW_ID, entity, &window.start.0.to_string()),
            None => alert_id(&self.pipeline, kind, entity, &events.position(row).to_string()),
        };
        Alert {
            id,
            pipeline: self.pipeline.clone(),
            kind: kind.to_owned(),
            severity,
            entity: entity.to_owned(),
            event_id,
            event_time: events.times[row].to_rfc3339(),
            summary: summary(entity, kind, &contributions, &templates),
            score: 1.0 - tail,
            threshold,
            detectors,
            contributions,
            positions: match window {
                Some(window) => window.offsets.iter().map(|offset| position(*offset)).collect(),
                None => vec![events.position(row)],
            },
            model: model.id(),
            status,
            window: window.map(told),
            lines: window.iter().flat_map(|window| &window.texts).map(|line| told_line(line, &position)).collect(),
            templates,
        }
    }
}

impl Rows<'_> {
    /// What is said of a row, if anything.
    fn verdict(&self, row: usize, flagged: &dyn Fn(usize) -> bool) -> Option<AlertStatus> {
        let Some(windows) = self.windows else { return flagged(row).then_some(AlertStatus::Open) };
        let window = &windows[row];
        if window.is_before {
            return None;
        }
        // A session that was joined to another has no events left, and nothing to say.
        if flagged(row) && window.events > 0 {
            return Some(AlertStatus::Open);
        }
        let said_before = row.checked_sub(1).is_some_and(|before| windows[before].is_before && flagged(before));
        said_before.then_some(AlertStatus::Withdrawn)
    }
}

fn told(window: &WindowRow) -> AlertWindow {
    AlertWindow {
        start: window.start.to_rfc3339(),
        end: window.end.to_rfc3339(),
        events: window.events,
        revision: window.revision,
        early: window.cause == Cause::Early,
    }
}

fn told_line(line: &WindowText, position: &impl Fn(Offset) -> Position) -> AlertLine {
    AlertLine {
        position: position(line.offset),
        time: line.time.to_rfc3339(),
        text: line.text.to_string(),
        is_cut: line.is_cut,
    }
}

/// Urgency of a finding without a declared type: a tenth of the tolerated rate is an error, a hundredth critical.
fn severity(tail: f64, alert_rate: f64) -> Severity {
    match tail / alert_rate {
        ratio if ratio <= 0.01 => Severity::Critical,
        ratio if ratio <= 0.1 => Severity::Error,
        _ => Severity::Warning,
    }
}

/// The same finding always has the same id, whoever computes it, so that no receiver counts it twice.
fn alert_id(pipeline: &str, kind: &str, entity: &str, opened_at: &str) -> String {
    let mut hash = Sha256::new();
    for part in [pipeline, kind, entity, opened_at] {
        // The length goes first, so that no two lists of parts run together into the same bytes.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn summary(entity: &str, kind: &str, contributions: &[Contribution], templates: &[AlertTemplate]) -> String {
    if !templates.is_empty() {
        let told: Vec<String> = templates.iter().take(3).map(in_words).collect();
        return format!("{kind} on {entity}: {}", told.join(", "));
    }
    let told = contributions.iter().take(3).map(|contribution| {
        let actual = contribution.actual.map_or("missing".to_owned(), short);
        format!("{} {actual} (usually {})", contribution.input, short(contribution.expected))
    });
    let told: Vec<String> = told.collect();
    format!("{kind} on {entity}: {}", told.join(", "))
}

/// A number as people read it: about three significant digits.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 1e6 => format!("{value:.2e}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 1.0 => trimmed(format!("{value:.2}")),
        size if size >= 0.001 => trimmed(format!("{value:.4}")),
        _ => format!("{value:.1e}"),
    }
}

fn trimmed(text: String) -> String {
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A column as text.
pub(crate) fn text_column(rows: &RecordBatch, name: &str) -> StringArray {
    let column = rows.column_by_name(name).expect("the plan keeps the id column");
    cast(column, &DataType::Utf8).expect("every decoded type has a text form").as_string::<i32>().clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_enough_to_read() {
        let told: Vec<String> = [0.0, 12.0, 12.345, 1234.5, 0.01234, 0.000001, -3.5e9].map(short).to_vec();
        assert_eq!(told, ["0", "12", "12.35", "1234", "0.0123", "1.0e-6", "-3.50e9"]);
    }

    #[test]
    fn ids_depend_on_every_part_and_on_nothing_else() {
        let id = alert_id("p", "k", "e", "t[0]@1");
        assert_eq!(id, alert_id("p", "k", "e", "t[0]@1"));
        assert_eq!(id.len(), 32);
        for other in
            [alert_id("p", "k", "e", "t[0]@2"), alert_id("pk", "", "e", "t[0]@1"), alert_id("p", "k", "f", "t[0]@1")]
        {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn urgency_follows_how_far_the_tail_is_below_the_tolerated_rate() {
        let urgencies = [0.003, 0.0003, 0.00003].map(|tail| severity(tail, 0.003));
        assert_eq!(urgencies, [Severity::Warning, Severity::Error, Severity::Critical]);
    }
}
