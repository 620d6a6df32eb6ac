//! Arguments of `lapwing evaluate` and `lapwing tune`. They know nothing of the rest of this crate, so that the example
//! of `lapwing-evaluate` takes the same ones.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;

use clap::Args;
use lapwing_evaluate::tune::{self, Objective, Strategy, TuneOptions};
use lapwing_evaluate::{Options, Roles, command};

/// What both commands are told of a data file.
#[derive(Args, Clone, Debug)]
pub struct DataArgs {
    /// The rows: CSV (with or without names, also .gz and .zst), Parquet, or .npz with X and y.
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// The column that says what each row is; detectors never see it.
    #[arg(long, value_name = "COLUMN")]
    pub label: String,
    /// A label that means normal; may be repeated. Without it: 0, false, no, normal, benign, ok, - and the like.
    #[arg(long, value_name = "VALUE")]
    pub normal: Vec<String>,
    /// The column that says when each row was; it orders rows and is not shown to detectors.
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<String>,
    /// A column that detectors shall not see; may be repeated.
    #[arg(long, value_name = "COLUMN")]
    pub exclude: Vec<String>,
    /// Most rows to learn from; of more, a seeded sample is taken.
    #[arg(long, default_value_t = command::SAMPLE_ROWS)]
    pub sample: usize,
    /// Seed of everything drawn.
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Threads; they change no digit of the result. Without it: one per core.
    #[arg(long)]
    pub threads: Option<NonZeroUsize>,
}

/// Measure detectors on labelled rows.
#[derive(Args, Clone, Debug)]
pub struct EvaluateArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// Learn from this file instead of the rows that are scored.
    #[arg(long, value_name = "FILE")]
    pub train: Option<PathBuf>,
    /// Methods between commas; `default` and `supervised` stand for ready ensembles.
    #[arg(long, value_name = "NAMES", default_value = "default")]
    pub detector: String,
    /// An option of a detector, METHOD.OPTION=VALUE; may be repeated.
    #[arg(long, value_name = "SETTING")]
    pub set: Vec<String>,
    /// What a detector reads if not everything, METHOD=COLUMN,COLUMN; a `*` at the end of a column stands for all that
    /// begin so; may be repeated.
    #[arg(long, value_name = "CHOICE")]
    pub inputs: Vec<String>,
    /// Learn from the earlier rows and score the later ones: a share such as 0.7, or a time with --time.
    #[arg(long, value_name = "TIME_OR_SHARE")]
    pub split: Option<String>,
    /// Share of normal rows that may be flagged.
    #[arg(long, default_value_t = command::ALERT_RATE)]
    pub alert_rate: f64,
    /// Resamples behind the 95 % intervals; 0 for none.
    #[arg(long, default_value_t = command::BOOTSTRAP)]
    pub bootstrap: usize,
    /// Tell what each detector adds.
    #[arg(long)]
    pub ablation: bool,
    /// Write the report as a page to this file.
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// End with one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// Search for the options with which a method does best on labelled rows.
#[derive(Args, Clone, Debug)]
pub struct TuneArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// The method to tune.
    #[arg(long, value_name = "NAME")]
    pub detector: String,
    /// An option to search, OPTION=LOW..HIGH or OPTION=VALUE,VALUE; may be repeated. Without it: all options, from a
    /// fourth to four times their defaults.
    #[arg(long, value_name = "SEARCH")]
    pub search: Vec<String>,
    /// An option that is not searched, OPTION=VALUE; may be repeated.
    #[arg(long, value_name = "SETTING")]
    pub set: Vec<String>,
    /// How trials are chosen: grid, random, or halving, which tries many on few rows.
    #[arg(long, default_value = "halving")]
    pub strategy: Strategy,
    /// Most trials, besides that of the defaults.
    #[arg(long, default_value_t = tune::TRIALS)]
    pub trials: usize,
    /// How often each trial is measured.
    #[arg(long, default_value_t = tune::FOLDS)]
    pub folds: usize,
    /// Test only on rows later than those learned from.
    #[arg(long)]
    pub forward: bool,
    /// What to raise: pr_auc, roc_auc, tpr_at_fpr (at 0.01) or tpr_at_fpr=RATE.
    #[arg(long, default_value = "pr_auc")]
    pub objective: Objective,
    /// Keep trials in this file, one line of JSON each, and go on where they end.
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// End with one line of JSON instead of TOML.
    #[arg(long)]
    pub json: bool,
}

impl DataArgs {
    /// What the columns are for.
    pub fn roles(&self) -> Roles {
        Roles {
            label: self.label.clone(),
            normal: self.normal.clone(),
            time: self.time.clone(),
            exclude: self.exclude.clone(),
        }
    }

    /// Threads asked for, or one per core.
    pub fn threads(&self) -> usize {
        self.threads.or_else(|| available_parallelism().ok()).map_or(1, NonZeroUsize::get)
    }
}

impl EvaluateArgs {
    /// The arguments as options.
    pub fn options(&self) -> Options {
        Options {
            data: self.data.data.clone(),
            train: self.train.clone(),
            roles: self.data.roles(),
            detectors: self.detector.clone(),
            settings: self.set.clone(),
            inputs: self.inputs.clone(),
            split: self.split.clone(),
            alert_rate: self.alert_rate,
            seed: self.data.seed,
            sample: self.data.sample,
            bootstrap: self.bootstrap,
            ablation: self.ablation,
            threads: self.data.threads(),
        }
    }
}

impl TuneArgs {
    /// The arguments as options.
    pub fn options(&self) -> TuneOptions {
        TuneOptions {
            data: self.data.data.clone(),
            roles: self.data.roles(),
            method: self.detector.clone(),
            settings: self.set.clone(),
            searches: self.search.clone(),
            strategy: self.strategy,
            trials: self.trials,
            folds: self.folds,
            forward: self.forward,
            objective: self.objective,
            journal: self.journal.clone(),
            sample: self.data.sample,
            seed: self.data.seed,
        }
    }
}
