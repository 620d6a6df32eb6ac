use std::collections::VecDeque;
use std::sync::Arc;

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use lapwing_vocabulary::EventTime;

use super::counts::ReplayCounts;
use super::kdd::KddRow;
use super::object::{Object, from_cells, from_json, identity};
use super::options::{Malformed, ReplayFormat, ReplayOptions};
use super::pattern::KeyPattern;
use super::rounds::{Rounds, moved, time_of};
use super::rows::{Body, Row, Rows};
use super::shuffle::Shuffle;
use crate::error::ProduceError;
use crate::json::{self, Calendar};
use crate::produced::{Label, Produced};
use crate::schema::{FEATURES, HOST_ID, INDEX, LABEL, SEQUENCE_ID, UTC, UUID, host_id};

/// A file as events.
pub struct Replay {
    options: ReplayOptions,
    key_pattern: Option<KeyPattern>,

    rows: Shuffle<Rows>,
    rounds: Rounds,
    calendar: Calendar,
    ids: ChaCha8Rng,
    /// The line that went out last, and the keys for which it is still to go out.
    again: (Vec<u8>, VecDeque<Vec<u8>>),
    done: bool,

    sequences: Vec<u64>,
    emitted: u64,
    emitted_before_round: u64,
    counts: Arc<ReplayCounts>,
}

impl Replay {
    /// Opens the file. Errors: `Option`, `Open`, `Read`, `Malformed` (of a CSV header).
    pub fn open(options: ReplayOptions) -> Result<Self, ProduceError> {
        options.check()?;
        let key_pattern = options.key_pattern.as_deref().map(KeyPattern::new).transpose()?;
        let counts = Arc::new(ReplayCounts::default());
        let rows = Rows::open(&options, counts.clone())?;
        check_fields(&options, rows.header())?;
        Ok(Self {
            rows: Shuffle::new(rows, options.order, 0),
            rounds: Rounds::default(),
            calendar: Calendar::default(),
            ids: ChaCha8Rng::seed_from_u64(options.seed),
            again: (Vec::new(), VecDeque::new()),
            done: false,
            sequences: vec![0; if options.format == ReplayFormat::Kdd { options.hosts } else { 0 }],
            emitted: 0,
            emitted_before_round: 0,
            counts,
            key_pattern,
            options,
        })
    }

    /// What has been left out so far. It goes on counting when the replay is handed on.
    pub fn counts(&self) -> Arc<ReplayCounts> {
        self.counts.clone()
    }

    /// The next row, in this round or the next one.
    fn next_row(&mut self) -> Option<Result<Row, ProduceError>> {
        if let Some(row) = self.rows.next() {
            return Some(row);
        }
        // A round without an event would be followed by endless others.
        if !self.options.repeat || self.emitted == self.emitted_before_round {
            return None;
        }
        self.rounds.number += 1;
        self.emitted_before_round = self.emitted;
        match Rows::open(&self.options, self.counts.clone()) {
            Ok(rows) => self.rows = Shuffle::new(rows, self.options.order, self.rounds.number),
            Err(fault) => return Some(Err(fault)),
        }
        self.rows.next()
    }

    fn event_of(&mut self, row: Row) -> Result<Produced, ProduceError> {
        let line = row.line;
        let made = match (self.options.format, row.body) {
            (ReplayFormat::Kdd, Body::Line(bytes)) => self.of_kdd(&bytes, line),
            (ReplayFormat::JsonLines, Body::Line(bytes)) => self.of_json(bytes),
            (_, Body::Line(bytes)) => self.of_line(bytes),
            (_, Body::Cells(cells)) => {
                let object = from_cells(self.rows.inner().header(), &cells);
                self.of_object(object, None)
            }
        };
        made.map_err(|problem| ProduceError::Malformed { path: self.options.path.clone(), line, problem })
    }

    /// Time of the next event, by its number.
    fn numbered_time(&self) -> EventTime {
        let number = i64::try_from(self.emitted).unwrap_or(i64::MAX);
        EventTime(self.options.start.0.saturating_add(self.options.interval_micros.saturating_mul(number)))
    }

    fn of_kdd(&mut self, line_bytes: &[u8], line: u64) -> Result<Produced, String> {
        let row = KddRow::parse(line_bytes)?;
        let time = self.numbered_time();
        let host = row.host(line, self.options.hosts);
        let host_id = host_id(host);
        let key = match self.options.key.as_deref() {
            None | Some(HOST_ID) => host_id.as_bytes().to_vec(),
            Some(field) => row.get(field).ok_or_else(|| format!("field `{field}` is missing"))?.as_bytes().to_vec(),
        };
        self.sequences[host] += 1;
        let mut value = Vec::with_capacity(1280);
        value.push(b'{');
        json::name(&mut value, UTC);
        self.calendar.moment(&mut value, time);
        json::name(&mut value, UUID);
        json::uuid(&mut value, self.ids.random());
        json::name(&mut value, SEQUENCE_ID);
        json::integer(&mut value, self.sequences[host]);
        json::name(&mut value, INDEX);
        json::integer(&mut value, self.emitted);
        json::name(&mut value, HOST_ID);
        json::plain(&mut value, host_id.as_bytes());
        row.write(&mut value);
        value.push(b'}');
        Ok(Produced { key: Some(key), value, time, label: row.label() })
    }

    /// The line for the first of its keys; the others wait.
    fn of_line(&mut self, value: Vec<u8>) -> Result<Produced, String> {
        let mut keys: VecDeque<Vec<u8>> = match &self.key_pattern {
            Some(pattern) => pattern.keys(&value)?.into(),
            None => VecDeque::new(),
        };
        let key = keys.pop_front();
        if !keys.is_empty() {
            self.again = (value.clone(), keys);
        }
        Ok(Produced { key, value, time: self.numbered_time(), label: Label::Unknown })
    }

    /// The last line once more, for its next key.
    fn line_again(&mut self) -> Option<Produced> {
        let key = self.again.1.pop_front()?;
        let value = self.again.0.clone();
        Some(Produced { key: Some(key), value, time: self.numbered_time(), label: Label::Unknown })
    }

    fn of_json(&mut self, bytes: Vec<u8>) -> Result<Produced, String> {
        let object = from_json(&bytes)?;
        self.of_object(object, Some(bytes))
    }

    /// `original` is passed through unless the round asks for a change.
    fn of_object(&mut self, mut object: Object, original: Option<Vec<u8>>) -> Result<Produced, String> {
        let key = match &self.options.key {
            Some(field) => Some(identity(&object, field)?.into_bytes()),
            None => None,
        };
        let time = self.move_time(&mut object)?;
        self.renew_id(&mut object)?;
        let value = match original {
            Some(bytes) if self.rounds.number == 0 => bytes,
            _ => serde_json::to_vec(&object).map_err(|fault| format!("cannot be written as JSON: {fault}"))?,
        };
        Ok(Produced { key, value, time, label: Label::Unknown })
    }

    /// Reads the event's time, and moves it on in later rounds.
    fn move_time(&mut self, object: &mut Object) -> Result<EventTime, String> {
        let Some(field) = &self.options.time else { return Ok(self.numbered_time()) };
        let value = object.get_mut(field).ok_or_else(|| format!("field `{field}` is missing"))?;
        let time = time_of(value).ok_or_else(|| format!("field `{field}` is not a time: {value}"))?;
        self.rounds.see(time);
        if self.rounds.number == 0 {
            return Ok(time);
        }
        let shift = self.rounds.shift_micros(self.options.interval_micros);
        *value = moved(value, time, shift);
        Ok(EventTime(time.0.saturating_add(shift)))
    }

    /// Tells the event from its twin of an earlier round.
    fn renew_id(&self, object: &mut Object) -> Result<(), String> {
        let Some(field) = &self.options.id else { return Ok(()) };
        let id = identity(object, field)?;
        if self.rounds.number > 0 {
            object.insert(field.clone(), Value::String(format!("{id}-{}", self.rounds.number)));
        }
        Ok(())
    }
}

impl Iterator for Replay {
    type Item = Result<Produced, ProduceError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done && self.options.limit.is_none_or(|limit| self.emitted < limit) {
            let event = match self.line_again() {
                Some(event) => Ok(event),
                None => self.next_row()?.and_then(|row| self.event_of(row)),
            };
            match event {
                Ok(event) => {
                    self.emitted += 1;
                    return Some(Ok(event));
                }
                Err(ProduceError::Malformed { .. }) if self.options.malformed == Malformed::Skip => self.counts.skip(),
                Err(fault) => {
                    self.done = true;
                    return Some(Err(fault));
                }
            }
        }
        None
    }
}

/// Refuses fields that the file cannot have, before the first row.
fn check_fields(options: &ReplayOptions, header: &[String]) -> Result<(), ProduceError> {
    let known: Vec<&str> = match options.format {
        ReplayFormat::Kdd => FEATURES.into_iter().chain([HOST_ID, LABEL]).collect(),
        ReplayFormat::Csv => header.iter().map(String::as_str).collect(),
        ReplayFormat::JsonLines | ReplayFormat::Lines => return Ok(()),
    };
    for (option, field) in [("key", &options.key), ("time", &options.time), ("id", &options.id)] {
        let Some(field) = field else { continue };
        if !known.contains(&field.as_str()) {
            let problem = format!("{} has no field `{field}`; it has {}", options.path.display(), known.join(", "));
            return Err(ProduceError::Option { option, problem });
        }
    }
    Ok(())
}
