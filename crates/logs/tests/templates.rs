//! Messages get their templates: seeds first, then what was learned; memory is bounded and survives being stored.

use std::ops::Range;

use lapwing_logs::{Mask, Miner, MinerCounts, SeedTemplate, TemplateError, TemplateSpec, read_seed, write_seed};
use proptest::prelude::*;

mod twin;

use twin::{Answer, Twin};

fn miner(spec: TemplateSpec) -> Miner {
    Miner::new(spec).unwrap()
}

fn seed(texts: &[&str]) -> Vec<SeedTemplate> {
    let seed = |(i, text): (usize, &&str)| SeedTemplate { id: format!("E{}", i + 1), text: (*text).to_owned() };
    texts.iter().enumerate().map(seed).collect()
}

fn text_of(miner: &mut Miner, message: &str) -> String {
    let taken = miner.take(message, None);
    miner.template(taken.slot).unwrap().text.clone()
}

fn parts<'m>(miner: &mut Miner, message: &'m str) -> (String, Vec<&'m str>) {
    let mut ranges = Vec::new();
    let taken = miner.take(message, Some(&mut ranges));
    let texts = ranges.iter().map(|range| &message[range.start as usize..range.end as usize]).collect();
    (miner.template(taken.slot).unwrap().text.clone(), texts)
}

#[test]
fn a_message_like_another_makes_a_parameter_of_what_differs() {
    let mut miner = miner(TemplateSpec::default());
    let first = miner.take("session of alice opened on seat left", None);
    let second = miner.take("session of bob opened on seat right", None);
    assert_eq!((first.slot, first.is_new), (second.slot, true));
    assert!(!second.is_new);
    let template = miner.template(first.slot).unwrap();
    assert_eq!(template.text, "session of <*> opened on seat <*>");
    assert_eq!((template.lines, template.code), (2, 0));
}

#[test]
fn the_id_is_that_of_the_message_that_made_it() {
    let mut one = miner(TemplateSpec::default());
    let mut other = miner(TemplateSpec::default());
    other.take("something else before it", None);
    let id = |miner: &mut Miner, message: &str| {
        let taken = miner.take(message, None);
        miner.template(taken.slot).unwrap().id.to_string()
    };
    let made = id(&mut one, "session of alice opened from 10.0.0.1");
    assert_eq!(made, id(&mut one, "session of bob opened from 10.0.0.2"), "generalising leaves it as it is");
    assert_eq!(made, id(&mut other, "session of alice opened from 10.9.9.9"), "masked values do not count");
    assert_eq!((made.len(), &made[..1]), (13, "T"));
    assert!(made[1..].bytes().all(|byte| byte.is_ascii_hexdigit()));
}

#[test]
fn values_and_differing_tokens_are_told_as_parameters() {
    let mut miner = miner(TemplateSpec::default());
    miner.take("payment of user alice: 12 from 10.0.0.1", None);
    let (text, parameters) = parts(&mut miner, " payment of  user bob: 7 from 10.0.0.2\r\n");
    assert_eq!(text, "payment of user <*> <NUMBER> from <IP>");
    assert_eq!(parameters, ["bob:", "7", "10.0.0.2"]);
}

#[test]
fn a_list_of_values_is_one_value() {
    let mut miner = miner(TemplateSpec::default());
    let (text, parameters) = parts(&mut miner, "replicate blk_1 blk_-2 blk_3 to 10.0.0.1");
    assert_eq!(text, "replicate blk_<NUMBER> to <IP>");
    assert_eq!(parameters, ["1 blk_-2 blk_3", "10.0.0.1"]);
    assert_eq!(text_of(&mut miner, "replicate blk_9 to 10.0.0.1"), text);
}

#[test]
fn a_seed_template_comes_first_and_keeps_its_id_and_code() {
    let texts = ["Received block<*>of size<*>from<*>", "<*>src:<*>of size <*>"];
    let mut miner = miner(TemplateSpec { seed: seed(&texts), ..TemplateSpec::default() });
    let mut ranges = Vec::new();
    let message = "Received block blk_1 of size 67 from /10.0.0.1";
    let taken = miner.take(message, Some(&mut ranges));
    assert_eq!((taken.slot, taken.code, taken.is_new), (0, 1, false));
    assert_eq!(&*miner.template(0).unwrap().id, "E1");
    assert_eq!(ranges, [14..21, 28..32, 36..46]);
    assert_eq!(miner.take("nothing of the kind", None).code, 0);
    assert_eq!(miner.counts(), MinerCounts { lines: 2, created: 1, ..MinerCounts::default() });
}

#[test]
fn without_learning_what_fits_nothing_is_unknown() {
    let mut miner = miner(TemplateSpec { seed: seed(&["up <*>"]), learn: false, ..TemplateSpec::default() });
    let taken = miner.take("down 1", None);
    assert_eq!((taken.code, taken.is_new), (0, false));
    assert_eq!(&*miner.template(taken.slot).unwrap().id, "UNKNOWN");
    assert_eq!(miner.take("up 1", None).code, 1);
    assert_eq!(miner.counts(), MinerCounts { lines: 2, unknown: 1, ..MinerCounts::default() });
    let ids: Vec<&str> = miner.templates().map(|template| &*template.id).collect();
    assert_eq!(ids, ["E1", "UNKNOWN"]);
}

#[test]
fn patterns_of_users_go_by_the_order_of_the_list() {
    let own = Mask { name: "took".into(), pattern: r"took \d+ ms".into() };
    let masks = vec![own, Mask::named("number").unwrap()];
    let mut miner = miner(TemplateSpec { masks, ..TemplateSpec::default() });
    let (text, parameters) = parts(&mut miner, "call 7 took 12 ms in all");
    assert_eq!(text, "call <NUMBER> <TOOK> in all");
    assert_eq!(parameters, ["7", "took 12 ms"]);
}

#[test]
fn words_that_look_like_masks_are_not_taken_for_them() {
    let mut miner = miner(TemplateSpec { similarity: 1.0, ..TemplateSpec::default() });
    let literal = miner.take("from <IP>", None);
    let masked = miner.take("from 10.0.0.1", None);
    assert_ne!(literal.slot, masked.slot);
    assert_ne!(miner.template(literal.slot).unwrap().id, miner.template(masked.slot).unwrap().id, "the id is taken");
}

#[test]
fn settings_that_cannot_be_are_refused_with_what_to_do() {
    let refused = |spec: TemplateSpec| spec.check().unwrap_err().to_string();
    let masks = |name: &str, pattern: &str| {
        refused(TemplateSpec {
            masks: vec![Mask { name: name.into(), pattern: pattern.into() }],
            ..TemplateSpec::default()
        })
    };
    assert_eq!(
        refused(TemplateSpec { similarity: 1.5, ..TemplateSpec::default() }),
        "templates: `similarity` = 1.5 is not in 0..=1; choose a value in that range"
    );
    assert_eq!(
        refused(TemplateSpec { depth: 1, ..TemplateSpec::default() }),
        "templates: `depth` = 1 is not in 2..=16; choose a value in that range"
    );
    assert!(masks("blk", "").starts_with("mask `blk`: no pattern, and no ready mask: url, email"));
    assert!(masks("blk", "(").starts_with("mask `blk`: its pattern does not read"));
    assert_eq!(masks("blk", r"(\w{1000}){1000}"), "mask `blk`: its pattern grows too large; repeat less");
    assert!(masks("Blk", "x").starts_with("mask `Blk`: a name has 1 to 32"));
}

#[test]
fn a_list_is_read_and_written_and_names_its_faulty_line() {
    let list = b"EventId,EventTemplate,Occurrences\nE1,[*]Served[*],3\nE2,\"a, <*>\",1\n";
    let read = read_seed(list).unwrap();
    assert_eq!(read[1], SeedTemplate { id: "E2".into(), text: "a, <*>".into() });
    let written = write_seed(read.iter().map(|seed| (seed.id.as_str(), seed.text.as_str())));
    assert_eq!(read_seed(&written).unwrap(), read);
    let line_of = |list: &[u8]| match read_seed(list).unwrap_err() {
        TemplateError::List { line, .. } => line,
        other => panic!("{other}"),
    };
    assert_eq!(line_of(b"Id,Template\n"), 1);
    assert_eq!(line_of(b"EventId,EventTemplate\nE1,a\nE2,b,c\n"), 3);
    assert_eq!(line_of(b"EventId,EventTemplate\nE1,a\nE2,\n"), 3);
    assert_eq!(line_of(b"EventId,EventTemplate\nE1,\xff\n"), 2);
}

/// A message of each of the 29 log statements, as Hadoop writes it.
const HDFS: [&str; 29] = [
    "Adding an already existing block blk_1",
    "Verification succeeded for blk_1",
    "10.0.0.1:50010 Served block blk_1 to /10.0.0.2",
    "10.0.0.1:50010:Got exception while serving blk_1 to /10.0.0.2:",
    "Receiving block blk_1 src: /10.0.0.1:54106 dest: /10.0.0.2:50010",
    "Received block blk_1 src: /10.0.0.1:54106 dest: /10.0.0.2:50010 of size 67108864",
    "writeBlock blk_1 received exception java.io.IOException: Connection reset by peer",
    "PacketResponder 1 for block blk_1 Interrupted.",
    "Received block blk_1 of size 67108864 from /10.0.0.1",
    "PacketResponder blk_1 1 Exception java.io.EOFException",
    "PacketResponder 1 for block blk_1 terminating",
    "10.0.0.1:50010:Exception writing block blk_1 to mirror 10.0.0.2:50010",
    "Receiving empty packet for block blk_1",
    "Exception in receiveBlock for block blk_1 java.io.IOException: Broken pipe",
    "Changing block file offset of block blk_1 from 0 to 65024 meta file offset to 515",
    "10.0.0.1:50010:Transmitted block blk_1 to /10.0.0.2:50010",
    "10.0.0.1:50010:Failed to transfer blk_1 to 10.0.0.2:50010 got java.io.IOException: Broken pipe",
    "10.0.0.1:50010 Starting thread to transfer block blk_1 to 10.0.0.2:50010, 10.0.0.3:50010",
    "Reopen Block blk_1",
    "Unexpected error trying to delete block blk_1. BlockInfo not found in volumeMap.",
    "Deleting block blk_1 file /mnt/hadoop/dfs/data/current/blk_1",
    "BLOCK* NameSystem.allocateBlock: /user/data/part-00590. blk_1",
    "BLOCK* NameSystem.delete: blk_1 is added to invalidSet of 10.0.0.1:50010",
    "BLOCK* Removing block blk_1 from neededReplications as it does not belong to any file.",
    "BLOCK* ask 10.0.0.1:50010 to replicate blk_1 to datanode(s) 10.0.0.2:50010 10.0.0.3:50010",
    "BLOCK* NameSystem.addStoredBlock: blockMap updated: 10.0.0.1:50010 is added to blk_1 size 67108864",
    "BLOCK* NameSystem.addStoredBlock: Redundant addStoredBlock request received for blk_1 on 10.0.0.1:50010 size 67108864",
    "BLOCK* NameSystem.addStoredBlock: addStoredBlock request received for blk_1 on 10.0.0.1:50010 size 67108864 But it does not belong to any file.",
    "PendingReplicationMonitor timed out block blk_1",
];

#[test]
fn the_ready_list_knows_each_of_the_29_messages_of_hdfs() {
    let list = read_seed(include_bytes!("../../../pipelines/reference/hdfs-templates.csv")).unwrap();
    let ids: Vec<String> = list.iter().map(|seed| seed.id.clone()).collect();
    // One more than the literature numbers: requests to delete, which are no block's own fault.
    assert_eq!(ids, (1..=30).map(|i| format!("E{i}")).collect::<Vec<_>>());
    let mut miner = miner(TemplateSpec { seed: list, learn: false, ..TemplateSpec::default() });
    for (code, message) in (1..).zip(HDFS) {
        assert_eq!(miner.take(message, None).code, code, "{message}");
    }
}

/// With every spec that matters: small bounds, so that templates come and go all the time.
fn small(masks: bool) -> TemplateSpec {
    let masks = if masks { TemplateSpec::default().masks } else { Vec::new() };
    TemplateSpec { masks, children_max: 2, templates_max: 5, similarity: 0.5, ..TemplateSpec::default() }
}

fn messages() -> impl Strategy<Value = Vec<String>> {
    let word = proptest::sample::select(vec!["a", "b", "c", "d", "e", "x1", "y2", "f7", "k"]);
    let message = proptest::collection::vec(word, 0..5).prop_map(|words| words.join(" "));
    proptest::collection::vec(message, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_miner_does_what_the_slow_twin_does(
        messages in messages(),
        depth in 2_usize..6,
        similarity in proptest::sample::select(vec![0.0, 0.3, 0.5, 1.0]),
        children_max in 2_usize..5,
        templates_max in 1_usize..9,
    ) {
        let spec = TemplateSpec { depth, similarity, children_max, templates_max, ..small(false) };
        let mut miner = miner(spec);
        let mut twin = Twin::new(depth - 2, similarity, children_max, templates_max);
        let mut makers = std::collections::BTreeMap::new();
        for message in &messages {
            let answer = twin.take(message);
            let taken = miner.take(message, None);
            if taken.is_new {
                makers.insert(taken.slot, message.clone());
            }
            let template = miner.template(taken.slot).unwrap();
            let own = Answer {
                maker: makers[&taken.slot].clone(),
                text: template.text.clone(),
                is_new: taken.is_new,
                lines: template.lines,
            };
            prop_assert_eq!(own, answer, "{:?}", messages);
        }
    }

    #[test]
    fn stored_anywhere_and_restored_it_goes_on_the_same(messages in messages(), stop in 0_usize..120) {
        let stop = stop.min(messages.len());
        let mut miner = miner(small(true));
        messages[..stop].iter().for_each(|message| { miner.take(message, None); });
        let mut restored = Miner::restore(small(true), &miner.store()).unwrap();
        prop_assert_eq!(restored.store(), miner.store());
        prop_assert!(restored.templates().eq(miner.templates()));
        for message in &messages[stop..] {
            prop_assert_eq!(restored.take(message, None), miner.take(message, None));
        }
        prop_assert_eq!(restored.store(), miner.store());
        prop_assert_eq!(restored.counts(), miner.counts());
    }

    #[test]
    fn no_text_stops_it_and_parameters_are_pieces_of_it(
        texts in proptest::collection::vec(any_text(), 1..12),
        tokens_max in 1_usize..6,
        own in any::<bool>(),
    ) {
        let mut spec = TemplateSpec { tokens_max, line_bytes_max: 32, seed: seed(&["a<*>b", "<*>1 <*>"]), ..small(true) };
        if own {
            spec.masks.insert(2, Mask { name: "own".into(), pattern: r"b.\s*|x*".into() });
        }
        let mut miner = miner(spec);
        for text in &texts {
            let mut ranges: Vec<Range<u32>> = Vec::new();
            let taken = miner.take(text, Some(&mut ranges));
            prop_assert!(miner.template(taken.slot).is_some());
            let mut end = 0;
            for range in ranges {
                prop_assert!(range.start >= end && range.end >= range.start);
                prop_assert!(text.get(range.start as usize..range.end as usize).is_some());
                end = range.end;
            }
        }
    }

    #[test]
    fn parameters_put_back_into_the_text_give_the_message(texts in proptest::collection::vec(plain_message(), 1..20)) {
        let spec = TemplateSpec { seed: seed(&["start <*> of <*>"]), ..TemplateSpec::default() };
        let mut miner = miner(spec);
        for text in &texts {
            let (template, parameters) = parts(&mut miner, text);
            prop_assert_eq!(put_back(&template, &parameters), text.as_str(), "{}", template);
        }
    }

    #[test]
    fn asking_for_parameters_changes_nothing_else(texts in proptest::collection::vec(plain_message(), 1..20)) {
        let (mut asked, mut other) = (miner(TemplateSpec::default()), miner(TemplateSpec::default()));
        for text in &texts {
            prop_assert_eq!(asked.take(text, Some(&mut Vec::new())), other.take(text, None));
        }
        prop_assert_eq!(asked.store(), other.store());
    }

    #[test]
    fn damaged_memory_is_refused_or_read_but_never_stops_it(at in 0_usize..2_000, byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = golden_miner().store();
        let at = at % bytes.len();
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        if let Ok(mut miner) = Miner::restore(golden_spec(), &bytes) {
            HDFS.iter().for_each(|message| { miner.take(message, None); });
        }
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,60}", "[ab1 \u{e9}/:.]{0,60}", "(blk_-?[0-9]{1,3}[ \t]+){0,9}"]
}

fn plain_message() -> impl Strategy<Value = String> {
    let word = proptest::sample::select(vec![
        "a",
        "start",
        "of",
        "x1",
        "10.0.0.1",
        "10.0.0.2:80",
        "blk_1",
        "blk_-2",
        "/var/log",
        "[7]",
        "[8]",
        "5ms",
        "3/4",
        "\u{e9}t\u{e9}",
    ]);
    proptest::collection::vec(word, 0..7).prop_map(|words| words.join(" "))
}

/// Puts parameters in the places of `<*>` and of `<NAME>` of the masks.
fn put_back(template: &str, parameters: &[&str]) -> String {
    let names: Vec<String> = Mask::names().iter().map(|name| format!("<{}>", name.to_uppercase())).collect();
    let (mut text, mut rest, mut next) = (String::new(), template, parameters.iter());
    while let Some(c) = rest.chars().next() {
        let known = names.iter().map(String::as_str).chain(["<*>"]).find(|known| rest.starts_with(known));
        match known {
            Some(_) => text += next.next().expect("a parameter for each place"),
            None => text.push(c),
        }
        rest = &rest[known.map_or(c.len_utf8(), str::len)..];
    }
    assert_eq!(next.next(), None);
    text
}

fn golden_spec() -> TemplateSpec {
    TemplateSpec { seed: seed(&["Verification succeeded for <*>"]), children_max: 3, ..TemplateSpec::default() }
}

fn golden_miner() -> Miner {
    let mut miner = miner(golden_spec());
    for message in HDFS[..12].iter().chain(&HDFS[3..9]) {
        miner.take(message, None);
    }
    miner.take(&"many words ".repeat(65), None);
    miner
}

#[test]
fn the_stored_format_is_that_of_the_golden_file() {
    let golden = include_bytes!("golden/templates-1.bin");
    assert!(golden_miner().store() == golden, "raise VERSION and keep the old reader");
    assert!(Miner::restore(golden_spec(), golden).unwrap().store() == golden);
}

#[test]
fn memory_of_other_settings_or_versions_is_refused() {
    let bytes = golden_miner().store();
    let refused = |spec: TemplateSpec, bytes: &[u8]| Miner::restore(spec, bytes).unwrap_err().to_string();
    let other = TemplateSpec { similarity: 0.5, ..golden_spec() };
    let why = "restore templates at byte 68: they were learned with other settings; learn them again from the messages";
    assert_eq!(refused(other, &bytes), why);
    let mut newer = bytes.clone();
    newer[0] = 2;
    assert!(refused(golden_spec(), &newer).contains("version 2 is not known, only 1"));
    assert!(refused(golden_spec(), &bytes[..bytes.len() - 1]).contains("bytes wanted"));
}

#[test]
fn long_lines_are_cut_and_what_is_left_is_one_parameter() {
    let mut miner = miner(TemplateSpec { tokens_max: 3, line_bytes_max: 64, ..TemplateSpec::default() });
    let (text, parameters) = parts(&mut miner, "one two three four five");
    assert_eq!((text.as_str(), parameters), ("one two three <*>", vec!["four five"]));
    let giant = "g".repeat(1 << 20);
    let message = format!("head {giant}");
    let (text, parameters) = parts(&mut miner, &message);
    assert_eq!((text.as_str(), parameters), ("head <*>", vec![giant.as_str()]));
    let is_new = ["h", "i"].map(|letter| miner.take(&letter.repeat(1 << 20), None).is_new);
    assert_eq!(is_new, [true, false], "what is cut off is alike");
    assert_eq!(miner.counts().cut, 4);
    for text in ["", " ", "\t\n", &" ".repeat(1 << 20)] {
        assert_eq!(text_of(&mut miner, text), "", "blanks are no tokens");
    }
    let numbers = "1 ".repeat(1_000_000);
    assert_eq!(text_of(&mut miner, &numbers), "<NUMBER> <*>");
}

#[test]
fn however_many_messages_are_unique_memory_stays_bounded() {
    let spec = TemplateSpec { templates_max: 200, children_max: 10, ..TemplateSpec::default() };
    let mut miner = miner(spec);
    let mut most = [0_usize; 2];
    let letters =
        |number: u32| -> String { (0..5).map(|at| char::from(b'a' + (number >> (at * 3) & 7) as u8)).collect() };
    for number in 0..30_000_u32 {
        let word = letters(number.wrapping_mul(2_654_435_761) >> 8);
        miner.take(&format!("{word} {word}x {word}y some {word}z"), None);
        let half = usize::from(number >= 15_000);
        most[half] = most[half].max(miner.bytes());
    }
    let learned = miner.templates().count();
    assert!(learned <= 200, "{learned}");
    assert!(most[1] <= most[0] + most[0] / 20, "the second half holds no more than the first: {most:?}");
    let counts = miner.counts();
    assert_eq!(counts.created - counts.evicted, learned as u64);
}
