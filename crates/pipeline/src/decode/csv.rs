//! One CSV record per event. The header, or the declared column names, say which field is which column.

use super::cell::{Cell, Shape};
use super::schema::Schema;

/// Splits CSV records into the cells of a schema's columns.
#[derive(Debug)]
pub(super) struct Splitter {
    delimiter: u8,
    /// For each field of a record, the column it feeds.
    columns: Vec<Option<u16>>,
    reader: csv_core::Reader,
    fields: Vec<u8>,
    ends: Vec<usize>,
}

/// A record has another number of fields than the header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WrongWidth {
    pub(super) found: usize,
    pub(super) expected: usize,
}

impl Splitter {
    pub(super) fn new(schema: &Schema, delimiter: u8, header: &[String]) -> Self {
        let column =
            |name: &String| schema.fields.iter().position(|field| field.path == [name.as_str()]).map(|at| at as u16);
        Self {
            delimiter,
            columns: header.iter().map(column).collect(),
            reader: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            fields: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Splits one record. The cells refer to the returned bytes, in which quotes are resolved.
    pub(super) fn split(&mut self, record: &[u8], cells: &mut [Cell]) -> Result<&[u8], WrongWidth> {
        cells.fill(Cell::MISSING);
        let width = self.fields_of(record);
        if width != self.columns.len() {
            return Err(WrongWidth { found: width, expected: self.columns.len() });
        }
        for (field, column) in self.columns.iter().enumerate() {
            let Some(column) = column else { continue };
            let start = if field == 0 { 0 } else { self.ends[field - 1] };
            if self.ends[field] > start {
                cells[*column as usize] =
                    Cell { shape: Shape::Untyped, start: start as u32, end: self.ends[field] as u32 };
            }
        }
        Ok(&self.fields)
    }

    /// Splits one record and returns its number of fields.
    fn fields_of(&mut self, record: &[u8]) -> usize {
        // Quotes only shrink a record, and every field but the last costs a delimiter.
        self.fields.resize(record.len() + 1, 0);
        let delimiters = memchr::memchr_iter(self.delimiter, record).count();
        self.ends.resize(delimiters + 2, 0);
        self.reader.reset();
        let (result, _, mut length, mut width) = self.reader.read_record(record, &mut self.fields, &mut self.ends);
        if matches!(result, csv_core::ReadRecordResult::InputEmpty) {
            // Only the end of input closes the last field.
            let (_, _, more, closed) =
                self.reader.read_record(&[], &mut self.fields[length..], &mut self.ends[width..]);
            length += more;
            width += closed;
        }
        self.fields.truncate(length);
        width
    }
}

/// Field names of a header line.
pub fn header_names(line: &[u8], delimiter: u8) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).delimiter(delimiter).from_reader(line);
    let mut record = csv::ByteRecord::new();
    match reader.read_byte_record(&mut record) {
        Ok(true) => record.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::{Field, Kind};
    use super::*;

    fn cells(record: &str) -> Result<Vec<String>, WrongWidth> {
        let schema = Schema { fields: vec![Field::top("a", Kind::Int), Field::top("c", Kind::Text)] };
        let mut splitter = Splitter::new(&schema, b',', &header_names(b"a,b,c\r\n", b','));
        let mut cells = [Cell::MISSING; 2];
        let bytes = splitter.split(record.as_bytes(), &mut cells)?.to_vec();
        Ok(cells.iter().map(|cell| String::from_utf8(cell.bytes(&bytes).to_vec()).unwrap()).collect())
    }

    #[test]
    fn fields_reach_their_columns_through_quotes() {
        assert_eq!(cells("1,x,two").unwrap(), ["1", "two"]);
        assert_eq!(cells("1,\"x,y\",\"say \"\"hi\"\"\"").unwrap(), ["1", "say \"hi\""]);
        assert_eq!(cells("1,\"two\nlines\",z\r").unwrap(), ["1", "z"]);
        assert_eq!(cells(",,").unwrap(), ["", ""]);
    }

    #[test]
    fn a_record_of_another_width_is_refused() {
        assert_eq!(cells("1,2"), Err(WrongWidth { found: 2, expected: 3 }));
        assert_eq!(cells("1,2,3,4"), Err(WrongWidth { found: 4, expected: 3 }));
    }
}
