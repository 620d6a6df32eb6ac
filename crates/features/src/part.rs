use crate::input::Input;
use crate::spec::FeatureSpec;

#[derive(Clone, Debug)]
pub(crate) enum Part {}

impl Part {
    pub(crate) fn new(_: &FeatureSpec, _: usize, _: &[Input], _: &[String]) -> Option<(Self, String)> {
        None
    }

    pub(crate) fn join(&mut self, _: Self) {
        match *self {}
    }

    pub(crate) fn entity_words(&self) -> usize {
        match *self {}
    }

    pub(crate) fn group_words(&self) -> usize {
        match *self {}
    }

    pub(crate) fn clear(&self, _: &mut [f64], _: &mut [f64]) {
        match *self {}
    }

    pub(crate) fn fold(&self, _: &mut [f64], _: &mut [f64], _: i64, _: &[f64], _: &mut [f64]) {
        match *self {}
    }
}
