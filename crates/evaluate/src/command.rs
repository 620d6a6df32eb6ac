//! The whole of `lapwing evaluate` behind one struct of options.

use std::fs;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use lapwing_detect::ensemble::VOTE;
use lapwing_detect::{Ensemble, Matrix, Method};

use crate::ablation::{Bench, ablate};
use crate::bootstrap::{Bands, RESAMPLES_MAX, Resamples};
use crate::detectors;
use crate::error::EvaluateError;
use crate::importance;
use crate::learn::{Lesson, Scored, gather, score};
use crate::ranking::Ranking;
use crate::read::{Column, DataFile};
use crate::report::{DetectorReport, FUSED, MethodReport, Report, Setup};
use crate::roles::{Answers, Roles};
use crate::split::{Cut, labelled, sample};
use crate::spread::{histogram, reliability};
use crate::threshold::{AtProbability, AtThreshold, by_type};
use crate::truth::Truth;

/// Most rows to learn from unless told otherwise: more change detectors little, and bound memory badly.
pub const SAMPLE_ROWS: usize = 1_000_000;
/// Resamples unless told otherwise: the ends of an interval are then known to about a tenth of its width.
pub const BOOTSTRAP: usize = 200;
/// Share of normal rows to flag unless told otherwise; that of pipelines.
pub const ALERT_RATE: f64 = 0.003;

/// What to evaluate, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The rows to score.
    pub data: PathBuf,
    /// The rows to learn from, if not those that are scored.
    pub train: Option<PathBuf>,
    /// What the columns are for.
    pub roles: Roles,
    /// Names of detectors between commas, `default` or `supervised`.
    pub detectors: String,
    /// Options of detectors: `METHOD.OPTION=VALUE`.
    pub settings: Vec<String>,
    /// What methods read that do not read everything: `METHOD=COLUMN,COLUMN`, with `*` at an end.
    pub inputs: Vec<String>,
    /// Learn from the earlier part of the data and score the later one.
    pub split: Option<String>,
    /// Share of normal rows to flag. Range: (0, 0.5].
    pub alert_rate: f64,
    /// Seed of everything drawn.
    pub seed: u64,
    /// Most rows to learn from.
    pub sample: usize,
    /// Resamples for intervals; 0 for none.
    pub bootstrap: usize,
    /// Whether to tell what each detector adds.
    pub ablation: bool,
    /// Threads for scoring and resampling; they change no digit.
    pub threads: usize,
}

/// Which rows do what.
struct Division {
    /// Rows of the training file, or of the data, to learn from.
    learn: Vec<u32>,
    /// What is known of them; empty if nobody may look.
    truths: Vec<Truth>,
    /// Rows of the data to score: those with a label.
    score: Vec<u32>,
    /// How the rows were divided, in words.
    text: String,
}

/// Reads, learns, scores and measures. Errors: all of [`EvaluateError`] but `Write`.
pub fn evaluate(options: &Options, progress: &ProgressBar) -> Result<Report, EvaluateError> {
    check(options)?;
    let methods = detectors::methods(&options.detectors, &options.settings)?;
    detectors::check_inputs(&methods, &options.inputs)?;
    progress.set_message("reading");
    let data = DataFile::open(&options.data)?;
    options.roles.check(&data)?;
    let train = options.train.as_deref().map(DataFile::open).transpose()?;
    let columns = match &train {
        None => options.roles.inputs(&data)?,
        Some(train) => {
            options.roles.check(train)?;
            options.roles.common_inputs(train, &data)?
        }
    };
    let answers = options.roles.answers(&data)?;
    let division = divide(options, &answers, train.as_ref())?;
    let anomalous: Vec<bool> =
        division.score.iter().map(|row| matches!(answers.truths.rows[*row as usize], Truth::Anomaly(_))).collect();
    check_both_kinds(options, &anomalous)?;

    progress.set_message("learning");
    let batches = gather(train.as_ref().unwrap_or(&data), &columns, &division.learn)?;
    let lesson = Lesson::new(&columns, &batches, &division.truths, &options.inputs)?;
    drop(batches);
    let ensemble = lesson.fit(&methods, options.alert_rate, options.seed)?;
    progress.set_message("scoring");
    let places = importance::places(&anomalous, options.seed);
    let keep: Vec<u32> = places.iter().map(|place| division.score[*place]).collect();
    let scored = score(&ensemble, (&data, &columns), &division.score, &keep, options.threads)?;

    progress.set_message("measuring");
    let mut report = measure(options, (&ensemble, &methods), &scored, &anomalous);
    report.types = {
        let tails: Vec<&[f64]> = scored.members.iter().map(|member| member.tail.as_slice()).collect();
        by_type(&answers.truths, &division.score, &scored.tail, &tails, options.alert_rate)
    };
    let kept = Matrix::from_values(ensemble.columns().width(), scored.kept)?;
    let kept_anomalous: Vec<bool> = places.iter().map(|place| anomalous[*place]).collect();
    report.importance = importance::importance(&ensemble, &kept, &kept_anomalous, options.seed)?;
    if options.ablation {
        progress.set_message("ablation");
        let bench = Bench {
            lesson: &lesson,
            data: (&data, &columns),
            rows: &division.score,
            anomalous: &anomalous,
            alert_rate: options.alert_rate,
            bootstrap: options.bootstrap,
            seed: options.seed,
            threads: options.threads,
        };
        report.ablation = Some(ablate(&bench, &methods, progress)?);
    }
    report.setup = setup(options, &methods, (&data, train.as_ref(), &columns), (&lesson, &division, &anomalous));
    report.notes = notes(&lesson, &answers, &division, data.rows(), &anomalous);
    Ok(report)
}

fn check(options: &Options) -> Result<(), EvaluateError> {
    let refuse = |text: String| Err(EvaluateError::Setting(text));
    if options.train.is_some() && options.split.is_some() {
        return refuse("--train and --split contradict each other: the split is for rows of one file".to_owned());
    }
    if options.bootstrap > RESAMPLES_MAX {
        return refuse(format!("{} resamples, {RESAMPLES_MAX} are possible", options.bootstrap));
    }
    if options.sample == 0 {
        return refuse("the sample is 0: nothing would be learned from".to_owned());
    }
    match options.roles.exclude.contains(&options.roles.label) {
        true => refuse(format!("`{}` is the label; it is excluded anyway", options.roles.label)),
        false => Ok(()),
    }
}

fn check_both_kinds(options: &Options, anomalous: &[bool]) -> Result<(), EvaluateError> {
    let anomalies = anomalous.iter().filter(|anomaly| **anomaly).count();
    let only = match (anomalous.len(), anomalies) {
        (0, _) => "no row to score has a label".to_owned(),
        (rows, 0) => format!("all {rows} labels of the rows to score mean normal"),
        (rows, anomalies) if rows == anomalies => {
            format!("all {rows} labels of the rows to score mean anomaly; --normal VALUE says which value is normal")
        }
        _ => return Ok(()),
    };
    let place = format!("{}: column `{}`", options.data.display(), options.roles.label);
    Err(EvaluateError::Data(format!("{place}: {only}; both kinds are needed to measure anything")))
}

/// Decides which rows are learned from and which are scored.
fn divide(options: &Options, answers: &Answers, train: Option<&DataFile>) -> Result<Division, EvaluateError> {
    let truths = &answers.truths.rows;
    let known = |rows: &[u32], truths: &[Truth]| rows.iter().map(|row| truths[*row as usize]).collect::<Vec<_>>();
    let all: Vec<u32> = (0..truths.len() as u32).collect();
    if let Some(file) = train {
        let rows: Vec<u32> = (0..file.rows() as u32).collect();
        let learn = sample(&rows, options.sample, options.seed);
        let taught = known(&learn, &options.roles.answers(file)?.truths.rows);
        let text = format!("learned from {}, scored {}", file.path().display(), options.data.display());
        return Ok(Division { learn, truths: taught, score: labelled(&all, truths), text });
    }
    let Some(split) = &options.split else {
        let learn = sample(&all, options.sample, options.seed);
        let text = "learned from the rows that are scored, without looking at their labels".to_owned();
        return Ok(Division { learn, truths: Vec::new(), score: labelled(&all, truths), text });
    };
    let (before, after) = Cut::parse(split)?.divide(answers)?;
    let learn = sample(&before, options.sample, options.seed);
    let order = options.roles.time.as_ref().map_or("the order of the file".to_owned(), |time| format!("`{time}`"));
    let text = format!("chronological by {order} at {split}: learned from the earlier rows, scored the later ones");
    let taught = known(&learn, truths);
    Ok(Division { learn, truths: taught, score: labelled(&after, truths), text })
}

/// Everything that follows from scores and truths.
fn measure(
    options: &Options,
    (ensemble, methods): (&Ensemble, &[Method]),
    scored: &Scored,
    anomalous: &[bool],
) -> Report {
    let fused: Vec<f64> = scored.tail.iter().map(|tail| -tail.ln()).collect();
    let members = ensemble.member_names();
    let mut names: Vec<&str> = members.clone();
    let mut scores: Vec<(&[f64], &[f64])> =
        scored.members.iter().map(|member| (member.raw.as_slice(), member.tail.as_slice())).collect();
    names.push(FUSED);
    scores.push((&fused, &scored.tail));
    if let Some(vote) = &scored.vote {
        names.push(VOTE);
        scores.push((&vote.raw, &vote.tail));
    }
    let rankings: Vec<Ranking> = scores.iter().map(|(raw, _)| Ranking::of(raw, anomalous)).collect();
    let resamples = Resamples::draw(
        &rankings.iter().collect::<Vec<_>>(),
        anomalous,
        options.bootstrap,
        options.seed,
        options.threads,
    );
    let told = names.iter().zip(&rankings).zip(&scores).enumerate().map(|(place, ((name, ranking), (raw, tail)))| {
        DetectorReport {
            name: (*name).to_owned(),
            figures: ranking.figures().expect("rows of both kinds are asked for before"),
            intervals: resamples.intervals(place),
            at_threshold: AtThreshold::of(tail, anomalous, options.alert_rate),
            at_probability: at_probability(methods.get(place), raw, anomalous),
            reliability: reliability(tail, anomalous),
            histogram: histogram(tail, anomalous),
            curves: ranking.curves(),
            bands: match *name {
                FUSED => Bands::draw(ranking, anomalous, options.bootstrap, options.seed, options.threads),
                _ => Bands::default(),
            },
        }
    });
    let mut told: Vec<DetectorReport> = told.collect();
    let vote = (told.len() > members.len() + 1).then(|| told.pop()).flatten();
    let fused = told.pop().expect("the fused score is always told");
    Report { detectors: told, column_vote: vote, ..Report::of(fused) }
}

/// How a detector fares from given probabilities on. The vote and the fused score have no method.
fn at_probability(method: Option<&Method>, raw: &[f64], anomalous: &[bool]) -> Vec<AtProbability> {
    let said: Option<Vec<f64>> = raw.iter().map(|raw| method?.probability(*raw)).collect();
    said.map_or_else(Vec::new, |said| AtProbability::each(&said, anomalous))
}

fn setup(
    options: &Options,
    methods: &[Method],
    (data, train, columns): (&DataFile, Option<&DataFile>, &[Column]),
    (lesson, division, anomalous): (&Lesson, &Division, &[bool]),
) -> Setup {
    let method = |method: &Method| MethodReport {
        name: method.name().to_owned(),
        options: method.options().into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        supervised: method.is_supervised(),
    };
    Setup {
        lapwing: env!("CARGO_PKG_VERSION").to_owned(),
        data: data.path().display().to_string(),
        rows: data.rows() as u64,
        train: train.map(|train| train.path().display().to_string()),
        train_rows: train.map(|train| train.rows() as u64),
        label: options.roles.label.clone(),
        time: options.roles.time.clone(),
        excluded: options.roles.exclude.clone(),
        columns: columns.len() as u64,
        encoded_columns: lesson.columns.width() as u64,
        split: division.text.clone(),
        rows_learned: lesson.rows() as u64,
        rows_scored: anomalous.len() as u64,
        anomalies: anomalous.iter().filter(|anomaly| **anomaly).count() as u64,
        alert_rate: options.alert_rate,
        seed: options.seed,
        bootstrap: options.bootstrap as u64,
        methods: methods.iter().map(method).collect(),
    }
}

/// What a person should know before trusting the figures.
fn notes(lesson: &Lesson, answers: &Answers, division: &Division, rows: usize, anomalous: &[bool]) -> Vec<String> {
    let mut notes = lesson.notes.clone();
    let unknown = answers.truths.rows.iter().filter(|truth| **truth == Truth::Unknown).count();
    if unknown > 0 {
        notes.push(format!("{unknown} of {rows} rows have no label; they are not measured"));
    }
    let anomalies = anomalous.iter().filter(|anomaly| **anomaly).count();
    if anomalies < 30 {
        notes.push(format!("only {anomalies} anomalies: the figures are uncertain, look at the intervals"));
    }
    if anomalies * 2 > anomalous.len() && division.truths.is_empty() {
        notes.push(format!(
            "{anomalies} of {} rows are anomalies: what is most frequent looks usual to detectors that learn without \
             labels; teach them normal rows with --train or --split",
            anomalous.len()
        ));
    }
    let learned_normal = division.truths.iter().filter(|truth| **truth == Truth::Normal).count();
    if !division.truths.is_empty() && learned_normal == 0 {
        notes.push("no row to learn from is labelled normal".to_owned());
    }
    notes
}

/// Writes the report as a page. Errors: `Write`.
pub fn write_page(report: &Report, path: &Path) -> Result<(), EvaluateError> {
    fs::write(path, report.to_html()).map_err(|error| EvaluateError::write(path, error))
}
