//! Lateness in buckets against the sorted values themselves, and what is advised from it.

use lapwing_features::lateness::{BOUNDS, disorder_micros};
use lapwing_features::{Lateness, Timeliness, Watermark, advise};
use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{DAY, HOUR, MINUTE, SECOND, format_duration, parse_duration};
use proptest::prelude::*;

fn of(disorders: &[i64]) -> Lateness {
    let mut lateness = Lateness::new();
    disorders.iter().for_each(|disorder| lateness.observe(*disorder, disorder / 2 - SECOND));
    lateness
}

/// Every order of magnitude alike, and the bounds themselves.
fn micros() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => (0..63_u32, any::<i64>()).prop_map(|(bits, value)| (value >> bits).saturating_abs()),
        2 => (0..63_usize, -1..=1_i64).prop_map(|(bucket, off)| BOUNDS[bucket] + off),
        2 => 0..10 * MINUTE,
        1 => Just(0),
        1 => any::<i64>(),
    ]
}

/// The bounds of the bucket a value lies in, found by looking at all of them.
fn bucket(value: i64) -> (i64, i64) {
    let place = BOUNDS.iter().position(|bound| value <= *bound).unwrap();
    (if place == 0 { 0 } else { BOUNDS[place - 1] }, BOUNDS[place])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_quantile_lies_in_the_bucket_of_the_exact_one(
        disorders in proptest::collection::vec(micros(), 1..300), parts in 0..=1_000_000_u32,
    ) {
        let found = of(&disorders).disorder().quantile(parts);
        let mut sorted = disorders;
        sorted.sort_unstable();
        let rank = (sorted.len() as u64 * u64::from(parts)).div_ceil(1_000_000).max(1) as usize;
        let exact = sorted[rank - 1];
        if exact <= 0 {
            prop_assert_eq!(found, 0);
        } else {
            let (above, bound) = bucket(exact);
            prop_assert!(exact <= found && above < found && found <= bound, "{} for {}", found, exact);
        }
        let max = of(&sorted).disorder().quantile(1_000_000);
        prop_assert_eq!(max, sorted.last().copied().unwrap().max(0), "the largest is exact");
    }

    #[test]
    fn what_a_limit_loses_is_exact_at_every_bound_and_never_too_little(
        disorders in proptest::collection::vec(micros(), 0..200), limit in micros(),
    ) {
        let lateness = of(&disorders);
        for limit in BOUNDS.into_iter().chain([limit, 0]) {
            let exact = disorders.iter().filter(|disorder| **disorder > limit.max(0)).count() as u64;
            let (above, is_exact) = lateness.disorder().above(limit);
            prop_assert!(above == exact || (above > exact && !is_exact), "{} for {} at {}", above, exact, limit);
            prop_assert!(is_exact || !BOUNDS.contains(&limit));
        }
    }

    #[test]
    fn merging_is_associative_and_in_any_order(
        disorders in proptest::collection::vec(micros(), 0..200), cuts in (0..200_usize, 0..200_usize),
    ) {
        let (one, two) = (cuts.0.min(cuts.1).min(disorders.len()), cuts.0.max(cuts.1).min(disorders.len()));
        let (a, b, c) = (of(&disorders[..one]), of(&disorders[one..two]), of(&disorders[two..]));
        let merged = |parts: &[&Lateness]| {
            let mut sum = Lateness::new();
            parts.iter().for_each(|part| sum.merge(part));
            sum
        };
        prop_assert_eq!(merged(&[&a, &b, &c]), of(&disorders));
        prop_assert_eq!(merged(&[&a, &merged(&[&b, &c])]), merged(&[&merged(&[&c, &a]), &b]));
    }

    #[test]
    fn what_is_written_is_read_back(disorders in proptest::collection::vec(micros(), 0..50), flip in 0..1057_usize) {
        let lateness = of(&disorders);
        let mut bytes = Vec::new();
        lateness.encode(&mut bytes);
        prop_assert_eq!(bytes.len(), 1057);
        prop_assert_eq!(&Lateness::decode(&bytes).unwrap(), &lateness);
        prop_assert!(Lateness::decode(&bytes[..flip]).is_err());
        bytes[flip] ^= 1;
        if let Ok(read) = Lateness::decode(&bytes) {
            let mut again = Vec::new();
            read.encode(&mut again);
            prop_assert_eq!(again, bytes);
            let _ = advise(&read, MINUTE).to_string();
        }
    }

    #[test]
    fn the_share_advised_is_what_the_watermark_calls_late(
        times in proptest::collection::vec(0..5 * MINUTE, 1..200), at in 0..63_usize,
    ) {
        let (mut watermark, mut lateness) = (Watermark::new(BOUNDS[at]), Lateness::new());
        let mut late = 0;
        for time in &times {
            lateness.observe(disorder_micros(watermark.max_seen(), EventTime(*time)), 0);
            late += u64::from(watermark.observe(EventTime(*time)) != Timeliness::OnTime);
        }
        let advice = advise(&lateness, BOUNDS[at]);
        prop_assert!(advice.late_share_exact);
        prop_assert_eq!(advice.late_share_now, late as f64 / times.len() as f64);
        for suggestion in &advice.suggestions {
            let mut tried = Watermark::new(suggestion.watermark_micros);
            times.iter().for_each(|time| { tried.observe(EventTime(*time)); });
            prop_assert_eq!(suggestion.late_share, tried.late_events() as f64 / times.len() as f64);
        }
        prop_assert_eq!(advice.suggestions.last().unwrap().late_share, 0.0);
    }
}

#[test]
fn the_bounds_are_lengths_that_people_write() {
    assert_eq!((BOUNDS[0], BOUNDS[62], BOUNDS[63]), (1_000, 30 * DAY, i64::MAX));
    for pair in BOUNDS.windows(2) {
        assert!(pair[0] < pair[1]);
        assert!(pair[0] < 10_000 || pair[1] == i64::MAX || pair[1] * 3 <= pair[0] * 6, "{pair:?}");
    }
    for bound in &BOUNDS[..63] {
        let text = format_duration(*bound);
        assert!(text.len() <= 5 && parse_duration(&text) == Some(*bound), "{text}");
    }
    for usual in [SECOND, 5 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE, 90 * SECOND, 5 * MINUTE, HOUR, DAY] {
        assert!(BOUNDS.contains(&usual));
    }
}

#[test]
fn the_advice_reads_as_a_sentence() {
    let mut disorders = vec![0; 99_000];
    disorders.extend([2 * SECOND; 200]);
    disorders.extend([33 * SECOND; 750]);
    disorders.extend([42 * SECOND; 45]);
    disorders.extend([55 * SECOND; 5]);
    let lateness = of(&disorders);
    assert_eq!(
        advise(&lateness, 30 * SECOND).to_string(),
        "p99.9 of disorder is 40s over 100000 events; with watermark = \"30s\" 0.8 % of events would be late; watermark \
         = \"40s\" loses 0.05 %; watermark = \"50s\" loses 0.005 %; watermark = \"1m\" loses none of those seen"
    );
    assert_eq!(
        advise(&lateness, 5 * MINUTE).to_string(),
        "p99.9 of disorder is 40s over 100000 events; with watermark = \"5m\" none of those seen is late; watermark = \
         \"1m\" loses none of those seen"
    );
    assert!(advise(&lateness, 35 * SECOND).to_string().contains("with watermark = \"35s\" up to 0.8 % of events"));
    assert_eq!(advise(&lateness, 0).disorder.to_string(), "p50 0s, p90 0s, p99 0s, p99.9 40s, longest 55s");
}

#[test]
fn the_advice_is_sound_where_there_is_little_to_go_by() {
    assert!(advise(&Lateness::new(), MINUTE).to_string().starts_with("no events seen yet"));
    assert_eq!(advise(&Lateness::new(), MINUTE).suggestions, []);
    let in_order = advise(&of(&[0; 10]), MINUTE);
    assert_eq!((in_order.suggestions.len(), in_order.suggestions[0].watermark_micros), (1, 0));
    let ages = advise(&of(&[i64::MAX, 45 * DAY + 1]), -5);
    assert_eq!((ages.watermark_micros, ages.late_share_now), (0, 1.0));
    assert_eq!(ages.suggestions.last().unwrap().late_share, 0.0);
    let longer = advise(&of(&[45 * DAY + 1]), DAY).suggestions;
    assert_eq!(longer.iter().map(|it| it.watermark_micros).collect::<Vec<_>>(), [46 * DAY]);
}

#[test]
fn format_1_stays_readable_and_is_what_is_written() {
    let lateness = of(&[0, 1, 500, SECOND, 33 * SECOND, 40 * DAY, -7]);
    let mut bytes = Vec::new();
    lateness.encode(&mut bytes);
    let golden = include_bytes!("golden/lateness-1.bin");
    assert_eq!(bytes, golden, "raise LATENESS_VERSION and keep the old reader");
    assert_eq!(Lateness::decode(golden).unwrap(), lateness);
}

#[test]
fn disorder_is_the_distance_to_the_newest_event_before() {
    assert_eq!(disorder_micros(None, EventTime(5)), 0);
    assert_eq!(disorder_micros(Some(EventTime(9)), EventTime(5)), 4);
    assert_eq!(disorder_micros(Some(EventTime(5)), EventTime(9)), 0);
    assert_eq!(disorder_micros(Some(EventTime(i64::MAX)), EventTime(i64::MIN)), i64::MAX);
}
