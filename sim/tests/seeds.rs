//! Thousands of seeds in every run of the tests, and those that once broke a law.

use lapwing_sim::many::{play_caught, play_many};
use lapwing_sim::pipelines::{Pipelines, Plot};
use lapwing_sim::story::Options;
use lapwing_sim::weather::Fault;

/// Seeds that a change must keep; about half a minute in a debug build. The command line plays millions.
const SEEDS: u64 = 2_000;
/// Seeds that once broke a law: number, then what it showed.
const REGRESSIONS: &str = include_str!("../regressions.txt");

fn regressions() -> Vec<(u64, &'static str)> {
    let lines = REGRESSIONS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (seed, showed) = line.split_once(' ').expect("a seed, a space, what it showed");
            (seed.parse().expect("a seed is a number"), showed)
        })
        .collect()
}

#[test]
fn no_story_breaks_a_law_and_no_fault_is_left_out() {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let report = play_many(0, SEEDS, jobs, Options::default(), |_| ()).unwrap();
    if let Some((seed, findings)) = report.failure {
        let again = format!("cargo run --release -p lapwing-sim -- --seed {seed} --trace");
        panic!("seed {seed} breaks a law; {again}\n{}", findings.join("\n"));
    }
    assert_eq!(report.played, SEEDS);
    for ((fault, _), count) in Fault::ALL.iter().zip(report.happened) {
        assert!(count >= 50, "{fault:?} happened {count} times in {SEEDS} stories");
    }
    for ((plot, _), (stories, markers)) in Plot::ALL.iter().zip(report.plots) {
        assert!(stories >= 50, "{plot:?}: {stories} of {SEEDS} stories");
        // Without ticks and changes of models there would be nothing to tell again.
        assert!(!plot.is_retold() || markers >= stories / 8, "{plot:?}: {markers} markers in {stories} stories");
    }
}

#[test]
fn seeds_that_once_broke_a_law_keep_it() {
    let pipelines = Pipelines::compile().unwrap();
    for (seed, showed) in regressions() {
        let outcome = play_caught(&pipelines, seed, Options::default()).unwrap();
        assert!(outcome.findings.is_empty(), "seed {seed} again ({showed}):\n{}", outcome.findings.join("\n"));
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let pipelines = Pipelines::compile().unwrap();
    let told = |seed| play_caught(&pipelines, seed, Options { traced: true, ..Options::default() }).unwrap().trace;
    for seed in 0..40 {
        let (first, second) = (told(seed), told(seed));
        assert!(first.len() > 10, "seed {seed} tells nothing");
        let differing = first.iter().zip(&second).find(|(one, other)| one != other);
        assert_eq!((differing, first.len()), (None, second.len()), "seed {seed}");
    }
}
