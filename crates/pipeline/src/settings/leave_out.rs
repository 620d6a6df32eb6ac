//! Events that memory is to know nothing of: an interval that was poisoned, by a broken sensor or by an attacker.
//!
//! It is a setting and not a command, because memory is a fold of the records *and of the settings*: whoever rebuilds it,
//! now or after a crash or on another machine, leaves out the same.

use lapwing_vocabulary::EventTime;
use toml_edit::Item;

use super::keys;
use super::section::{Field, Section};

/// Most intervals: each is looked at for every event.
const INTERVALS_MAX: usize = 100;
const FORM: &str = "a list of tables such as [{ from = \"2026-01-31T12:00:00Z\", to = \"2026-01-31T13:00:00Z\" }]";
const TIME_HINT: &str = "a time with its zone, such as \"2026-01-31T12:00:00Z\"";

/// Events that are left out as if they had never been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveOut {
    /// The first event time that is left out.
    pub from: EventTime,
    /// The first event time after it that is not.
    pub to: EventTime,
    /// Whose events; `None` is everybody's.
    pub entity: Option<String>,
}

impl LeaveOut {
    /// Whether it is about events of this entity at this time.
    pub fn holds(&self, entity: &str, time: EventTime) -> bool {
        (self.from..self.to).contains(&time) && self.entity.as_deref().is_none_or(|own| own == entity)
    }
}

/// Reads `state.leave_out`.
pub(super) fn read(state: &Section<'_>) -> Vec<LeaveOut> {
    let Some(field) = state.field("leave_out") else { return Vec::new() };
    let Some(sections) = field.sections(keys::LEAVE_OUT, FORM) else { return Vec::new() };
    if sections.len() > INTERVALS_MAX {
        let message = format!("`{}` has {} intervals", field.path(), sections.len());
        let hint = format!("allowed: up to {INTERVALS_MAX}; join those that lie side by side");
        return field.refuse(message, hint).unwrap_or_default();
    }
    sections.iter().filter_map(read_one).collect()
}

fn read_one(section: &Section<'_>) -> Option<LeaveOut> {
    let from = section.required("from", TIME_HINT).and_then(|field| moment(&field));
    let to = section.required("to", TIME_HINT).and_then(|field| moment(&field));
    let entity = match section.field("entity") {
        // A faulty name must not become everybody.
        Some(field) => Some(field.text()?),
        None => None,
    };
    let (from, to) = (from?, to?);
    if from >= to {
        let message = format!("`{}` is not before `{}`", section.path_of("from"), section.path_of("to"));
        section.report.add(&section.place, message, "nothing would be left out; `to` itself is not".to_owned());
        return None;
    }
    Some(LeaveOut { from, to, entity })
}

/// A time, as a text or as TOML writes it.
fn moment(field: &Field<'_>) -> Option<EventTime> {
    let text = match field.item {
        Item::Value(toml_edit::Value::Datetime(time)) => time.value().to_string(),
        _ => field.text()?,
    };
    let zoned = text.contains(['Z', 'z', '+']) || text.get(10..).is_some_and(|rest| rest.contains('-'));
    match EventTime::parse(&text).filter(|_| zoned) {
        Some(time) => Some(time),
        None => field.refuse(format!("`{}` is no time with its zone", field.path()), TIME_HINT.to_owned()),
    }
}
