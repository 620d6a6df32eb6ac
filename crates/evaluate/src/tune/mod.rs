//! The whole of `lapwing tune` behind one struct of options: a search for the options with which a method does best on
//! labelled rows, each trial measured on rows it has not learned from.

/// Which options are tried.
mod space;
/// Rows to learn from and rows to test on.
mod fold;
/// Trials as they are made.
mod journal;
/// One trial.
mod trial;
/// Which trials are made.
mod search;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;

use indicatif::ProgressBar;
use lapwing_detect::{Method, OptionValue};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::detectors::{named, set_all};
use crate::error::EvaluateError;
use crate::ranking::{FALSE_POSITIVE_RATES, Figures};
use crate::read::DataFile;
use crate::roles::Roles;
use journal::Journal;
pub use journal::Trial;
use search::Search;
pub use space::Space;
use trial::Rows;

/// Trials unless told otherwise.
pub const TRIALS: usize = 30;
/// Folds unless told otherwise.
pub const FOLDS: usize = 5;
/// Most trials.
pub const TRIALS_MAX: usize = 100_000;

/// The figure to raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objective {
    /// Average precision.
    PrAuc,
    /// Area under the ROC curve.
    RocAuc,
    /// Recall at the false positive rate at that place of [`FALSE_POSITIVE_RATES`].
    TprAtFpr(usize),
}

/// How trials are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Evenly over the space.
    Grid,
    /// At random.
    Random,
    /// At random on few rows; the best third goes on to three times the rows, again and again.
    /// Source: Jamieson, Talwalkar 2016, "Non-stochastic Best Arm Identification".
    Halving,
}

/// What to search, and how.
#[derive(Clone, Debug)]
pub struct TuneOptions {
    /// The labelled rows.
    pub data: PathBuf,
    /// What the columns are for.
    pub roles: Roles,
    /// Name of the method.
    pub method: String,
    /// Options that are not searched: `OPTION=VALUE`.
    pub settings: Vec<String>,
    /// Options to search: `OPTION=LOW..HIGH` or `OPTION=VALUE,VALUE`; empty for the method's own space.
    pub searches: Vec<String>,
    /// How trials are chosen.
    pub strategy: Strategy,
    /// Most trials of the first round.
    pub trials: usize,
    /// How often each trial is measured.
    pub folds: usize,
    /// Test only on rows later than those learned from.
    pub forward: bool,
    /// The figure to raise.
    pub objective: Objective,
    /// Where trials are kept, to go on later.
    pub journal: Option<PathBuf>,
    /// Most rows to use.
    pub sample: usize,
    /// Seed of everything drawn.
    pub seed: u64,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tuned {
    /// The method.
    pub method: String,
    /// The figure that was raised.
    pub objective: String,
    /// Rows the last trials used.
    pub rows: u64,
    /// How rows to learn from and rows to test on were told apart.
    pub validation: String,
    /// What was searched.
    pub space: Vec<String>,
    /// Mean of the default options over the folds, and its standard deviation.
    pub default: (f64, f64),
    /// The same of the best options.
    pub best: (f64, f64),
    /// All options of the best trial.
    #[serde(skip)]
    pub best_method: Method,
    /// All trials in the order in which they were made.
    pub trials: Vec<Trial>,
    /// What a person should know before trusting this.
    pub notes: Vec<String>,
}

impl FromStr for Objective {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rate) = text.split_once('=').map_or((text, None), |(name, rate)| (name, Some(rate)));
        match (name, rate) {
            ("pr_auc", None) => Ok(Self::PrAuc),
            ("roc_auc", None) => Ok(Self::RocAuc),
            ("tpr_at_fpr", None) => Ok(Self::TprAtFpr(FALSE_POSITIVE_RATES.len() - 1)),
            ("tpr_at_fpr", Some(rate)) => {
                let place = FALSE_POSITIVE_RATES.iter().position(|known| rate.parse() == Ok(*known));
                place.map(Self::TprAtFpr).ok_or_else(|| format!("{rate} is none of {FALSE_POSITIVE_RATES:?}"))
            }
            _ => Err("pr_auc, roc_auc, tpr_at_fpr, or tpr_at_fpr=RATE".to_owned()),
        }
    }
}

impl Objective {
    fn of(self, figures: &Figures) -> f64 {
        match self {
            Self::PrAuc => figures.pr_auc,
            Self::RocAuc => figures.roc_auc,
            Self::TprAtFpr(place) => figures.tpr_at_fpr[place],
        }
    }

    fn name(self) -> String {
        match self {
            Self::PrAuc => "pr_auc".to_owned(),
            Self::RocAuc => "roc_auc".to_owned(),
            Self::TprAtFpr(place) => format!("tpr_at_fpr={}", FALSE_POSITIVE_RATES[place]),
        }
    }
}

impl FromStr for Strategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "grid" => Ok(Self::Grid),
            "random" => Ok(Self::Random),
            "halving" => Ok(Self::Halving),
            _ => Err("grid, random or halving".to_owned()),
        }
    }
}

/// Searches. `stop` ends it between two trials; what the journal holds is then found by the next call.
/// Errors: all of [`EvaluateError`].
pub fn tune(options: &TuneOptions, progress: &ProgressBar, stop: &AtomicBool) -> Result<Tuned, EvaluateError> {
    if !(1..=TRIALS_MAX).contains(&options.trials) || !(2..=100).contains(&options.folds) {
        return Err(EvaluateError::setting(format!("trials are 1 to {TRIALS_MAX}, folds 2 to 100")));
    }
    let mut method = named(&options.method)?;
    set_all(&mut method, &options.settings)?;
    let space = Space::parse(&method, &options.searches)?;
    progress.set_message("reading");
    let file = DataFile::open(&options.data)?;
    let rows = Rows::read(options, &file)?;
    let mut journal = Journal::open(options.journal.as_deref(), &setup(options, &method, &space, &file)?)?;
    progress.set_message("trials");
    let found = Search { options, method: &method, space: &space, rows: &rows, stop }.run(&mut journal, progress)?;
    let mut notes = rows.notes.clone();
    if !method.is_supervised() {
        notes.push(format!(
            "{} learns without labels; here the labels chose its options, so figures on these rows flatter it: measure on \
             others",
            method.name()
        ));
    }
    if found.best.mean() - found.default.mean() <= found.best.deviation().max(found.default.deviation()) {
        notes.push("the gain is within what differs from fold to fold; the defaults may do as well".to_owned());
    }
    Ok(Tuned {
        method: method.name().to_owned(),
        objective: options.objective.name(),
        rows: found.rows,
        validation: match options.forward {
            true => format!("{} folds, each tested on rows later than those learned from", found.best.scores.len()),
            false => format!("{} stratified folds", found.best.scores.len()),
        },
        space: space.describe(),
        default: (found.default.mean(), found.default.deviation()),
        best: (found.best.mean(), found.best.deviation()),
        best_method: trial::with_options(&method, &found.best.options)?,
        trials: found.trials,
        notes,
    })
}

/// What must be the same for trials of a journal to count.
fn setup(
    options: &TuneOptions,
    method: &Method,
    space: &Space,
    file: &DataFile,
) -> Result<Map<String, Value>, EvaluateError> {
    let fixed: Map<String, Value> =
        method.options().into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    let value = json!({
        "lapwing": env!("CARGO_PKG_VERSION"),
        "data_sha256": file.digest()?,
        "label": options.roles.label,
        "normal": options.roles.normal,
        "time": options.roles.time,
        "exclude": options.roles.exclude,
        "method": method.name(),
        "options": fixed,
        "space": space.describe(),
        "strategy": options.strategy,
        "trials": options.trials,
        "folds": options.folds,
        "forward": options.forward,
        "objective": options.objective.name(),
        "sample": options.sample,
        "seed": options.seed,
    });
    match value {
        Value::Object(map) => Ok(map),
        _ => unreachable!("braces make an object"),
    }
}

impl Tuned {
    /// The best options as a detector of a pipeline file.
    pub fn to_toml(&self) -> String {
        let method = &self.best_method;
        let mut text = format!("[detect.{0}]\nmethod = \"{0}\"\ninputs = \"numeric\"\n", method.name());
        for (name, value) in method.options() {
            text.push_str(&format!("{name} = {}\n", toml_value(&value)));
        }
        text
    }

    /// What was found as one line of JSON, the best options by name under `options`.
    pub fn to_json(&self) -> String {
        let mut value = json!(self);
        let options = self.best_method.options().into_iter();
        value["options"] = options.map(|(name, value)| (name.to_owned(), json!(value))).collect::<Map<_, _>>().into();
        value.to_string()
    }

    /// What was found, for a terminal.
    pub fn to_text(&self) -> String {
        let made = self.trials.iter().filter(|trial| trial.error.is_none()).count();
        let mut lines = vec![
            format!(
                "{} by {} of {} trials on up to {} rows, {}",
                self.method, self.objective, made, self.rows, self.validation
            ),
            format!("searched  {}", self.space.join(" ")),
            format!("defaults  {:.4} ± {:.4}", self.default.0, self.default.1),
            format!("best      {:.4} ± {:.4}", self.best.0, self.best.1),
        ];
        lines.extend(self.notes.iter().map(|note| format!("note      {note}")));
        lines.join("\n") + "\n"
    }
}

fn toml_value(value: &OptionValue) -> String {
    match value {
        // JSON's quoting of text is also TOML's.
        OptionValue::Text(text) => json!(text).to_string(),
        other => other.to_string(),
    }
}
