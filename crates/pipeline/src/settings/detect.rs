use std::fmt;
use std::ops::Range;

use super::keys;
use super::section::{Field, Section};
use super::units::is_plain_name;

/// The detectors, and the model that scores with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detect {
    /// Name of the ensemble in the model registry.
    pub ensemble: String,
    /// Which version of it.
    pub version: ModelVersion,
    /// The detectors in the order of the file.
    pub detectors: Vec<Detector>,
}

/// Which version of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelVersion {
    /// Whichever version bears this name.
    Alias(String),
    /// This version for ever.
    Number(u64),
}

impl fmt::Display for ModelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias(alias) => f.write_str(alias),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// One detector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detector {
    /// Its name.
    pub name: String,
    /// How it scores.
    pub method: Method,
    /// What it looks at.
    pub inputs: Inputs,
}

/// How a detector scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Distance from the median, in robust standard deviations.
    RobustZscore,
    /// How easily random cuts isolate a row.
    IsolationForest {
        /// Number of trees.
        trees: usize,
        /// Rows each tree is grown from.
        samples: usize,
    },
}

impl Method {
    /// The word for it in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::RobustZscore => "robust_zscore",
            Self::IsolationForest { .. } => "isolation_forest",
        }
    }
}

/// What a detector looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// All numeric columns, features and encoded categories.
    Numeric {
        /// Columns left out.
        exclude: Vec<String>,
    },
    /// All features.
    Features,
    /// These columns.
    Listed(Vec<String>),
}

/// The model a detector names, and where.
struct ModelName {
    ensemble: String,
    version: ModelVersion,
    place: Range<usize>,
}

/// Reads the tables `[detect.*]`. A detector that names no model uses that of the others.
pub(super) fn read(root: &Section<'_>, pipeline: &str) -> Detect {
    let section = root.free_section("detect");
    let mut named: Option<ModelName> = None;
    let mut detectors = Vec::new();
    for field in section.fields() {
        let (detector, model) = read_detector(&field);
        detectors.push(detector);
        match (&named, model) {
            (Some(first), Some(model)) => compare(&section, first, &model),
            (None, model) => named = model,
            (Some(_), None) => {}
        }
    }
    let champion = || (pipeline.to_owned(), ModelVersion::Alias("champion".to_owned()));
    let (ensemble, version) = named.map_or_else(champion, |named| (named.ensemble, named.version));
    Detect { ensemble, version, detectors }
}

/// One ensemble is fitted, calibrated and versioned as a whole, so its detectors cannot come from two.
fn compare(section: &Section<'_>, first: &ModelName, other: &ModelName) {
    if (&first.ensemble, &first.version) != (&other.ensemble, &other.version) {
        let message = format!(
            "the detectors of a pipeline use one model, not both {}@{} and {}@{}",
            first.ensemble, first.version, other.ensemble, other.version
        );
        let hint = "name the same ensemble and alias everywhere, or leave `model` out".to_owned();
        section.report.add_pair(&other.place, &first.place, message, hint);
    }
}

fn read_detector(field: &Field<'_>) -> (Detector, Option<ModelName>) {
    if !is_plain_name(&field.name, "_") {
        let message = format!("a detector cannot be called `{}`", field.name.escape_debug());
        let hint = "small letters, digits and underscores, at most 64".to_owned();
        field.report.add(&field.key_place, message, hint);
    }
    let section = field.section(keys::DETECTOR);
    if !section.is_given() {
        return (Detector { name: field.name.clone(), method: Method::RobustZscore, inputs: Inputs::Features }, None);
    }
    let detector = Detector { name: field.name.clone(), method: read_method(&section), inputs: read_inputs(&section) };
    let model = section.field("model").and_then(|model| read_model(&model, &field.name));
    (detector, model)
}

fn read_method(section: &Section<'_>) -> Method {
    let trees = section.integer_or("trees", 1..=10_000, 100) as usize;
    let samples = section.integer_or("samples", 2..=512, 256) as usize;
    let forest = Method::IsolationForest { trees, samples };
    let words = [("robust_zscore", Method::RobustZscore), ("isolation_forest", forest)];
    let Some(field) = section.required("method", "robust_zscore or isolation_forest") else {
        return forest;
    };
    let method = field.choice(&words).unwrap_or(forest);
    if method == Method::RobustZscore {
        for option in ["trees", "samples"].into_iter().filter_map(|name| section.field(name)) {
            let message = format!("`{}` goes with isolation_forest, but the method is robust_zscore", option.path());
            let hint = format!("remove `{}`, or write method = \"isolation_forest\"", option.name);
            section.report.add_pair(&option.key_place, &field.place, message, hint);
        }
    }
    method
}

fn read_inputs(section: &Section<'_>) -> Inputs {
    let exclude = section.field("exclude");
    let excluded = exclude.as_ref().and_then(|field| field.texts()).unwrap_or_default();
    let hint = "a list of columns, \"numeric\" (all numeric columns and features), or \"features\" (all features)";
    let Some(field) = section.required("inputs", hint) else {
        return Inputs::Features;
    };
    let inputs = match field.item.as_array() {
        Some(_) => Inputs::Listed(field.texts().unwrap_or_default()),
        None => {
            let words = [("numeric", true), ("features", false)];
            match field.choice(&words) {
                Some(false) => Inputs::Features,
                Some(true) | None => Inputs::Numeric { exclude: excluded },
            }
        }
    };
    if let (Some(exclude), false) = (exclude, matches!(inputs, Inputs::Numeric { .. })) {
        let message = format!("`{}` goes with inputs = \"numeric\" only", exclude.path());
        section.report.add_pair(&exclude.key_place, &field.place, message, "remove `exclude`".to_owned());
    }
    inputs
}

fn read_model(field: &Field<'_>, detector: &str) -> Option<ModelName> {
    let form = "write <pipeline>/<detector>@<alias or version>, such as \"telemetry/spike@champion\"";
    let text = field.text()?;
    let parts = text.split_once('/').and_then(|(ensemble, rest)| Some((ensemble, rest.split_once('@')?)));
    let version = |text: &str| match text.parse::<u64>() {
        Ok(number) => (number > 0).then_some(ModelVersion::Number(number)),
        Err(_) => is_plain_name(text, "_-").then(|| ModelVersion::Alias(text.to_owned())),
    };
    let parsed = parts.and_then(|(ensemble, (part, label))| Some((ensemble, part, version(label)?)));
    let Some((ensemble, part, version)) = parsed.filter(|(ensemble, ..)| is_plain_name(ensemble, "_-")) else {
        return field.refuse(format!("`{}` is not the name of a model", field.path()), form.to_owned());
    };
    if part != detector {
        let message = format!("`{}` names the detector `{}`", field.path(), part.escape_debug());
        return field.refuse(message, format!("this table is `{detector}`: write \"{ensemble}/{detector}@{version}\""));
    }
    Some(ModelName { ensemble: ensemble.to_owned(), version, place: field.place.clone() })
}
