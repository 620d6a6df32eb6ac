//! Trials as they are made, one line of JSON each, so that a search that was stopped goes on where it was.
//!
//! ```text
//! {"format":1,"setup":{…}}                              what is searched, on what: must be the same to go on
//! {"rows":1000,"options":{"trees":50},"scores":[0.9]}   a trial: rows it used, its options, its score on each fold
//! {"rows":1000,"options":{"trees":1},"error":"…"}       a trial that could not be made
//! ```

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::EvaluateError;

/// Version of the lines.
const FORMAT: u64 = 1;
/// Largest journal that is read; a million trials. Units: bytes.
const JOURNAL_BYTES_MAX: u64 = 256 << 20;

/// One trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Rows it used.
    pub rows: u64,
    /// Its options by name.
    pub options: Map<String, Value>,
    /// Its score on each fold; empty if it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<f64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Trials of a search, kept in a file if there is one.
#[derive(Debug)]
pub(crate) struct Journal {
    file: Option<(PathBuf, File)>,
    trials: Vec<Trial>,
}

impl Journal {
    /// Opens a journal, or begins one; a line cut short by a crash is dropped.
    /// Errors: `Setting` if it is of another search, with what differs; `Data` if it is no journal; `Write`.
    pub(crate) fn open(path: Option<&Path>, setup: &Map<String, Value>) -> Result<Self, EvaluateError> {
        let Some(path) = path else { return Ok(Self { file: None, trials: Vec::new() }) };
        let refuse = |error: std::io::Error| EvaluateError::write(path, error);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(refuse)?;
        let (lines, whole) = complete_lines(&mut file, path)?;
        // What is no journal stays as it is.
        match lines.first() {
            Some(header) => check_header(path, header, setup)?,
            // Only a header that was cut short by a crash may be begun again.
            None if !begun(path, setup)? => {
                return Err(EvaluateError::data(path, "it is no journal of a search; name another file, or remove it"));
            }
            None => {}
        }
        file.set_len(whole).map_err(refuse)?;
        file.seek(SeekFrom::End(0)).map_err(refuse)?;
        let mut journal = Self { file: Some((path.to_owned(), file)), trials: Vec::new() };
        match lines.split_first() {
            None => journal.write(&header(setup))?,
            Some((_, trials)) => {
                for (line, trial) in trials.iter().enumerate() {
                    let trial = serde_json::from_str(trial)
                        .map_err(|error| EvaluateError::data(path, format!("line {}: {error}", line + 2)))?;
                    journal.trials.push(trial);
                }
            }
        }
        Ok(journal)
    }

    /// The trial with these options on so many rows, if it was made before.
    pub(crate) fn find(&self, rows: u64, options: &Map<String, Value>) -> Option<&Trial> {
        self.trials.iter().find(|trial| trial.rows == rows && trial.options == *options)
    }

    /// Keeps a trial. Errors: `Write`.
    pub(crate) fn add(&mut self, trial: Trial) -> Result<(), EvaluateError> {
        self.write(&trial)?;
        self.trials.push(trial);
        Ok(())
    }

    fn write(&mut self, line: &impl Serialize) -> Result<(), EvaluateError> {
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        let mut text = serde_json::to_string(line).expect("trials hold names and numbers only");
        text.push('\n');
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
        written.map_err(|error| EvaluateError::write(path, error))
    }
}

/// Lines that end with a line break, and the number of their bytes.
/// The first line.
fn header(setup: &Map<String, Value>) -> Value {
    json!({ "format": FORMAT, "setup": setup })
}

/// Whether a file without a whole line is empty, or the beginning of a journal of this search.
fn begun(path: &Path, setup: &Map<String, Value>) -> Result<bool, EvaluateError> {
    let refuse = |error: std::io::Error| EvaluateError::write(path, error);
    let whole = header(setup).to_string();
    let mut start = Vec::new();
    File::open(path).map_err(refuse)?.take(whole.len() as u64 + 1).read_to_end(&mut start).map_err(refuse)?;
    Ok(whole.as_bytes().starts_with(&start))
}

fn complete_lines(file: &mut File, path: &Path) -> Result<(Vec<String>, u64), EvaluateError> {
    let bytes = file.metadata().map_err(|error| EvaluateError::write(path, error))?.len();
    if bytes > JOURNAL_BYTES_MAX {
        return Err(EvaluateError::data(path, format!("{bytes} bytes are too many for a journal; name another file")));
    }
    let mut reader = BufReader::new(file);
    let (mut lines, mut whole) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        let read = reader.read_line(&mut line).map_err(|error| EvaluateError::data(path, error))?;
        if !line.ends_with('\n') {
            return Ok((lines, whole));
        }
        whole += read as u64;
        lines.push(line);
    }
}

fn check_header(path: &Path, line: &str, setup: &Map<String, Value>) -> Result<(), EvaluateError> {
    let header: Value = serde_json::from_str(line)
        .map_err(|_| EvaluateError::data(path, "it does not begin as a journal does; name another file"))?;
    let (Some(FORMAT), Some(written)) = (header["format"].as_u64(), header["setup"].as_object()) else {
        return Err(EvaluateError::data(path, "it is no journal of this version; name another file"));
    };
    let names = setup.keys().chain(written.keys().filter(|name| !setup.contains_key(*name)));
    let show = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
    let changed: Vec<String> = names
        .filter(|name| setup.get(*name) != written.get(*name))
        .map(|name| format!("`{name}` was {} and is {}", show(written.get(name)), show(setup.get(name))))
        .collect();
    match changed.is_empty() {
        true => Ok(()),
        false => Err(EvaluateError::setting(format!(
            "the journal {} is of another search: {}; name another file, or search as then",
            path.display(),
            changed.join("; ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn setup(seed: u64) -> Map<String, Value> {
        Map::from_iter([("data".to_owned(), json!("abc")), ("seed".to_owned(), json!(seed))])
    }

    fn trial(trees: u64, score: f64) -> Trial {
        let options = Map::from_iter([("trees".to_owned(), json!(trees))]);
        Trial { rows: 10, options, scores: vec![score], error: None }
    }

    #[test]
    fn what_is_no_journal_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.json");
        for text in ["{\"a\": 1}", "first\nsecond", "{}\nrest"] {
            fs::write(&path, text).unwrap();
            assert!(Journal::open(Some(&path), &setup(1)).is_err(), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let whole = header(&setup(1)).to_string();
        fs::write(&path, &whole[..9]).unwrap();
        assert!(Journal::open(Some(&path), &setup(1)).unwrap().trials.is_empty(), "a crash cut the first line");
    }

    #[test]
    fn trials_are_found_again_and_a_line_cut_short_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::open(Some(&path), &setup(1)).unwrap();
        let exact = 0.1 + 0.2;
        journal.add(trial(1, exact)).unwrap();
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str(r#"{"rows":10,"opt"#);
        fs::write(&path, text).unwrap();
        let mut journal = Journal::open(Some(&path), &setup(1)).unwrap();
        assert_eq!(journal.find(10, &trial(1, 0.0).options), Some(&trial(1, exact)));
        assert_eq!(journal.find(11, &trial(1, 0.0).options), None);
        journal.add(trial(2, 0.5)).unwrap();
        assert_eq!(Journal::open(Some(&path), &setup(1)).unwrap().trials, [trial(1, exact), trial(2, 0.5)]);
    }

    #[test]
    fn a_journal_of_format_1_is_read_as_on_the_day_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        fs::write(&path, include_str!("../../tests/golden/journal.v1.jsonl")).unwrap();
        let failed = Trial { scores: Vec::new(), error: Some("too few rows".to_owned()), ..trial(3, 0.0) };
        let journal = Journal::open(Some(&path), &setup(1)).unwrap();
        assert_eq!(journal.trials, [trial(1, 0.25), trial(2, 0.1 + 0.2), failed]);
    }

    #[test]
    fn another_search_and_other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        Journal::open(Some(&path), &setup(1)).unwrap();
        let refused = Journal::open(Some(&path), &setup(2)).unwrap_err().to_string();
        assert!(refused.contains("`seed` was 1 and is 2"), "{refused}");
        fs::write(&path, "a,b\n1,2\n").unwrap();
        assert!(matches!(Journal::open(Some(&path), &setup(1)), Err(EvaluateError::Data(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "a,b\n1,2\n");
    }
}
