//! One event of a log per record. Its layout says which fields there are; of a line that names several keys each gets
//! the event.

use std::ops::Range;

use lapwing_logs::{FieldKind, Keys, Layout};
use lapwing_vocabulary::Reason;

use super::Refusal;
use super::cell::{Cell, Shape};
use super::schema::{Field, Kind, Schema};
use crate::settings::{FieldType, LINE, Lines};

/// Splits the lines of a log into the cells of a schema's columns.
#[derive(Debug)]
pub(super) struct Splitter {
    layout: Layout,
    keys: Option<Keys>,
    /// For each field of the layout, the column it feeds.
    columns: Vec<Option<u16>>,
    line: Option<u16>,
    /// Column of the entity.
    key: u16,
    /// Column of event time.
    time: Option<usize>,
    fields: Vec<Option<Range<u32>>>,
    found: Vec<Range<u32>>,
}

/// The columns that lines give.
/// Errors: what is wrong with their layout.
pub fn schema(lines: &Lines, key: &str) -> Result<Schema, String> {
    lines.compile().map_err(|error| error.to_string())?;
    let kind = |kind| match kind {
        FieldType::Int => Kind::Int,
        FieldType::Float => Kind::Float,
        FieldType::Text => Kind::Text,
        FieldType::Bool => Kind::Bool,
        FieldType::Time => Kind::Time,
    };
    let fields = lines.columns(key).unwrap_or_default();
    Ok(Schema { fields: fields.iter().map(|field| Field::top(&field.name, kind(field.kind))).collect() })
}

impl Splitter {
    /// `key` and `time` are columns of the schema.
    pub(super) fn new(lines: &Lines, schema: &Schema, key: usize, time: Option<usize>) -> Result<Self, String> {
        let layout = lines.compile().map_err(|error| error.to_string())?;
        let keys = lines.keys.as_deref().map(Keys::new).transpose().map_err(|error| error.to_string())?;
        let column = |name: &str| schema.fields.iter().position(|field| field.name == name).map(|at| at as u16);
        let columns = layout.fields().iter().map(|field| column(&field.name)).collect();
        let line = column(LINE);
        Ok(Self { layout, keys, columns, line, key: key as u16, time, fields: Vec::new(), found: Vec::new() })
    }

    /// Splits one line; returns the number of keys it is for, and how many it names beyond those that count. `own` is
    /// the key of its record: a line that was sent to each of its keys is there for that one.
    pub(super) fn split(
        &mut self,
        line: &str,
        own: Option<&[u8]>,
        arrived: i64,
        cells: &mut [Cell],
    ) -> Result<(usize, usize), Refusal> {
        cells.fill(Cell::MISSING);
        self.layout.split(line, &mut self.fields).map_err(|misfit| (Reason::Malformed, misfit.to_string()))?;
        for (at, range) in self.fields.iter().enumerate() {
            let (Some(column), Some(range)) = (self.columns[at], range) else { continue };
            let field = &self.layout.fields()[at];
            let text = &line[range.start as usize..range.end as usize];
            cells[column as usize] = match field.kind {
                FieldKind::Time => match self.layout.time(at, text, arrived) {
                    Ok(micros) => Cell::moment(micros),
                    Err(misfit) => {
                        let is_event_time = self.time == Some(column as usize);
                        let reason = if is_event_time { Reason::MissingTime } else { Reason::WrongType };
                        return Err((reason, format!("field `{}`: {misfit}", field.name)));
                    }
                },
                FieldKind::Text => Cell { shape: Shape::Text, start: range.start, end: range.end },
                FieldKind::Integer | FieldKind::Float => {
                    Cell { shape: Shape::Untyped, start: range.start, end: range.end }
                }
            };
        }
        if let Some(column) = self.line {
            let end = line.trim_end_matches(['\r', '\n']).len();
            cells[column as usize] = Cell { shape: Shape::Text, start: 0, end: end as u32 };
        }
        let Some(keys) = &self.keys else { return Ok((1, 0)) };
        let beyond = keys.find(line, &mut self.found);
        if self.found.is_empty() {
            return Err((Reason::MissingKey, "the line names no key: nothing in it fits `keys`".to_owned()));
        }
        let bytes = |range: &Range<u32>| &line.as_bytes()[range.start as usize..range.end as usize];
        match own.and_then(|own| self.found.iter().position(|range| bytes(range) == own)) {
            Some(at) => {
                self.found.swap(0, at);
                self.found.truncate(1);
                Ok((1, 0))
            }
            None => Ok((self.found.len(), beyond)),
        }
    }

    /// Makes the cells those of one of the keys.
    pub(super) fn choose(&self, key: usize, cells: &mut [Cell]) {
        if let (Some(_), Some(range)) = (&self.keys, self.found.get(key)) {
            cells[self.key as usize] = Cell { shape: Shape::Text, start: range.start, end: range.end };
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use lapwing_vocabulary::{EventTime, Records};

    use super::*;
    use crate::decode::{DecodeOptions, Decoded, Decoder, Format};
    use crate::settings::LineLayout;

    const HDFS: &str = "081109 203518 143 INFO dfs.DataNode$DataXceiver: ";

    fn lines() -> Lines {
        let keys = Some(r"blk_-?\d+".to_owned());
        Lines { layout: LineLayout::Named("hdfs".to_owned()), keys, offset_seconds: 0, multiline: None }
    }

    fn decode(records: &[(Option<&str>, String)]) -> Decoded {
        let schema = schema(&lines(), "block").unwrap();
        let options = DecodeOptions {
            schema,
            format: Format::Lines(lines()),
            key: "block".into(),
            time: Some("time".into()),
            max_future_micros: 600_000_000,
            max_record_bytes: 300,
        };
        let mut batch = Records::new("in".into(), 0);
        for (offset, (key, value)) in records.iter().enumerate() {
            batch.push(offset as i64, i64::MAX / 2, key.map(str::as_bytes), value.as_bytes(), vec![]);
        }
        Decoder::new(options).unwrap().decode(&batch, 0..records.len())
    }

    fn texts(decoded: &Decoded, column: &str) -> Vec<String> {
        let column = decoded.events.rows.column_by_name(column).unwrap().as_string::<i32>();
        column.iter().flatten().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_goes_to_each_of_its_keys_and_one_that_was_sent_to_a_key_to_that() {
        let two = format!("{HDFS}Deleting blk_1 and blk_-2, blk_1");
        let decoded = decode(&[(None, two.clone()), (Some("blk_-2"), two.clone()), (Some("elsewhere"), two.clone())]);
        assert_eq!(texts(&decoded, "block"), ["blk_1", "blk_-2", "blk_-2", "blk_1", "blk_-2"]);
        assert_eq!(decoded.records, [0, 0, 1, 2, 2]);
        assert_eq!(decoded.events.offsets, [0, 0, 1, 2, 2]);
        assert_eq!(decoded.events.times[0], EventTime::parse("2008-11-09T20:35:18Z").unwrap());
        assert_eq!(texts(&decoded, "message")[0], "Deleting blk_1 and blk_-2, blk_1");
        assert_eq!(texts(&decoded, LINE)[0], two);
        assert_eq!(texts(&decoded, "level")[0], "INFO");
    }

    #[test]
    fn what_does_not_fit_is_set_aside_with_its_reason() {
        let decoded = decode(&[
            (None, format!("{HDFS}no block here")),
            (None, "081399 203518 143 INFO a: blk_1".to_owned()),
            (None, "no header".to_owned()),
            (None, String::new()),
            (None, format!("{HDFS}{} blk_1", "x".repeat(300))),
            (None, format!("{HDFS}blk_1\r\n")),
        ]);
        let reasons: Vec<Reason> = decoded.dead.iter().map(|(_, letter)| letter.reason).collect();
        use Reason::*;
        let expected = [MissingKey, MissingTime, Malformed, Malformed, TooLarge];
        // A date that is none may be found when the line is split, or when its time is read.
        assert!(
            reasons == expected || reasons == [MissingKey, Malformed, Malformed, Malformed, TooLarge],
            "{reasons:?}"
        );
        assert_eq!(texts(&decoded, "block"), ["blk_1"]);
        assert_eq!(texts(&decoded, LINE), [format!("{HDFS}blk_1")]);
    }

    #[test]
    fn a_line_of_too_many_keys_says_how_many_were_left_out() {
        let keys: Vec<String> = (0..Keys::MAX + 3).map(|at| format!("blk_{at}")).collect();
        let mut splitter = Splitter::new(&lines(), &schema(&lines(), "block").unwrap(), 0, None).unwrap();
        let mut cells = vec![Cell::MISSING; splitter.columns.len() + 2];
        let line = format!("{HDFS}{}", keys.join(" "));
        assert_eq!(splitter.split(&line, None, 0, &mut cells).unwrap(), (Keys::MAX, 3));
    }
}
