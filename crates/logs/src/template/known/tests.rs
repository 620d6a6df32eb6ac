use proptest::prelude::*;
use regex::Regex;

use super::super::mask::Mask;
use super::*;

fn masks() -> Masks {
    Masks::new(&[Mask::named("ip").unwrap()]).unwrap()
}

fn seeds(texts: &[String]) -> Vec<SeedTemplate> {
    texts.iter().enumerate().map(|(i, text)| SeedTemplate { id: format!("E{}", i + 1), text: text.clone() }).collect()
}

fn find(texts: &[&str], message: &str) -> Option<u32> {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    Known::new(&seeds(&texts), &masks()).unwrap().find(message.as_bytes(), false, &mut Vec::new(), None)
}

#[test]
fn the_template_with_the_most_literal_characters_wins() {
    let texts = ["[*]Received block[*]of size[*]from[*]", "[*]Received block[*]src:[*]dest:[*]of size[*]"];
    assert_eq!(find(&texts, "Received block blk_1 of size 67 from /10.0.0.1"), Some(0));
    assert_eq!(find(&texts, "Received block blk_1 src: /a dest: /b of size 67"), Some(1));
    assert_eq!(find(&texts, "Received block blk_1 src: /a dest: /b of size 67 from /c"), Some(1));
    assert_eq!(find(&["<*>a<*>", "<*>"], "b"), Some(1), "one without literals takes what is left");
}

#[test]
fn a_star_by_itself_is_literal() {
    assert_eq!(find(&["BLOCK* ask <*>"], "BLOCK* ask x"), Some(0));
    assert_eq!(find(&["BLOCK* ask <*>"], "BLOCKS ask x"), None);
}

#[test]
fn without_a_parameter_at_its_ends_a_template_fits_the_ends() {
    assert_eq!(find(&["up"], "up"), Some(0));
    assert_eq!(find(&["up"], "up."), None);
    assert_eq!(find(&["aba<*>aba"], "aba"), None, "literals do not overlap");
    assert_eq!(find(&["aba<*>aba"], "abaaba"), Some(0));
    assert_eq!(find(&["from <IP>"], "from anywhere"), Some(0), "a mask's name is a parameter");
    assert_eq!(find(&["from <MAC>"], "from anywhere"), None, "a mask not in use is literal");
}

#[test]
fn templates_are_refused_by_number() {
    let refused = |texts: &[(&str, &str)]| {
        let seed: Vec<SeedTemplate> =
            texts.iter().map(|(id, text)| SeedTemplate { id: (*id).into(), text: (*text).into() }).collect();
        Known::new(&seed, &masks()).unwrap_err().to_string()
    };
    assert_eq!(
        refused(&[("A", "x"), ("A", "y")]),
        "template 2 (`A`): template 1 has the same id; rename one of the two"
    );
    assert_eq!(refused(&[("A", " ")]), "template 1 (`A`): its text is empty; leave it out");
    assert_eq!(refused(&[(" ", "x")]), "template 1 (` `): its id is empty; give it one");
}

/// The slow and obvious way: each template as a regular expression, all of them tried.
fn slow(texts: &[String], message: &str) -> Option<u32> {
    let mut best: Option<(usize, u32)> = None;
    for (i, text) in (0..).zip(texts) {
        let text = text.trim().replace("[*]", "<*>");
        let literals: Vec<String> = text.split("<*>").map(regex::escape).collect();
        let fits = Regex::new(&format!("(?s)^{}$", literals.join(".*"))).unwrap().is_match(message);
        let characters = text.replace("<*>", "").chars().count();
        if fits && best.is_none_or(|(most, _)| characters > most) {
            best = Some((characters, i));
        }
    }
    best.map(|(_, i)| i)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn known_templates_fit_as_the_expressions_say(
        texts in proptest::collection::vec("([ab \u{e9}*.]|<\\*>|\\[\\*\\]){0,6}", 1..6),
        message in "[ab \u{e9}*.]{0,10}",
    ) {
        let texts: Vec<String> = texts.into_iter().filter(|text| !text.trim().is_empty()).collect();
        let known = Known::new(&seeds(&texts), &masks()).unwrap();
        let mut gaps = Vec::new();
        let found = known.find(message.as_bytes(), false, &mut Vec::new(), Some(&mut gaps));
        prop_assert_eq!(found, slow(&texts, &message));
        if let Some(found) = found {
            let text = canonical(&texts[found as usize], &masks());
            let mut literals = text.split("<*>");
            let mut put_back = literals.next().unwrap().to_owned();
            for (gap, literal) in gaps.iter().zip(literals.by_ref()) {
                put_back += &message[gap.clone()];
                put_back += literal;
            }
            prop_assert_eq!(literals.next(), None);
            prop_assert_eq!(put_back, message);
        }
    }
}
