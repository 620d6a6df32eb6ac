//! Data files in all their forms.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use flate2::Compression;
use flate2::write::GzEncoder;
use lapwing_evaluate::read::{DataFile, Kind};
use npyz::{TypeStr, WriterBuilder};
use parquet::arrow::ArrowWriter;

use crate::world::{file, options, rows, run};

fn kinds(path: &Path) -> Vec<(String, Kind)> {
    DataFile::open(path).unwrap().columns().iter().map(|column| (column.name.clone(), column.kind)).collect()
}

#[test]
fn types_hold_for_every_row_not_only_the_first_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "number,flag,mixed,empty,words\n".to_owned();
    for row in 0..500 {
        text.push_str(&format!("{row},{},{row},,w{}\n", if row % 2 == 0 { "true" } else { "no" }, row % 3));
    }
    text.push_str("NaN,?,late,NA,-\n");
    let found = kinds(&file(folder.path(), "a.csv", text));
    let expected = [Kind::Number, Kind::Number, Kind::Text, Kind::Number, Kind::Text];
    assert_eq!(found.iter().map(|(_, kind)| *kind).collect::<Vec<_>>(), expected);
}

#[test]
fn names_are_found_made_up_or_known() {
    let folder = tempfile::tempdir().unwrap();
    let names = |name: &str, text: &str| -> Vec<String> {
        kinds(&file(folder.path(), name, text)).into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names("named", "\u{feff}a, b ,a,\n1,2,3,4\n"), ["a", "b", "a_2", "column_4"]);
    assert_eq!(names("bare", "1,x\n2,y\n"), ["column_1", "column_2"]);
    assert_eq!(names("semicolons", "a;b;c\n1,5;2;3\n"), ["a", "b", "c"]);
    assert_eq!(names("numbered", "0,1,2,label\n5,3,4,ok\n"), ["0", "1", "2", "label"]);
    assert_eq!(names("by_chance", "0,1,ok\n5,3,bad\n"), ["column_1", "column_2", "column_3"]);
    assert_eq!(names("words", "ann,bob\ncid,bob\n"), ["column_1", "column_2"]);
    assert_eq!(names("no_repeats", "ann,bob\ncid,dan\n"), ["ann", "bob"]);
    let connection = format!("0,tcp,http,SF{},normal.\n", ",1".repeat(37));
    let kdd = names("kdd", &connection);
    assert_eq!((kdd.len(), kdd[1].as_str(), kdd[41].as_str()), (42, "protocol_type", "label"));
}

#[test]
fn compressed_files_are_read_whatever_they_are_called() {
    let folder = tempfile::tempdir().unwrap();
    let plain = kinds(&file(folder.path(), "rows.csv", rows(100)));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(rows(100).as_bytes()).unwrap();
    assert_eq!(kinds(&file(folder.path(), "a", gzip.finish().unwrap())), plain);
    assert_eq!(kinds(&file(folder.path(), "b", zstd::encode_all(rows(100).as_bytes(), 1).unwrap())), plain);
}

#[test]
fn parquet_gives_the_same_report_as_the_same_rows_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let count = 300;
    let label = |row: usize| if row % 30 == 7 { "odd" } else { "normal" };
    let number = |row: usize| (row * 37 % 101) as i32 + if row % 30 == 7 { 500 } else { 0 };
    let mut text = "when,number,flag,word,label\n".to_owned();
    for row in 0..count {
        text.push_str(&format!("{row},{},{},w{},{}\n", number(row), row % 2 == 0, row % 5, label(row)));
    }
    let columns: [(&str, ArrayRef); 5] = [
        ("when", Arc::new((0..count as i64).map(Some).collect::<TimestampMicrosecondArray>())),
        ("number", Arc::new((0..count).map(number).collect::<Int32Array>())),
        ("flag", Arc::new((0..count).map(|row| Some(row % 2 == 0)).collect::<BooleanArray>())),
        ("word", Arc::new((0..count).map(|row| Some(format!("w{}", row % 5))).collect::<StringArray>())),
        ("label", Arc::new((0..count).map(|row| Some(label(row))).collect::<StringArray>())),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let path = folder.path().join("rows.parquet");
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let mut parquet = options(&path);
    parquet.roles.exclude.clear();
    let mut csv = options(&file(folder.path(), "rows.csv", text));
    csv.roles.exclude.clear();
    assert_eq!(run(&parquet).unwrap().fused, run(&csv).unwrap().fused);
}

/// An array as numpy writes it, column by column if `fortran`.
fn array(values: &[f64], shape: &[u64], fortran: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let kind: TypeStr = "<f8".parse().unwrap();
    let order = if fortran { npyz::Order::Fortran } else { npyz::Order::C };
    let options = npyz::WriteOptions::new().dtype(npyz::DType::Plain(kind)).shape(shape).order(order);
    let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
    values.iter().for_each(|value| writer.push(value).unwrap());
    writer.finish().unwrap();
    bytes
}

fn archive(path: &Path, arrays: &[(&str, Vec<u8>)]) {
    let mut archive = zip::ZipWriter::new(File::create(path).unwrap());
    for (name, bytes) in arrays {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}

#[test]
fn numpy_archives_are_read_in_both_orders() {
    let folder = tempfile::tempdir().unwrap();
    let value = |row: usize, column: usize| (row * 7 % 13 + column) as f64 + if row % 20 == 3 { 50.0 } else { 0.0 };
    let by_row: Vec<f64> = (0..200).flat_map(|row| (0..3).map(move |column| value(row, column))).collect();
    let by_column: Vec<f64> = (0..3).flat_map(|column| (0..200).map(move |row| value(row, column))).collect();
    let labels: Vec<f64> = (0..200).map(|row| f64::from(u8::from(row % 20 == 3))).collect();
    let mut reports = Vec::new();
    for (name, values, fortran) in [("c.npz", by_row, false), ("f.npz", by_column, true)] {
        let path = folder.path().join(name);
        let arrays = [("X.npy", array(&values, &[200, 3], fortran)), ("y.npy", array(&labels, &[200], false))];
        archive(&path, &arrays);
        let mut options = options(&path);
        (options.roles.label, options.roles.exclude) = ("y".to_owned(), Vec::new());
        reports.push(run(&options).unwrap());
    }
    assert_eq!(reports[0].fused, reports[1].fused);
    assert_eq!((reports[0].setup.columns, reports[0].setup.anomalies), (3, 10));
    assert!(reports[0].fused.figures.roc_auc > 0.99);
}

#[test]
fn an_archive_that_is_not_what_it_says_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let refused = |arrays: &[(&str, Vec<u8>)]| {
        archive(&path, arrays);
        DataFile::open(&path).unwrap_err().to_string()
    };
    assert!(refused(&[("Z.npy", array(&[1.0], &[1], false))]).contains("no array `X`"));
    let rows = array(&[1.0, 2.0], &[2, 1], false);
    assert!(refused(&[("X.npy", rows.clone()), ("y.npy", array(&[1.0], &[1], false))]).contains("`y` has 1 values"));
    assert!(refused(&[("X.npy", rows[..rows.len() - 3].to_vec())]).contains("array `X`"));
    let huge = String::from_utf8_lossy(&rows[10..]).replace("(2, 1)", "(9999999999, 9999999999)");
    let header = [&rows[..8], &(huge.len() as u16).to_le_bytes(), huge.as_bytes()].concat();
    assert!(refused(&[("X.npy", header)]).contains("array `X`"));
    assert!(refused(&[("X.npy", array(&[1.0], &[1, 1, 1], false))]).contains("3 dimensions"));
}
