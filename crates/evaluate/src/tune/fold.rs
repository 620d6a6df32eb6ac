//! Rows to learn from and rows to test on, several times over.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::EvaluateError;
use crate::truth::Truth;

/// Places of rows, rising.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fold {
    pub(crate) learn: Vec<usize>,
    pub(crate) test: Vec<usize>,
}

fn is_anomaly(truth: &Truth) -> bool {
    matches!(truth, Truth::Anomaly(_))
}

/// Deals the labelled rows, anomalies and normal ones apart, to so many hands; each is tested once on what the others
/// teach. Rows without a label are learned from, never tested on. Errors: `Setting` if a hand would get no row of a kind.
pub(crate) fn stratified(truths: &[Truth], folds: usize, seed: u64) -> Result<Vec<Fold>, EvaluateError> {
    let mut hands = vec![None; truths.len()];
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for (kind, anomalous) in [("anomalies", true), ("normal rows", false)] {
        let of_kind = |(place, truth): (usize, &Truth)| {
            (*truth != Truth::Unknown && is_anomaly(truth) == anomalous).then_some(place)
        };
        let mut places: Vec<usize> = truths.iter().enumerate().filter_map(of_kind).collect();
        if places.len() < folds {
            let found = places.len();
            return Err(EvaluateError::setting(format!(
                "{found} {kind} cannot be dealt to {folds} folds; with --folds {} they can, from 2 on",
                found.max(2)
            )));
        }
        places.shuffle(&mut rng);
        places.iter().enumerate().for_each(|(index, place)| hands[*place] = Some(index % folds));
    }
    let fold = |number: usize| {
        let (test, learn) = (0..truths.len()).partition(|place| hands[*place] == Some(number));
        Fold { learn, test }
    };
    Ok((0..folds).map(fold).collect())
}

/// Cuts the rows, given in the order of time, into one block more than folds; each fold tests on a block and learns from
/// all before it. Folds that lack a kind of row to test on are left out. Errors: `Setting` if none remains.
pub(crate) fn forward(truths: &[Truth], order: &[usize], folds: usize) -> Result<Vec<Fold>, EvaluateError> {
    let bound = |block: usize| block * order.len() / (folds + 1);
    let fold = |number: usize| {
        let mut learn = order[..bound(number)].to_vec();
        let mut test: Vec<usize> = order[bound(number)..bound(number + 1)].to_vec();
        test.retain(|place| truths[*place] != Truth::Unknown);
        learn.sort_unstable();
        test.sort_unstable();
        Fold { learn, test }
    };
    let measurable = |fold: &Fold| {
        let anomalies = fold.test.iter().filter(|place| is_anomaly(&truths[**place])).count();
        anomalies > 0 && anomalies < fold.test.len()
    };
    let usable: Vec<Fold> = (1..=folds).map(fold).filter(measurable).collect();
    match usable.is_empty() {
        true => Err(EvaluateError::setting(format!(
            "none of the {folds} later blocks has both anomalies and normal rows; use fewer --folds, or leave out --forward"
        ))),
        false => Ok(usable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truths(text: &str) -> Vec<Truth> {
        let of = |letter| match letter {
            'a' => Truth::Anomaly(0),
            'n' => Truth::Normal,
            _ => Truth::Unknown,
        };
        text.chars().map(of).collect()
    }

    #[test]
    fn each_labelled_row_is_tested_once_and_kinds_are_dealt_evenly() {
        let truths = truths("annnannnannn?nnnannn");
        let folds = stratified(&truths, 2, 1).unwrap();
        let mut tested: Vec<usize> = folds.iter().flat_map(|fold| fold.test.clone()).collect();
        tested.sort_unstable();
        assert_eq!(tested, (0..20).filter(|place| *place != 12).collect::<Vec<_>>());
        for fold in &folds {
            assert_eq!(fold.test.iter().filter(|place| is_anomaly(&truths[**place])).count(), 2);
            assert!(fold.learn.contains(&12) && fold.learn.iter().all(|place| !fold.test.contains(place)));
        }
        assert_eq!(folds, stratified(&truths, 2, 1).unwrap());
        assert!(stratified(&truths, 5, 1).unwrap_err().to_string().contains("--folds 4"));
    }

    #[test]
    fn what_is_tested_lies_after_what_is_learned() {
        let truths = truths("nanananana?n");
        let order: Vec<usize> = (0..12).rev().collect();
        let folds = forward(&truths, &order, 3).unwrap();
        assert_eq!(folds.len(), 3);
        assert_eq!((folds[0].learn.as_slice(), folds[0].test.as_slice()), (&[9, 10, 11][..], &[6, 7, 8][..]));
        assert!(folds.iter().all(|fold| fold.learn.iter().min() > fold.test.iter().max()));
        let refused = forward(&self::truths("nnnnaann"), &[0, 1, 2, 3, 4, 5, 6, 7], 3).unwrap_err().to_string();
        assert!(refused.contains("none of the 3 later blocks"), "{refused}");
    }
}
