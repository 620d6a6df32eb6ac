/// Longest name that is compared; the cost grows with the product of the lengths.
const LENGTH_MAX: usize = 64;

/// The known name that was probably meant: at most a third of the letters differ, and a beginning counts.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LENGTH_MAX {
        return None;
    }
    let name = name.to_lowercase();
    let budget = (name.chars().count() / 3).max(1);
    let distance = |other: &str| {
        let starts = name.len() >= 3 && (other.starts_with(&name) || name.starts_with(other));
        if starts { 1 } else { strsim::damerau_levenshtein(&name, other) }
    };
    let close = known.into_iter().map(|other| (distance(other), other)).filter(|(d, _)| *d <= budget);
    close.min_by_key(|(d, _)| *d).map(|(_, other)| other)
}

/// Text from the file as it is quoted in messages: short, and without control characters.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let short: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    let rest = if text.chars().nth(SHOWN).is_some() { "…" } else { "" };
    format!("`{short}{rest}`")
}

/// A list of names in a hint; of many, the first ones.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let names: Vec<&str> = names.into_iter().take(SHOWN + 1).collect();
    let rest = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{rest}", names[..names.len().min(SHOWN)].join(", "))
}

/// The hint for an unknown name: the nearest, then all there are.
pub(super) fn name_hint(name: &str, known: &[&str]) -> String {
    let all = format!("allowed: {}", listed(known.iter().copied()));
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? {all}"),
        None => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_nonsense_finds_none() {
        let known = ["watermark", "format", "key", "time"];
        for (slip, meant) in [("watermrak", "watermark"), ("Format", "format"), ("ky", "key"), ("water", "watermark")] {
            assert_eq!(nearest(slip, known), Some(meant), "{slip}");
        }
        assert_eq!(nearest("sasl", known), None);
        assert_eq!(nearest(&"x".repeat(1000), known), None);
    }
}
