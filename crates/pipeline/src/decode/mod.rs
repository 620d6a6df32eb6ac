//! Bytes to typed columns. Only the columns that the pipeline uses are built; a record that does not fit is set aside
//! with its reason, and the rest of the batch goes on.

/// Column types and where their values lie.
pub mod schema;
/// A schema from a sample.
pub mod infer;
mod cell;
mod columns;
mod json;
/// Lines of logs, and the columns they give.
pub mod lines;
/// CSV records, and the names in a header line.
pub mod csv;

use std::ops::Range;

use lapwing_vocabulary::time_confusion::explain_offset;
use lapwing_vocabulary::{DeadLetter, EventBatch, EventTime, Reason, Records, Stage};

use cell::Cell;
use columns::Columns;
use schema::{Kind, Schema};

/// Header of a record that a transport cut because it was too large; its value is the original length in bytes.
pub const OVERSIZE_HEADER: &str = "lapwing.oversize";

/// How records are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per record.
    Json,
    /// One CSV record per record; the names say which field is which.
    Csv {
        /// Field separator.
        delimiter: u8,
        /// Field names in order.
        header: Vec<String>,
    },
    /// One event of a log per record.
    Lines(crate::settings::Lines),
}

/// What decode is told.
#[derive(Clone, Debug)]
pub struct DecodeOptions {
    /// The columns to build; must contain `key` and, if there is one, `time`.
    pub schema: Schema,
    /// How records are written.
    pub format: Format,
    /// Column of the entity.
    pub key: String,
    /// Column of event time; `None` takes the record's own timestamp.
    pub time: Option<String>,
    /// How far event time may run ahead of the record's own timestamp. Units: microseconds.
    pub max_future_micros: i64,
    /// Larger records are set aside. Units: bytes.
    pub max_record_bytes: usize,
}

/// What came of a batch of records.
#[derive(Debug)]
pub struct Decoded {
    /// The events.
    pub events: EventBatch,
    /// For each event the index of its record in the batch.
    pub records: Vec<u32>,
    /// Records set aside: index in the batch, and why.
    pub dead: Vec<(u32, DeadLetter)>,
    /// Values that were written in another type than their column's.
    pub coerced: u64,
    /// Keys that lines name beyond those that count.
    pub keys_cut: u64,
}

enum Reader {
    Json(json::Scanner),
    Csv(Box<csv::Splitter>),
    Lines(Box<lines::Splitter>),
}

/// What a record has become.
struct Taken {
    time: EventTime,
    coerced: u32,
    /// Rows that were pushed: one, or one for each key of a line.
    rows: usize,
    keys_cut: usize,
}

/// Decodes the records of one partition.
pub struct Decoder {
    options: DecodeOptions,
    key: usize,
    time: Option<usize>,
    reader: Reader,
    columns: Columns,
    cells: Vec<Cell>,
}

/// Why one record was refused.
type Refusal = (Reason, String);

impl Decoder {
    /// Prepares to decode. `Err` names a key or time column that the schema lacks, or a time that is no time.
    pub fn new(options: DecodeOptions) -> Result<Self, String> {
        let place = |name: &str, what: &str| {
            let found = options.schema.fields.iter().position(|field| field.name == name);
            found.ok_or_else(|| format!("the {what} field `{name}` is not in the schema"))
        };
        let key = place(&options.key, "key")?;
        let time = options.time.as_deref().map(|time| place(time, "time")).transpose()?;
        if let Some(field) = time.map(|time| &options.schema.fields[time]).filter(|field| field.kind != Kind::Time) {
            return Err(format!("the time field `{}` is of type {}, not time", field.name, field.kind.name()));
        }
        let reader = match &options.format {
            Format::Json => Reader::Json(json::Scanner::new(&options.schema)),
            Format::Csv { delimiter, header } => {
                Reader::Csv(Box::new(csv::Splitter::new(&options.schema, *delimiter, header)))
            }
            Format::Lines(lines) => Reader::Lines(Box::new(lines::Splitter::new(lines, &options.schema, key, time)?)),
        };
        let columns = Columns::new(&options.schema);
        let cells = vec![Cell::MISSING; options.schema.fields.len()];
        Ok(Self { options, key, time, reader, columns, cells })
    }

    /// Decodes the records of a range of a batch. Never fails: what does not fit is in [`Decoded::dead`].
    pub fn decode(&mut self, records: &Records, range: Range<usize>) -> Decoded {
        self.decode_at(records, range)
    }

    /// As [`Decoder::decode`], of the records at these places.
    pub fn decode_at(&mut self, records: &Records, range: impl ExactSizeIterator<Item = usize>) -> Decoded {
        let length = range.len();
        let mut kept = Vec::with_capacity(length);
        let (mut offsets, mut times, mut arrived) =
            (Vec::with_capacity(length), Vec::with_capacity(length), Vec::with_capacity(length));
        let (mut dead, mut coerced, mut keys_cut) = (Vec::new(), 0, 0);
        for index in range {
            match self.record(records, index) {
                Ok(taken) => {
                    for _ in 0..taken.rows {
                        kept.push(index as u32);
                        offsets.push(records.offset(index));
                        times.push(taken.time);
                        arrived.push(records.timestamp(index));
                    }
                    coerced += u64::from(taken.coerced);
                    keys_cut += taken.keys_cut as u64;
                }
                Err((reason, message)) => {
                    let position = records.position(index);
                    dead.push((index as u32, DeadLetter { position, stage: Stage::Decode, reason, message }));
                }
            }
        }
        let (topic, partition) = (records.topic().clone(), records.partition());
        let events = EventBatch { topic, partition, rows: self.columns.finish(), offsets, times, arrived };
        Decoded { events, records: kept, dead, coerced, keys_cut }
    }

    fn record(&mut self, records: &Records, index: usize) -> Result<Taken, Refusal> {
        let value = records.value(index);
        self.check_size(records, index)?;
        let Ok(text) = simdutf8::basic::from_utf8(value) else {
            return Err((Reason::Malformed, "the record is not valid UTF-8".to_owned()));
        };
        let (mut rows, mut keys_cut) = (1, 0);
        let fields = match &mut self.reader {
            Reader::Json(scanner) => {
                scanner.scan(value, &mut self.cells).map_err(|fault| malformed_json(&fault, value))?;
                value
            }
            Reader::Csv(splitter) => splitter.split(value, &mut self.cells).map_err(|fault| {
                let text = format!("the record has {} fields, the header {}", fault.found, fault.expected);
                (Reason::Malformed, text)
            })?,
            Reader::Lines(splitter) => {
                let (key, arrived) = (records.key(index), records.timestamp(index));
                (rows, keys_cut) = splitter.split(text, key, arrived, &mut self.cells)?;
                splitter.choose(0, &mut self.cells);
                value
            }
        };
        let (schema, event_time) = (&self.options.schema, self.time);
        let misfit = |misfit: columns::Misfit, cells: &[Cell], fields: &[u8]| {
            let field = &schema.fields[misfit.column];
            let what = cell::describe(cells[misfit.column], fields, field.kind);
            let reason = if Some(misfit.column) == event_time { Reason::MissingTime } else { Reason::WrongType };
            (reason, format!("field `{}` {what}", field.name))
        };
        let pushed = self.columns.push(&self.cells, fields);
        let mut coerced = pushed.map_err(|fault| misfit(fault, &self.cells, fields))?;
        for row in 1..rows {
            if let Reader::Lines(splitter) = &self.reader {
                splitter.choose(row, &mut self.cells);
            }
            match self.columns.push(&self.cells, value) {
                Ok(count) => coerced += count,
                Err(fault) => {
                    (0..row).for_each(|_| self.columns.pop());
                    return Err(misfit(fault, &self.cells, value));
                }
            }
        }
        // The rows of a line differ in their key alone, and each has one.
        let time = self.check_row(records.timestamp(index));
        if time.is_err() {
            (0..rows).for_each(|_| self.columns.pop());
        }
        let time = time?;
        Ok(Taken { time, coerced, rows, keys_cut })
    }

    fn check_size(&self, records: &Records, index: usize) -> Result<(), Refusal> {
        let cut = records.headers(index).iter().find(|header| header.name == OVERSIZE_HEADER);
        let length = match cut {
            Some(header) => String::from_utf8_lossy(&header.value).into_owned(),
            None if records.value(index).len() > self.options.max_record_bytes => {
                records.value(index).len().to_string()
            }
            None => return Ok(()),
        };
        let limit = self.options.max_record_bytes;
        Err((Reason::TooLarge, format!("the record has {length} bytes; `max_record_bytes` allows {limit}")))
    }

    /// Checks entity and time of the row just pushed.
    fn check_row(&self, arrived: i64) -> Result<EventTime, Refusal> {
        if self.columns.last_is_null(self.key) {
            return Err((Reason::MissingKey, format!("the key field `{}` is missing or null", self.options.key)));
        }
        let Some(column) = self.time else { return Ok(EventTime(arrived)) };
        let Some(time) = self.columns.last_time(column) else {
            let name = &self.options.schema.fields[column].name;
            return Err((Reason::MissingTime, format!("the time field `{name}` is missing or null")));
        };
        let ahead = time.saturating_sub(arrived);
        if ahead > self.options.max_future_micros {
            let ahead_seconds = ahead / lapwing_vocabulary::time::SECOND;
            let mut text = format!(
                "event time {} is {ahead_seconds} s ahead of the record's own time {}; `max_future` allows {}",
                EventTime(time),
                EventTime(arrived),
                lapwing_vocabulary::time::format_duration(self.options.max_future_micros),
            );
            if let Some(confusion) = explain_offset(EventTime(time), EventTime(arrived)) {
                text.push_str(&format!("; {confusion}"));
            }
            return Err((Reason::FutureTime, text));
        }
        Ok(EventTime(time))
    }
}

fn malformed_json(fault: &json::Malformed, value: &[u8]) -> Refusal {
    let found = match value.get(fault.at..) {
        Some([]) | None => "the end".to_owned(),
        Some(rest) => {
            let shown: String = String::from_utf8_lossy(&rest[..rest.len().min(60)]).chars().take(20).collect();
            format!("`{shown}`")
        }
    };
    (Reason::Malformed, format!("not JSON at byte {}: expected {}, found {found}", fault.at, fault.wanted))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::Int64Type;

    use super::schema::Field;
    use super::*;

    const ARRIVED: i64 = 1_767_225_600_000_000; // 2026-01-01T00:00:00Z

    fn decoder(max_record_bytes: usize) -> Decoder {
        let fields = vec![Field::top("h", Kind::Text), Field::top("t", Kind::Time), Field::top("n", Kind::Int)];
        let options = DecodeOptions {
            schema: Schema { fields },
            format: Format::Json,
            key: "h".into(),
            time: Some("t".into()),
            max_future_micros: 600_000_000,
            max_record_bytes,
        };
        Decoder::new(options).unwrap()
    }

    fn decode(values: &[&[u8]]) -> Decoded {
        let mut records = Records::new("in".into(), 2);
        for (offset, value) in values.iter().enumerate() {
            records.push(offset as i64, ARRIVED, None, value, vec![]);
        }
        decoder(100).decode(&records, 0..values.len())
    }

    #[test]
    fn a_record_that_does_not_fit_is_set_aside_and_leaves_no_trace() {
        let decoded = decode(&[
            br#"{"h":"a","t":"2026-01-01T00:00:00Z","n":1}"#,
            br#"{"h":"a","t":"2026-01-01T00:00:00Z","n":"x"}"#,
            br#"{"h":null,"t":"2026-01-01T00:00:00Z","n":3}"#,
            br#"{"h":"a","n":4}"#,
            br#"{"h":"a","t":"2026-01-01T00:11:00Z","n":5}"#,
            b"{\"h\":\"\xff\"}",
            br#"{"h":"a","t":"soon"}"#,
            br#"{"h":"a""#,
            &[b' '; 101],
            br#"{"h":"b","t":1767225600,"n":"9"}"#,
        ]);
        let n = decoded.events.rows.column(2).as_primitive::<Int64Type>();
        assert_eq!(n.values().to_vec(), [1, 9]);
        assert_eq!(decoded.events.rows.column(0).as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(
            (decoded.events.offsets.clone(), decoded.records.clone(), decoded.coerced),
            (vec![0, 9], vec![0, 9], 1)
        );
        let reasons: Vec<Reason> = decoded.dead.iter().map(|(_, letter)| letter.reason).collect();
        use Reason::*;
        let expected = [WrongType, MissingKey, MissingTime, FutureTime, Malformed, MissingTime, Malformed, TooLarge];
        assert_eq!(reasons, expected);
        assert_eq!(decoded.dead[0].1.message, "field `n` is not a whole number of 64 bits: `x`");
        assert_eq!(decoded.dead[6].1.message, "not JSON at byte 8: expected `,` or `}`, found the end");
        assert_eq!(decoded.events.rows.column(2).null_count(), 0);
    }
}
