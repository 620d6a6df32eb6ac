/// Writes a hint such as ``; did you mean `src_bytes`?`` or, if nothing is near, the names that exist.
pub(crate) fn hint(wrong: &str, known: &[String]) -> String {
    match nearest(wrong, known) {
        Some(name) => format!("; did you mean `{}`?", quoted_if_needed(name)),
        None if known.is_empty() => String::new(),
        None => format!("; there are: {}", known.join(", ")),
    }
}

/// The name most like `wrong`; `None` if even that one differs too much to be a slip.
fn nearest<'a>(wrong: &str, known: &'a [String]) -> Option<&'a String> {
    let folded = wrong.to_lowercase();
    let score = |name: &String| strsim::jaro_winkler(&folded, &name.to_lowercase());
    // 0.8 lets through one or two slips in a word and keeps unrelated words out.
    known
        .iter()
        .map(|name| (score(name), name))
        .filter(|(score, _)| *score >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// A name with capitals is only found by SQL when it is quoted, so it is proposed quoted.
fn quoted_if_needed(name: &str) -> String {
    if name.chars().any(char::is_uppercase) { format!("\"{name}\"") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_answered_by_the_right_name_and_nonsense_by_all_names() {
        let known = ["src_bytes".to_owned(), "hostId".to_owned()];
        assert_eq!(hint("src_byte", &known), "; did you mean `src_bytes`?");
        assert_eq!(hint("hostid", &known), "; did you mean `\"hostId\"`?");
        assert_eq!(hint("zzz", &known), "; there are: src_bytes, hostId");
    }
}
