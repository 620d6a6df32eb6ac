//! A checker that cannot fail checks nothing: each fault planted in the world must be found within a few seeds.

use lapwing_sim::flaw::Flaw;
use lapwing_sim::many::play_many;
use lapwing_sim::story::Options;

/// Seeds within which every flaw must show.
const SEEDS: u64 = 2_000;

fn found(flaw: Flaw) -> (u64, Vec<String>) {
    let report = play_many(0, SEEDS, 1, Options { flaw: Some(flaw), ..Options::default() }, |_| ()).unwrap();
    report.failure.unwrap_or_else(|| panic!("{flaw:?} was not found in {} stories", report.played))
}

#[test]
fn every_planted_flaw_is_found() {
    for flaw in Flaw::ALL {
        let (seed, findings) = found(flaw);
        assert!(!findings.is_empty(), "{flaw:?}");
        // Shown with --nocapture: how many seeds it took, and what it looks like.
        eprintln!("{flaw:?}: seed {seed}: {}", findings[0]);
    }
}
