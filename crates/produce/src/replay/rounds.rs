use lapwing_vocabulary::EventTime;
use serde_json::{Number, Value};

/// How often a file has been played, and how far that moves its times on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rounds {
    /// Number of the round, from 0.
    pub(crate) number: u64,
    first: Option<EventTime>,
    last: EventTime,
}

impl Rounds {
    /// Takes note of a time in the file; only the first round measures its length.
    pub(crate) fn see(&mut self, time: EventTime) {
        if self.number == 0 {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = self.last.max(time);
        }
    }

    /// How far this round's times lie after the file's. Units: microseconds.
    pub(crate) fn shift_micros(&self, interval_micros: i64) -> i64 {
        let Some(first) = self.first else { return 0 };
        // At least a microsecond, so that the same moment never comes twice for an event.
        let length = self.last.0.saturating_sub(first.0).saturating_add(interval_micros.max(1));
        length.saturating_mul(i64::try_from(self.number).unwrap_or(i64::MAX))
    }
}

/// Reads a time that a JSON value holds.
pub(crate) fn time_of(value: &Value) -> Option<EventTime> {
    match value {
        Value::String(text) => EventTime::parse(text),
        Value::Number(number) => match number.as_i64() {
            Some(number) => EventTime::from_integer(number),
            None => number.as_f64().and_then(EventTime::from_number),
        },
        _ => None,
    }
}

/// Moves a time on and keeps its form: text stays text, a number keeps its unit.
pub(crate) fn moved(value: &Value, time: EventTime, shift_micros: i64) -> Value {
    let time = EventTime(time.0.saturating_add(shift_micros));
    let Value::Number(number) = value else { return Value::String(time.to_rfc3339()) };
    // The units of `EventTime::from_number`, told by the size of the number.
    let per_micro = match number.as_f64().unwrap_or(0.0) {
        n if n < 1e11 => 1e-6,
        n if n < 1e14 => 1e-3,
        n if n < 1e17 => 1.0,
        _ => 1e3,
    };
    if number.is_f64() {
        return Number::from_f64(time.0 as f64 * per_micro).map_or(Value::Null, Value::Number);
    }
    let whole = if per_micro > 1.0 { time.0.saturating_mul(1_000) } else { time.0 / (1.0 / per_micro).round() as i64 };
    Value::Number(whole.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_time_keeps_its_form_and_unit() {
        let hour = 3_600_000_000;
        let cases = [
            (Value::from("2026-01-01 00:00:00"), Value::from("2026-01-01T01:00:00.000000Z")),
            (Value::from(1_700_000_000_i64), Value::from(1_700_003_600_i64)),
            (Value::from(1_700_000_000_500_i64), Value::from(1_700_003_600_500_i64)),
            (Value::from(1_700_000_000_000_007_i64), Value::from(1_700_003_600_000_007_i64)),
            (Value::from(1_700_000_000_000_007_000_i64), Value::from(1_700_003_600_000_007_000_i64)),
            (Value::from(1_700_000_000.5), Value::from(1_700_003_600.5)),
        ];
        for (before, after) in cases {
            let time = time_of(&before).unwrap();
            assert_eq!(moved(&before, time, hour), after);
        }
    }
}
