use proptest::prelude::*;
use rand::{Rng, SeedableRng};

use super::*;
use crate::matrix::Matrix;
use crate::trees::histogram::Scale;

/// Rows whose anomalies lie on one side of two columns, with noise; values from a grid, so that ties are met.
fn rows(count: usize, seed: u64) -> (BinnedMatrix, Vec<bool>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let rows: Vec<[f32; 4]> = (0..count).map(|_| std::array::from_fn(|_| rng.random_range(0..40) as f32)).collect();
    let anomalous = rows.iter().map(|row| row[1] + row[2] > 50.0 + 6.0 * rng.random::<f32>()).collect();
    (BinnedMatrix::new(&Matrix::from_rows(&rows).unwrap(), 1), anomalous)
}

fn growth(terms: &[(f64, f64)], columns: Columns) -> Growth {
    let rule = Rule { scale: Scale::of(terms.iter().copied()), leaf_rows_min: 3, l2: 0.5 };
    Growth { rule, leaves_max: 12, depth_max: 5, columns, threads: 1 }
}

fn grown(binned: &BinnedMatrix, terms: &[(f64, f64)], growth: &Growth) -> GrownTree {
    let scaled = terms.iter().map(|(target, weight)| growth.rule.scale.term(*target, *weight)).collect();
    grow(binned, growth, (0..terms.len() as u32).collect(), scaled, &mut ChaCha8Rng::seed_from_u64(1))
}

/// What rows explain, by the book.
fn explained(rows: &[u32], terms: &[(f64, f64)]) -> f64 {
    let sum = |part: fn(&(f64, f64)) -> f64| rows.iter().map(|row| part(&terms[*row as usize])).sum::<f64>();
    sum(|term| term.0).powi(2) / (sum(|term| term.1) + 0.5)
}

/// The slow, obvious twin: every cut of every leaf, recounted from the rows, the best one made; returns the gains.
fn gains_by_exhaustion(binned: &BinnedMatrix, terms: &[(f64, f64)], growth: &Growth) -> Vec<f64> {
    let mut leaves = vec![((0..terms.len() as u32).collect::<Vec<u32>>(), 0)];
    let mut gains = Vec::new();
    while leaves.len() < growth.leaves_max {
        let mut best: Option<(f64, usize, Vec<u32>, Vec<u32>)> = None;
        for (place, (rows, depth)) in leaves.iter().enumerate().filter(|(_, leaf)| leaf.1 < growth.depth_max) {
            for column in 0..binned.width() {
                for bin in 0..(binned.bins(column) - 1) as u8 {
                    let (left, right): (Vec<u32>, Vec<u32>) =
                        rows.iter().partition(|row| binned.column(column)[**row as usize] <= bin);
                    if left.len().min(right.len()) < growth.rule.leaf_rows_min as usize {
                        continue;
                    }
                    let gain = explained(&left, terms) + explained(&right, terms) - explained(rows, terms);
                    // Equal but for rounding counts as equal: the first one stays.
                    if best.as_ref().is_none_or(|best| gain > best.0 + 1e-7) && gain > 1e-7 && *depth < 64 {
                        best = Some((gain, place, left, right));
                    }
                }
            }
        }
        let Some((gain, place, left, right)) = best else { break };
        let depth = leaves[place].1 + 1;
        gains.push(gain);
        leaves[place] = (left, depth);
        leaves.push((right, depth));
    }
    gains
}

/// Gains of the cuts of a tree, in the order in which they were made.
fn gains_of(tree: &GrownTree, terms: &[(f64, f64)]) -> Vec<f64> {
    let part = |node: usize| explained(&tree.order[tree.nodes[node].rows.clone()], terms);
    let mut splits: Vec<(usize, usize)> =
        tree.nodes.iter().enumerate().filter_map(|(node, grown)| Some((grown.split?.left, node))).collect();
    splits.sort_unstable();
    splits.into_iter().map(|(left, node)| part(left) + part(left + 1) - part(node)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_tree_explains_at_every_cut_what_an_exhaustive_search_explains(seed in any::<u64>(), count in 20_usize..120) {
        let (binned, anomalous) = rows(count, seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let terms: Vec<(f64, f64)> = anomalous
            .iter()
            .map(|anomalous| (f64::from(u8::from(*anomalous)) - rng.random_range(0.2..0.8), rng.random_range(0.1..0.3)))
            .collect();
        let growth = growth(&terms, Columns::Given((0..4).collect()));
        let tree = grown(&binned, &terms, &growth);
        let (found, expected) = (gains_of(&tree, &terms), gains_by_exhaustion(&binned, &terms, &growth));
        prop_assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert!((found - expected).abs() < 1e-4 * expected.max(1e-2), "{} {}", found, expected);
        }
    }
}

#[test]
fn all_columns_drawn_and_all_given_explain_the_same() {
    let (binned, anomalous) = rows(600, 3);
    let terms: Vec<(f64, f64)> = anomalous.iter().map(|anomalous| (f64::from(u8::from(*anomalous)), 1.0)).collect();
    let given = grown(&binned, &terms, &growth(&terms, Columns::Given((0..4).collect())));
    let drawn = grown(&binned, &terms, &growth(&terms, Columns::Drawn(4)));
    let (given, drawn) = (gains_of(&given, &terms), gains_of(&drawn, &terms));
    assert_eq!(given.len(), 11);
    for (given, drawn) in given.iter().zip(drawn) {
        assert!((given - drawn).abs() < 1e-6, "{given} {drawn}");
    }
}

#[test]
fn every_row_is_in_the_leaf_it_is_walked_to_and_threads_change_nothing() {
    let (binned, anomalous) = rows(70_000, 5);
    let terms: Vec<(f64, f64)> =
        anomalous.iter().map(|anomalous| (f64::from(u8::from(*anomalous)) - 0.3, 0.2)).collect();
    let one = growth(&terms, Columns::Given(vec![0, 1, 2, 3]));
    let tree = grown(&binned, &terms, &one);
    assert_eq!(tree.nodes.len(), 23);
    for (place, node) in tree.nodes.iter().enumerate().filter(|(_, node)| node.split.is_none()) {
        assert!(node.rows.len() >= 3);
        assert!(tree.order[node.rows.clone()].iter().all(|row| tree.leaf(&binned, *row as usize) == place));
    }
    for threads in [2, 4] {
        assert_eq!(grown(&binned, &terms, &Growth { threads, ..one.clone() }), tree);
    }
}

#[test]
fn an_inner_node_has_the_mean_value_of_its_rows() {
    let (binned, anomalous) = rows(500, 7);
    let terms: Vec<(f64, f64)> = anomalous.iter().map(|anomalous| (f64::from(u8::from(*anomalous)), 1.0)).collect();
    let tree = grown(&binned, &terms, &growth(&terms, Columns::Drawn(2)));
    let share = |rows: Range<usize>| {
        let anomalies = tree.order[rows.clone()].iter().filter(|row| anomalous[**row as usize]).count();
        anomalies as f32 / rows.len() as f32
    };
    let (nodes, values) = tree.valued(&binned, |leaf| share(leaf.rows.clone()));
    assert_eq!((nodes.len(), values.len()), (tree.nodes.len(), tree.nodes.len()));
    for (node, value) in tree.nodes.iter().zip(values) {
        assert!((share(node.rows.clone()) - value).abs() < 1e-5);
    }
}
