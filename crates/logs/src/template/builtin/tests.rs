use std::net::Ipv6Addr;

use proptest::prelude::*;
use regex::Regex;

use super::super::mask::{Mask, Masks};
use super::*;

/// What a builtin matches, said a second time as a regular expression over the whole match.
fn expression(builtin: Builtin) -> &'static str {
    match builtin {
        Builtin::Url => r#"[A-Za-z][A-Za-z0-9+.\-]{0,15}://[^\s"'<>()\[\]{}|\\^`]*[^\s"'<>()\[\]{}|\\^`.,;:!?]"#,
        Builtin::Email => r"[A-Za-z0-9][A-Za-z0-9._%+\-]{0,63}@[A-Za-z0-9.\-]*[A-Za-z0-9]\.[A-Za-z]{2,}",
        Builtin::Uuid => r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
        Builtin::Mac => r"[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5})",
        Builtin::Ip => r"/?[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5})?",
        Builtin::Path => {
            r"(?:/[._%=~$#,+\-]{0,3}[A-Za-z0-9\P{ASCII}](?:[A-Za-z0-9\P{ASCII}._%=~$#,+\-/:@]*[A-Za-z0-9\P{ASCII}_%=~$#+\-/@])?|[A-Za-z]:\\[._%=~$#,+\-]{0,3}[A-Za-z0-9\P{ASCII}](?:[A-Za-z0-9\P{ASCII}._%=~$#,+\-/:@\\]*[A-Za-z0-9\P{ASCII}_%=~$#+\-/@\\])?)"
        }
        Builtin::Hex => r"0[xX][0-9a-fA-F]+|[0-9a-fA-F]{6,}",
        Builtin::Duration => r"(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|\x{b5}s|\x{3bc}s|ms|s|sec|m|min|h|d))+",
        Builtin::Size => r"[0-9]+(?:\.[0-9]+)?(?:[BkKMGT]|[kKMGTP]B|[KMGTP]iB)",
        Builtin::Number => r"[+\-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+\-]?[0-9]+)?",
    }
}

fn is_match(builtin: Builtin, whole: &Regex, text: &str) -> bool {
    let has = |is: fn(&u8) -> bool| text.as_bytes().iter().any(is);
    let address = text.strip_prefix('/').unwrap_or(text);
    let is_ip6 = address.parse::<Ipv6Addr>().is_ok() && address.matches(':').count() >= 2;
    match builtin {
        Builtin::Ip => has(u8::is_ascii_digit) && (is_ip6 || whole.is_match(text)),
        Builtin::Uuid | Builtin::Mac => has(u8::is_ascii_digit) && whole.is_match(text),
        Builtin::Hex => {
            let letters = has(|byte| byte.is_ascii_alphabetic());
            has(u8::is_ascii_digit) && letters && whole.is_match(text)
        }
        _ => whole.is_match(text),
    }
}

/// The slow and obvious way: from each place every end is tried, the last one first.
fn slow(expressions: &[(Builtin, Regex)], text: &str) -> Vec<(usize, usize, &'static str)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || !c.is_ascii();
    let is_blank = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
    let mut found = Vec::new();
    let mut at = 0;
    'places: while at < text.len() {
        let rest = &text[at..];
        let token = rest.find(is_blank).unwrap_or(rest.len());
        if !text[..at].ends_with(is_word) {
            for (builtin, whole) in expressions {
                let mut ends = (1..=token).rev().filter(|end| rest.is_char_boundary(*end));
                let end =
                    ends.find(|end| !rest[*end..].starts_with(is_word) && is_match(*builtin, whole, &rest[..*end]));
                if let Some(end) = end {
                    found.push((at, at + end, builtin.name()));
                    at += end;
                    continue 'places;
                }
            }
        }
        at += rest.chars().next().map_or(1, char::len_utf8);
    }
    found
}

fn expressions() -> Vec<(Builtin, Regex)> {
    Builtin::ALL.iter().map(|b| (*b, Regex::new(&format!("^(?:{})$", expression(*b))).unwrap())).collect()
}

fn all() -> Masks {
    let masks: Vec<Mask> = Mask::names().iter().filter_map(|name| Mask::named(name)).collect();
    Masks::new(&masks).unwrap()
}

fn fast(masks: &Masks, text: &str) -> Vec<(usize, usize, &'static str)> {
    let mut spans = Vec::new();
    masks.find_all(text, &mut spans);
    spans.iter().map(|span| (span.start as usize, span.end as usize, NAMES[usize::from(span.mask)])).collect()
}

fn piece() -> impl Strategy<Value = String> {
    let examples = [
        "10.250.19.102",
        "/10.0.0.1",
        ":50010",
        "fe80::1",
        "::",
        "1:2:3:4:5:6:7:8",
        "http://",
        "a.b/c?d=e",
        "joe@",
        "ex.org",
        "0123abcd-0123-0123-0123-0123456789ab",
        "00:1a:2b:3c:4d:5e",
        "00-1a-2b-3c-4d-5e",
        "/var/log",
        "C:\\x",
        "0x1f",
        "deadbeef1",
        "5ms",
        "1h30m",
        "3\u{b5}s",
        "64MB",
        "1.5GiB",
        "-12",
        "+0.5",
        "1e-9",
        "blk_",
        "core.",
        "x",
        "\u{e9}",
        " ",
        "  ",
        "\t",
        ",",
        ".",
        ":",
        "-",
        "_",
        "/",
        "(",
        "]",
        "=",
        "12",
        "7",
        "ab",
        "%",
        "@",
        "\\",
    ];
    prop_oneof![
        4 => proptest::sample::select(examples.to_vec()).prop_map(str::to_owned),
        1 => "[0-9a-fA-F:./@_ \\-]{1,12}",
        1 => ".{0,3}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn values_are_found_as_the_expressions_say(pieces in proptest::collection::vec(piece(), 0..12)) {
        let text = pieces.concat();
        prop_assert_eq!(fast(&all(), &text), slow(&expressions(), &text), "{:?}", text);
    }
}

#[test]
fn each_kind_of_value_is_known_by_its_usual_forms() {
    let masks = all();
    let kinds = |text: &str| fast(&masks, text).iter().map(|found| found.2).collect::<Vec<_>>();
    for (kind, texts) in [
        ("url", ["https://a.example/b?c=1", "(ftp://host:21)", "postgres://u@h/db,"]),
        ("email", ["joe.doe+x@mail.example.org", "<a@b.de>", "to=a_1@b-c.com."]),
        (
            "uuid",
            [
                "123e4567-e89b-12d3-a456-426614174000",
                "{123E4567-E89B-12D3-A456-426614174000}",
                "id=123e4567-e89b-12d3-a456-426614174000,",
            ],
        ),
        ("mac", ["00:1a:2b:3c:4d:5e", "00-1A-2B-3C-4D-5E", "[00:1a:2b:3c:4d:5e]"]),
        ("ip", ["10.250.19.102:54106", "/10.250.19.102", "fe80::1ff:fe23:4567:890a"]),
        ("path", ["/var/log/syslog", "chdir(/nfs/tmp2/x)", "C:\\Windows\\x.dll"]),
        ("hex", ["0x0b85eee0", "deadbeef42", "lr:00d4ac"]),
        ("duration", ["5ms", "1h30m", "took=0.25s"]),
        ("size", ["64MB", "1.5GiB", "(512k)"]),
        ("number", ["-42", "blk_-1608999687919862906", "0.5%"]),
    ] {
        for text in texts {
            assert_eq!(kinds(text), [kind], "{text}");
        }
    }
    for text in ["sha256", "x86_a", "and/or", "::", "std::a::b", "a@b", "R02-M1x", "deface", "1st"] {
        assert_eq!(kinds(text), [""; 0], "{text}");
    }
}
