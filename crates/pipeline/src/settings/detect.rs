use std::fmt;
use std::ops::Range;

use lapwing_detect::{Direction, InputRule, Method, MinimumEffect, OptionValue};

use super::keys;
use super::section::{Field, Section};
use super::units::is_plain_name;

/// The detectors, and the model that scores with them.
#[derive(Clone, Debug, PartialEq)]
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
#[derive(Clone, Debug, PartialEq)]
pub struct Detector {
    /// Its name.
    pub name: String,
    /// How it scores.
    pub method: Method,
    /// What it looks at.
    pub inputs: Inputs,
    /// What counts as strange in single inputs.
    pub rules: Vec<InputRule>,
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
        let (name, method) = (field.name.clone(), Method::RobustZscore);
        return (Detector { name, method, inputs: Inputs::Features, rules: Vec::new() }, None);
    }
    let (method, inputs) = (read_method(&section), read_inputs(&section));
    let rules = read_rules(&section, &method);
    let detector = Detector { name: field.name.clone(), method, inputs, rules };
    let model = section.field("model").and_then(|model| read_model(&model, &field.name));
    (detector, model)
}

fn read_method(section: &Section<'_>) -> Method {
    let names: Vec<&'static str> = Method::all().iter().map(Method::name).collect();
    let words: Vec<(&'static str, &'static str)> = names.iter().map(|name| (*name, *name)).collect();
    let Some(field) = section.required("method", &format!("one of {}", names.join(", "))) else {
        return Method::RobustZscore;
    };
    let chosen = field.choice(&words).and_then(Method::named);
    let mut method = chosen.clone().unwrap_or(Method::RobustZscore);
    // A key that no method knows was refused with the table.
    let is_option = |name: &str| keys::DETECTOR.contains(&name) && !keys::DETECTOR_COMMON.contains(&name);
    for option in section.fields().iter().filter(|field| is_option(&field.name)) {
        let Some(value) = option_value(option) else { continue };
        // Options of a method that is not known cannot be judged.
        if chosen.is_some() {
            set_option(&mut method, option, &field, &value);
        }
    }
    method
}

fn set_option(method: &mut Method, option: &Field<'_>, chosen: &Field<'_>, value: &OptionValue) {
    let name = method.name();
    let Some(allowed) = method.allowed(&option.name) else {
        let takers: Vec<&str> =
            Method::all().iter().filter(|other| other.allowed(&option.name).is_some()).map(Method::name).collect();
        let message = format!("`{}` goes with {}, but the method is {name}", option.path(), takers.join(", "));
        let taker = takers.first().copied().unwrap_or(name);
        let hint = format!("remove `{}`, or write method = \"{taker}\"", option.name);
        return option.report.add_pair(&option.key_place, &chosen.place, message, hint);
    };
    if method.set(&option.name, value).is_err() {
        let message = format!("`{}` is {value}", option.path());
        option.report.add(&option.place, message, format!("allowed: {allowed}"));
    }
}

/// A value as options take it; anything else is refused.
fn option_value(field: &Field<'_>) -> Option<OptionValue> {
    let value = field.item.as_value().and_then(|value| {
        let whole = || value.as_integer().and_then(|number| usize::try_from(number).ok()).map(OptionValue::Whole);
        let number = || value.as_float().filter(|number| number.is_finite()).map(OptionValue::Number);
        let flag = || value.as_bool().map(OptionValue::Flag);
        let text = || value.as_str().map(|text| OptionValue::Text(text.to_owned()));
        whole().or_else(number).or_else(flag).or_else(text)
    });
    match value {
        Some(value) => Some(value),
        None => field.wrong_type("a number that is not negative, a text, true or false"),
    }
}

/// Reads what counts as strange in single inputs.
fn read_rules(section: &Section<'_>, method: &Method) -> Vec<InputRule> {
    let Some(field) = section.field("rules") else { return Vec::new() };
    if !method.takes_rules() {
        let takers: Vec<&str> = Method::all().iter().filter(|other| other.takes_rules()).map(Method::name).collect();
        let message =
            format!("`{}` goes with {}, but the method is {}", field.path(), takers.join(", "), method.name());
        field.report.add(&field.key_place, message, "rules are for methods that measure single columns".to_owned());
        return Vec::new();
    }
    field.free_section().fields().iter().map(read_rule).collect()
}

fn read_rule(field: &Field<'_>) -> InputRule {
    let section = field.section(keys::INPUT_RULE);
    let directions = [("up", Direction::Up), ("down", Direction::Down), ("both", Direction::Both)];
    let direction = section.field("direction").and_then(|field| field.choice(&directions)).unwrap_or_default();
    let positive = |name: &str| {
        let field = section.field(name)?;
        let number = field.number()?;
        match number > 0.0 && number.is_finite() {
            true => Some(number),
            false => field.refuse(format!("`{}` is {number}", field.path()), "more than 0".to_owned()),
        }
    };
    let (absolute, relative) = (positive("minimum"), positive("minimum_share"));
    if let (Some(one), Some(other), true) =
        (section.field("minimum"), section.field("minimum_share"), absolute.is_some() && relative.is_some())
    {
        let hint = "`minimum` is in units of the column, `minimum_share` a share of the usual value".to_owned();
        section.report.add_pair(&one.key_place, &other.key_place, "one minimum is enough".to_owned(), hint);
    }
    let minimum_effect = match (absolute, relative) {
        (Some(absolute), _) => MinimumEffect::Absolute(absolute),
        (None, Some(relative)) => MinimumEffect::Relative(relative),
        (None, None) => MinimumEffect::None,
    };
    InputRule { column: field.name.clone(), direction, minimum_effect }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_of_every_method_is_a_known_key() {
        for method in Method::all() {
            for (option, _) in method.options() {
                assert!(keys::DETECTOR.contains(&option), "{option} of {}", method.name());
            }
        }
    }
}
