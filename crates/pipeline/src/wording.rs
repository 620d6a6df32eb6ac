//! What an alert says of the templates of log messages, in place of the numbers that stand for them.

use std::collections::HashMap;

use lapwing_vocabulary::{AlertTemplate, Contribution, Deviation};

use crate::settings::{Settings, TEMPLATE_CODE, Templates};
use lapwing_features::WindowMeasure;

/// Contributions below this share of the whole say nothing.
const SHARE_MIN: f64 = 0.01;
/// Name of all templates that are in no list.
const OTHER: &str = "other";

/// What an input says of templates.
#[derive(Clone, Copy, Debug)]
enum Means {
    /// It counts the lines of the template of this code; 0 of all others.
    Count(usize),
    /// It is the code of the template at this place, from 1.
    Place(usize),
}

/// The inputs of a pipeline that stand for templates of log messages.
#[derive(Clone, Debug, Default)]
pub struct Wording {
    inputs: HashMap<String, Means>,
    /// Id and text of each template of the list; the code of the first is 1.
    templates: Vec<(String, String)>,
}

impl Wording {
    /// Finds them among the columns of windows.
    pub fn new(settings: &Settings) -> Self {
        let Some(templates) = &settings.templates else { return Self::default() };
        let mut inputs = HashMap::new();
        let columns = settings.window.iter().flat_map(|window| &window.spec.columns);
        for column in columns.filter(|column| column.column.as_deref() == Some(TEMPLATE_CODE)) {
            let outputs = column.outputs();
            let last = outputs.len() - 1;
            let means = |at: usize| match column.measure {
                WindowMeasure::Counts if at == last => Some(Means::Count(0)),
                WindowMeasure::Counts => Some(Means::Count(at + 1)),
                WindowMeasure::Sequence => Some(Means::Place(at + 1)),
                _ => None,
            };
            inputs.extend(outputs.into_iter().enumerate().filter_map(|(at, name)| Some((name, means(at)?))));
        }
        Self { inputs, templates: known(templates) }
    }

    /// What the contributions say of templates, in their order.
    pub fn told(&self, contributions: &[Contribution]) -> Vec<AlertTemplate> {
        if self.inputs.is_empty() {
            return Vec::new();
        }
        contributions
            .iter()
            .filter(|contribution| contribution.share >= SHARE_MIN)
            .filter_map(|one| self.tell(one))
            .collect()
    }

    fn tell(&self, contribution: &Contribution) -> Option<AlertTemplate> {
        let Contribution { actual, expected, .. } = contribution;
        match *self.inputs.get(&contribution.input)? {
            Means::Count(code) => {
                let actual = actual.unwrap_or(0.0);
                let finding = match actual.partial_cmp(expected)? {
                    std::cmp::Ordering::Equal => return None,
                    std::cmp::Ordering::Less => Deviation::TooFew,
                    std::cmp::Ordering::Greater if code == 0 => Deviation::New,
                    std::cmp::Ordering::Greater => Deviation::TooMany,
                };
                let (template, text) = self.template(code);
                Some(AlertTemplate { template, text, finding, actual, expected: Some(*expected), instead_of: None })
            }
            Means::Place(place) => {
                let (template, text) = self.template((*actual)? as usize);
                let instead_of =
                    (expected.is_finite() && Some(*expected) != *actual).then(|| self.template(*expected as usize).0);
                let (finding, actual) = (Deviation::OutOfOrder, place as f64);
                Some(AlertTemplate { template, text, finding, actual, expected: None, instead_of })
            }
        }
    }

    fn template(&self, code: usize) -> (String, String) {
        let known = code.checked_sub(1).and_then(|at| self.templates.get(at));
        known.cloned().unwrap_or_else(|| (OTHER.to_owned(), String::new()))
    }
}

fn known(templates: &Templates) -> Vec<(String, String)> {
    templates.spec.seed.iter().map(|template| (template.id.clone(), template.text.clone())).collect()
}

/// A few words on what is strange about a template.
pub(crate) fn in_words(template: &AlertTemplate) -> String {
    let AlertTemplate { template, actual, expected, instead_of, .. } = template;
    match (expected, instead_of) {
        (Some(expected), _) => format!("{template} {actual} lines (usually {expected})"),
        (None, Some(usual)) => format!("line {actual} is {template} (usually {usual})"),
        (None, None) => format!("line {actual} is {template}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wording() -> Wording {
        let inputs = [
            ("events_E1", Means::Count(1)),
            ("events_E2", Means::Count(2)),
            ("events_other", Means::Count(0)),
            ("order_3", Means::Place(3)),
        ];
        let inputs = inputs.map(|(name, means)| (name.to_owned(), means)).into();
        let template = |id: &str, text: &str| (id.to_owned(), text.to_owned());
        Wording { inputs, templates: vec![template("E1", "Receiving <*>"), template("E2", "Served <*>")] }
    }

    fn contribution(input: &str, share: f64, actual: f64, expected: f64) -> Contribution {
        Contribution { input: input.to_owned(), share, actual: Some(actual), expected }
    }

    #[test]
    fn numbers_become_templates_that_are_too_many_too_few_new_or_out_of_order() {
        let contributions = [
            contribution("events_E1", 0.4, 2.0, 3.0),
            contribution("events_E2", 0.3, 9.0, 1.0),
            contribution("events_other", 0.2, 1.0, 0.0),
            contribution("order_3", 0.05, 2.0, 1.0),
            contribution("window_seconds", 0.04, 9.0, 1.0),
            contribution("events_E2", 0.001, 9.0, 1.0),
        ];
        let told = wording().told(&contributions);
        let findings: Vec<Deviation> = told.iter().map(|template| template.finding).collect();
        assert_eq!(findings, [Deviation::TooFew, Deviation::TooMany, Deviation::New, Deviation::OutOfOrder]);
        assert_eq!(told[0].text, "Receiving <*>");
        let words: Vec<String> = told.iter().map(in_words).collect();
        assert_eq!(
            words,
            [
                "E1 2 lines (usually 3)",
                "E2 9 lines (usually 1)",
                "other 1 lines (usually 0)",
                "line 3 is E2 (usually E1)"
            ]
        );
    }
}
