use std::collections::BTreeSet;

/// Rust text with comments, strings and characters replaced by blanks. Lines and columns (in bytes) stay.
pub(crate) fn code_only(text: &str) -> String {
    blank(text, |_| false)
}

/// The twin: only comments stay, everything else is blank.
pub(crate) fn comments_only(text: &str) -> String {
    let code = blank(text, |token| token == Token::Comment);
    let without = code_only(text);
    let only = code
        .bytes()
        .zip(without.bytes())
        .map(|(with, without)| if with == without { keep_newline(with) } else { with });
    String::from_utf8_lossy(&only.collect::<Vec<u8>>()).into_owned()
}

#[derive(Clone, Copy, PartialEq)]
enum Token {
    Comment,
    Text,
}

fn keep_newline(byte: u8) -> u8 {
    if byte == b'\n' { b'\n' } else { b' ' }
}

fn blank(text: &str, stays: impl Fn(Token) -> bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let Some((token, length)) = token_at(bytes, at) else {
            out.push(bytes[at]);
            at += 1;
            continue;
        };
        let end = (at + length).min(bytes.len());
        let hidden = bytes[at..end].iter().map(|byte| if stays(token) { *byte } else { keep_newline(*byte) });
        out.extend(hidden);
        at = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The comment, string or character that starts at `at`, and its length in bytes.
fn token_at(bytes: &[u8], at: usize) -> Option<(Token, usize)> {
    let rest = &bytes[at..];
    let follows_word = at > 0 && is_word(bytes[at - 1]);
    match rest {
        [b'/', b'/', ..] => Some((Token::Comment, rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()))),
        [b'/', b'*', ..] => Some((Token::Comment, block_comment(rest))),
        [b'"', ..] => Some((Token::Text, quoted(rest, 0))),
        [b'b' | b'c', b'"', ..] if !follows_word => Some((Token::Text, 1 + quoted(&rest[1..], 0))),
        [b'r', b'"' | b'#', ..] if !follows_word => raw_string(rest, 1).map(|length| (Token::Text, length)),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !follows_word => {
            raw_string(rest, 2).map(|length| (Token::Text, length))
        }
        [b'\'', ..] => character(rest).map(|length| (Token::Text, length)),
        _ => None,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// Length of a string from its opening quote on, escapes included.
fn quoted(rest: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#` and so on; `None` for a raw identifier such as `r#type`.
fn raw_string(rest: &[u8], prefix: usize) -> Option<usize> {
    let hashes = rest[prefix..].iter().take_while(|b| **b == b'#').count();
    let open = prefix + hashes;
    if rest.get(open) != Some(&b'"') {
        return None;
    }
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = &rest[open + 1..];
    let end = body.windows(close.len()).position(|window| window == close);
    Some(end.map_or(rest.len(), |end| open + 1 + end + close.len()))
}

/// A character; `None` for a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    match rest {
        [_, b'\\', _, tail @ ..] => Some(3 + tail.iter().position(|b| *b == b'\'')? + 1),
        _ => {
            let width = std::str::from_utf8(&rest[1..rest.len().min(5)]).map_or_else(
                |error| std::str::from_utf8(&rest[1..1 + error.valid_up_to()]).ok()?.chars().next().map(char::len_utf8),
                |text| text.chars().next().map(char::len_utf8),
            )?;
            (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
        }
    }
}

/// `code_only` with every item under `#[cfg(test)]` blanked out too.
pub(crate) fn code_outside_tests(text: &str) -> String {
    let mut code = code_only(text);
    let mut from = 0;
    while let Some(found) = code[from..].find("#[cfg(test)]") {
        let start = from + found;
        let end = item_end(&code, start + "#[cfg(test)]".len());
        let hidden: Vec<u8> = code.as_bytes()[start..end].iter().map(|byte| keep_newline(*byte)).collect();
        code.replace_range(start..end, &String::from_utf8_lossy(&hidden));
        from = end;
    }
    code
}

/// Where an item ends that starts after its attribute: at its closing brace, or at a `;` outside of all brackets.
fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0_i32;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'}' => {
                depth -= 1;
                if depth <= 0 {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// Names of modules in files of their own that exist only for tests: `#[cfg(test)] mod name;`.
pub(crate) fn test_modules(text: &str) -> BTreeSet<String> {
    let code = code_only(text);
    let after = code.match_indices("#[cfg(test)]").map(|(at, mark)| code[at + mark.len()..].trim_start());
    after
        .filter_map(|rest| rest.strip_prefix("mod ").or_else(|| rest.strip_prefix("pub(crate) mod ")))
        .filter_map(|rest| rest.split_once(';').map(|(name, _)| name.trim()))
        .filter(|name| name.bytes().all(is_word))
        .map(str::to_owned)
        .collect()
}

/// Line of a byte, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

/// Name, first line and last line of every function with a body.
pub(crate) fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        if at > 0 && is_word(code.as_bytes()[at - 1]) {
            continue;
        }
        let name: String =
            code[at + 3..].trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.is_empty() {
            continue;
        }
        let end = item_end(code, at);
        if code.as_bytes().get(end.saturating_sub(1)) == Some(&b'}') {
            found.push((name, line_of(code, at), line_of(code, end - 1)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_and_characters_are_blanked_and_lifetimes_stay() {
        let text =
            "let a = \"// x\"; // y\nfn b<'a>(c: &'a str) { '\\'' ; 'é'; r#\"q\"z\"#; b\"w\" /* k /* l */ m */ }";
        let code = code_only(text);
        assert_eq!(code.lines().count(), 2);
        for gone in ["x", "y", "é", "q", "z", "w", "k", "l ", "m "] {
            assert!(!code.replace("let", "").contains(gone), "{gone} in {code}");
        }
        assert!(code.contains("fn b<'a>(c: &'a str) {") && code.ends_with('}'), "{code}");
        assert_eq!(code_only("r#type + r\"a\""), "r#type +     ");
    }

    #[test]
    fn only_comments_stay_in_the_twin() {
        let comments = comments_only("let a = \"s\"; // note\n/* b */ c");
        assert_eq!(comments.split_whitespace().collect::<Vec<_>>(), ["//", "note", "/*", "b", "*/"]);
    }

    #[test]
    fn what_is_only_for_tests_is_blanked() {
        let code = code_outside_tests("fn a() {}\n#[cfg(test)]\nmod tests { fn b() { [1;2]; } }\nfn c() {}");
        assert!(code.contains("fn a") && code.contains("fn c") && !code.contains("fn b"), "{code}");
        let code = code_outside_tests("#[cfg(test)]\nuse x::y;\nuse z;");
        assert!(!code.contains("x::y") && code.contains("use z;"), "{code}");
        assert!(test_modules("#[cfg(test)]\nmod twin;\nmod real;").contains("twin"));
    }

    #[test]
    fn a_function_is_measured_from_its_name_to_its_last_brace() {
        let found = functions("trait T { fn none(&self); }\npub fn two() -> [u8; 2] {\n  if a { b }\n}\n");
        assert_eq!(found, [("two".to_owned(), 2, 4)]);
    }
}
