use std::io::Cursor;
use std::ops::Range;
use std::panic::catch_unwind;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{cast, concat_batches};
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use parquet::DecodeResult;
use parquet::arrow::push_decoder::ParquetPushDecoderBuilder;
use parquet::errors::ParquetError;
use parquet::file::metadata::{FooterTail, ParquetMetaDataReader};

/// Rows parsed at a time.
const CHUNK_ROWS: usize = 8192;

/// Reads the bytes of a file with this ending; an error is the reason in words.
pub(crate) fn parse(ending: &str, bytes: &[u8]) -> Result<RecordBatch, String> {
    match ending.to_ascii_lowercase().as_str() {
        "csv" => parse_csv(bytes).map_err(|error| error.to_string()),
        "json" | "jsonl" | "ndjson" => parse_json(bytes),
        "parquet" => match catch_unwind(|| parse_parquet(bytes)) {
            Ok(parsed) => parsed.map_err(|error| error.to_string()),
            // The Parquet reader checks lengths by panics in places, and a damaged file must not stop the pipeline.
            Err(_) => Err("the file is damaged: its pages contradict each other; write it again".to_owned()),
        },
        other => Err(format!("the ending `{other}` is not known; use csv, json, jsonl, ndjson or parquet")),
    }
}

fn parse_csv(bytes: &[u8]) -> Result<RecordBatch, ArrowError> {
    // Spreadsheets put a byte order mark in front, which would become part of the first name.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let format = Format::default().with_header(true);
    // All rows are looked at: a type inferred from the first few would make a later row unreadable.
    let (schema, _) = format.infer_schema(Cursor::new(bytes), None)?;
    let schema = Arc::new(schema);
    let reader = arrow::csv::ReaderBuilder::new(schema.clone())
        .with_format(format)
        .with_batch_size(CHUNK_ROWS)
        .build(Cursor::new(bytes))?;
    concat_batches(&schema, &reader.collect::<Result<Vec<_>, _>>()?)
}

fn parse_json(bytes: &[u8]) -> Result<RecordBatch, String> {
    let lines;
    let bytes = match bytes.trim_ascii_start().first() {
        Some(b'[') => {
            lines = array_to_lines(bytes)?;
            &lines
        }
        _ => bytes,
    };
    let text = |error: ArrowError| error.to_string();
    let (schema, _) = arrow::json::reader::infer_json_schema(Cursor::new(bytes), None).map_err(text)?;
    let schema = Arc::new(schema);
    let reader = arrow::json::ReaderBuilder::new(schema.clone()).with_batch_size(CHUNK_ROWS).build(Cursor::new(bytes));
    let batches = reader.map_err(text)?.collect::<Result<Vec<_>, _>>().map_err(text)?;
    concat_batches(&schema, &batches).map_err(text)
}

fn array_to_lines(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let rows: Vec<serde_json::Value> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let mut lines = Vec::with_capacity(bytes.len());
    for row in &rows {
        serde_json::to_writer(&mut lines, row).map_err(|error| error.to_string())?;
        lines.push(b'\n');
    }
    Ok(lines)
}

fn parse_parquet(bytes: &[u8]) -> Result<RecordBatch, ParquetError> {
    let metadata = ParquetMetaDataReader::decode_metadata(footer(bytes)?)?;
    let builder = ParquetPushDecoderBuilder::try_new_decoder(Arc::new(metadata))?;
    let schema = builder.schema().clone();
    let (mut decoder, mut batches) = (builder.with_batch_size(CHUNK_ROWS).build()?, Vec::new());
    loop {
        match decoder.try_decode()? {
            DecodeResult::Data(batch) => batches.push(batch),
            DecodeResult::NeedsData(ranges) => {
                let parts = parts_of(bytes, &ranges)?;
                decoder.push_ranges(ranges, parts.into_iter().map(Into::into).collect())?;
            }
            DecodeResult::Finished => return Ok(concat_batches(&schema, &batches)?),
        }
    }
}

/// The metadata at the end of the file: its length is taken from the last eight bytes, and may be a lie.
fn footer(bytes: &[u8]) -> Result<&[u8], ParquetError> {
    let short = || ParquetError::EOF("the file ends too early".to_owned());
    let (rest, tail) = bytes.split_last_chunk::<8>().ok_or_else(short)?;
    let length = FooterTail::try_new(tail)?.metadata_length();
    rest.len().checked_sub(length).map(|start| &rest[start..]).ok_or_else(short)
}

fn parts_of(bytes: &[u8], ranges: &[Range<u64>]) -> Result<Vec<Vec<u8>>, ParquetError> {
    let part = |range: &Range<u64>| bytes.get(range.start as usize..range.end as usize).map(<[u8]>::to_vec);
    let parts: Option<Vec<_>> = ranges.iter().map(part).collect();
    parts.ok_or_else(|| ParquetError::EOF("the file ends too early".to_owned()))
}

/// Turns string views, large strings and dictionaries into plain strings, which is what every stage understands.
pub(crate) fn plain_columns(batch: RecordBatch) -> Result<RecordBatch, String> {
    let schema = batch.schema();
    let fields: Vec<Field> =
        schema.fields().iter().map(|f| f.as_ref().clone().with_data_type(plain_type(f.data_type()))).collect();
    let columns: Result<Vec<_>, _> =
        batch.columns().iter().zip(&fields).map(|(column, field)| cast(column, field.data_type())).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.map_err(|error| error.to_string())?)
        .map_err(|error| error.to_string())
}

fn plain_type(kind: &DataType) -> DataType {
    match kind {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        // A column without any value in it.
        DataType::Null => DataType::Utf8,
        DataType::Dictionary(_, value) => plain_type(value),
        other => other.clone(),
    }
}
