//! Lines split by named layouts and by patterns.

use std::ops::Range;

use lapwing_logs::{FieldKind, Layout, LayoutError, LineMisfit};
use proptest::prelude::*;

/// The texts of the fields of a line; `None` for absent ones.
fn split<'a>(layout: &Layout, line: &'a str) -> Result<Vec<(String, Option<&'a str>)>, LineMisfit> {
    let mut ranges = vec![Some(3..4)];
    layout.split(line, &mut ranges)?;
    let text = |range: &Option<Range<u32>>| range.as_ref().map(|range| &line[range.start as usize..range.end as usize]);
    Ok(layout.fields().iter().map(|field| field.name.clone()).zip(ranges.iter().map(text)).collect())
}

/// `name=text` of the fields that are there.
fn shown(layout: &Layout, line: &str) -> String {
    let fields = split(layout, line).unwrap_or_else(|error| panic!("`{line}`: {error}"));
    let present = fields.into_iter().filter_map(|(name, text)| Some(format!("{name}={}", text?)));
    present.collect::<Vec<_>>().join("|")
}

fn misfit(layout: &Layout, line: &str) -> String {
    split(layout, line).unwrap_err().to_string()
}

#[test]
fn named_layouts_split_real_lines() {
    let table = [
        (
            "hdfs",
            "081109 203519 145 INFO dfs.DataNode$PacketResponder: PacketResponder 2 for block blk_-16089 terminating",
            "time=081109 203519|pid=145|level=INFO|component=dfs.DataNode$PacketResponder|message=PacketResponder 2 for \
             block blk_-16089 terminating",
        ),
        ("hdfs", "081109 203519 145 WARN a.B:\r\n", "time=081109 203519|pid=145|level=WARN|component=a.B|message="),
        (
            "bgl",
            "APPREAD 1117869872 2005.06.04 R23-M1-N8-I:J18-U11 2005-06-04-00.24.32.398284 R23-M1-N8-I:J18-U11 RAS APP \
             FATAL ciod: failed to read message prefix",
            "label=APPREAD|time=1117869872|date=2005.06.04|node=R23-M1-N8-I:J18-U11|\
             local_time=2005-06-04-00.24.32.398284|node_repeat=R23-M1-N8-I:J18-U11|type=RAS|component=APP|level=FATAL|\
             message=ciod: failed to read message prefix",
        ),
        (
            "syslog",
            "<34>Oct  3 22:14:15 mymachine su(pam_unix)[230]: 'su root' failed for lonvick on /dev/pts/8",
            "priority=34|time=Oct  3 22:14:15|host=mymachine|program=su(pam_unix)|pid=230|message='su root' failed for \
             lonvick on /dev/pts/8",
        ),
        (
            "syslog",
            "Jun 14 15:16:01 combo kernel: CPU 0: thermal",
            "time=Jun 14 15:16:01|host=combo|program=kernel|message=CPU 0: thermal",
        ),
        (
            "syslog",
            "Jun  4 15:16:01 combo last message repeated 2 times",
            "time=Jun  4 15:16:01|host=combo|message=last message repeated 2 times",
        ),
        (
            "syslog5424",
            "<165>1 2003-10-11T22:14:15.003Z web.example.com evntslog - ID47 [a@1 s=\"]\\\"\" t=\"2\"][b] An event",
            "priority=165|version=1|time=2003-10-11T22:14:15.003Z|host=web.example.com|program=evntslog|pid=-|\
             message_id=ID47|data=[a@1 s=\"]\\\"\" t=\"2\"][b]|message=An event",
        ),
        ("syslog5424", "<0>1 - - - - - -", "priority=0|version=1|host=-|program=-|pid=-|message_id=-|data=-|message="),
        (
            "log4j",
            "2015-10-18 18:01:47,978 INFO [Socket Reader #1] org.apache.hadoop.ipc.Server: Starting: x",
            "time=2015-10-18 18:01:47,978|level=INFO|thread=Socket Reader #1|component=org.apache.hadoop.ipc.Server|\
             message=Starting: x",
        ),
        (
            "log4j",
            "2015-10-18 18:01:47,978 WARN  a.b.C - gone",
            "time=2015-10-18 18:01:47,978|level=WARN|component=a.b.C|message=gone",
        ),
        ("iso8601", "2026-01-01T10:00:00.123Z INFO ready", "time=2026-01-01T10:00:00.123Z|level=INFO|message=ready"),
        (
            "iso8601",
            "2026-01-01 10:00:00+02:00 [ERROR]: no disk",
            "time=2026-01-01 10:00:00+02:00|level=ERROR|message=no disk",
        ),
        ("plain", "  any text ", "message=  any text "),
        ("plain", "", "message="),
    ];
    for (name, line, expected) in table {
        assert_eq!(shown(&Layout::named(name).unwrap(), line), expected, "{name}");
    }
    assert_eq!(Layout::names(), ["hdfs", "bgl", "syslog", "syslog5424", "log4j", "iso8601", "plain"]);
}

#[test]
fn kinds_take_what_they_say() {
    let table = [
        ("integer", "-12", ["12a", "1.5", "", "9223372036854775808"].as_slice()),
        ("integer", "9223372036854775807", &["-"]),
        ("number", "-1.5e-3", &["1.5.2", ".", "1e"]),
        ("number", ".5", &["e5"]),
        ("hex", "0xDEADbeef", &["0x", "xyz"]),
        ("word", "Ünï_9", &["a-b", ""]),
        ("ip", "10.250.19.102", &["10.250.19.256", "1.2.3", "10.250.19.102.7"]),
        ("ip", "fe80::1", &["fe80", ":::"]),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", &["123e4567-e89b-12d3-a456-42661417400"]),
        ("structured", "[a b=\"]\"]", &["[a", "[a b=\"]"]),
        ("path", "/var/log", &["var/log", ""]),
        ("path", "C:\\Temp", &["C:"]),
        ("notspace", "a:b", &["a b", ""]),
        ("data", "a b", &[]),
        ("LOGLEVEL", "INFO", &["[INFO]"]),
        ("TIMESTAMP_ISO8601", "2026-01-01 10:00:00", &["2026-01-01"]),
    ];
    for (kind, fits, others) in table {
        let layout = Layout::pattern(&format!("<%{{{kind}:x}}>")).unwrap();
        assert_eq!(shown(&layout, &format!("<{fits}>")), format!("x={fits}"), "{kind}");
        for other in others {
            assert!(split(&layout, &format!("<{other}>")).is_err(), "{kind} {other}");
        }
    }
    let quoted = Layout::pattern("%{quoted:a} %{quoted:b}").unwrap();
    assert_eq!(shown(&quoted, r#""x \" y" """#), r#"a=x \" y|b="#);
    let ports = Layout::pattern("%{ip:from}:%{integer:port} %{ip:to}. %{rest}").unwrap();
    assert_eq!(shown(&ports, "10.0.0.1:80 ::1. x"), "from=10.0.0.1|port=80|to=::1");
    assert_eq!(quoted.fields()[0].kind, FieldKind::Text);
    assert_eq!(ports.fields()[1].kind, FieldKind::Integer);
}

#[test]
fn a_text_ends_at_the_first_place_from_which_the_line_fits() {
    let layout = Layout::pattern("%{data:a}: %{integer:b} %{rest:c}").unwrap();
    assert_eq!(shown(&layout, "x: y: 12 z"), "a=x: y|b=12|c=z");
    let layout = Layout::pattern("%{notspace:a}%[[%{integer:b}]%]: %{rest:c}").unwrap();
    assert_eq!(shown(&layout, "x[y]: z"), "a=x[y]|c=z");
    assert_eq!(shown(&layout, "x::y[7]: z"), "a=x::y|b=7|c=z");
}

#[test]
fn blanks_optional_parts_and_percent_signs() {
    let layout = Layout::pattern("a b%[ %{integer:n}%]%[ (%{word:w}%[/%{word:v}%])%] 5%% %{rest:r}").unwrap();
    assert_eq!(shown(&layout, "a \t b 5% x"), "r=x");
    assert_eq!(shown(&layout, "a b 7 5%  x"), "n=7|r=x");
    assert_eq!(shown(&layout, "a b (q) 5% x"), "w=q|r=x");
    assert_eq!(shown(&layout, "a b 7 (q/p) 5% x"), "n=7|w=q|v=p|r=x");
}

#[test]
fn the_rest_takes_the_further_lines() {
    let layout = Layout::named("iso8601").unwrap();
    let event = "2026-01-01T10:00:00Z ERROR failed\r\n  at a.B\n  at c.D\r\n";
    assert_eq!(shown(&layout, event), "time=2026-01-01T10:00:00Z|level=ERROR|message=failed\r\n  at a.B\n  at c.D");
    assert_eq!(shown(&layout, "2026-01-01T10:00:00Z ERROR\n  at a.B").split('|').nth(2), Some("message=\n  at a.B"));
    // The header never reaches into the second line.
    assert!(split(&layout, "2026-01-01T10:00:00Z\nERROR x").is_err());
    let narrow = Layout::pattern("%{word:a}").unwrap();
    assert_eq!(misfit(&narrow, "x\ny"), "byte 1: expected the end of the line, found `\\ny`");
}

#[test]
fn a_misfit_names_field_place_and_text() {
    let hdfs = Layout::named("hdfs").unwrap();
    let error = split(&hdfs, "081109 203518 main INFO dfs.X: y").unwrap_err();
    assert_eq!((error.field.as_deref(), error.at), (Some("pid"), 14));
    assert_eq!(
        error.to_string(),
        "byte 14: expected `pid`, a whole number of at most 64 bits, found `main INFO dfs.X: y`"
    );
    assert_eq!(misfit(&hdfs, "081109 203518 1 INFO dfs"), "byte 24: expected `:`, found the end of the line");
    assert!(misfit(&hdfs, "").starts_with("byte 0: expected `time`, a time of the form yyMMdd HHmmss"));
    let long = format!("081109 203518 {}", "ü".repeat(1_000));
    assert!(misfit(&hdfs, &long).len() < 200, "the excerpt is bounded");
}

#[test]
fn patterns_that_cannot_work_are_refused_with_place_and_remedy() {
    let table = [
        ("", "pattern, byte 0: it is empty; `%{rest:message}` takes a line as it is"),
        ("a %{word", "pattern, byte 2: `%{` without `}`; write `%{kind:field}`"),
        (
            "%{rest:a} x",
            "pattern, byte 0: `rest` takes all that follows, so it must be the last; `data` ends at what \
          comes next",
        ),
        (
            "x %{data:a}%{word:b}",
            "pattern, byte 2: nothing says where this `data` ends; put text or a blank after it, \
          or use a kind such as `integer`",
        ),
        ("%{word:a} %{word:a}", "field `a`: the name is used twice; rename one of the two"),
        ("%{word:1a}", "field `1a`: a name is a letter or `_`, then letters, digits and `_`, at most 64; rename it"),
        ("%[a", "pattern, byte 3: `%[` without `%]`"),
        ("a%]", "pattern, byte 1: `%]` without `%[`"),
        ("a%[%]", "pattern, byte 3: an optional part with nothing in it; take it out"),
        ("a\nb", "pattern, byte 1: a line break; a layout describes the first line only"),
    ];
    for (pattern, expected) in table {
        assert_eq!(Layout::pattern(pattern).unwrap_err().to_string(), expected);
    }
    let error = Layout::pattern("%{wrod:a}").unwrap_err().to_string();
    assert!(
        error.starts_with("pattern, byte 0: kind `wrod` does not exist (did you mean `word`?); there are: "),
        "{error}"
    );
    let error = Layout::named("hfds").unwrap_err().to_string();
    assert!(
        error.starts_with("layout `hfds` does not exist (did you mean `hdfs`?); there are: hdfs, bgl, "),
        "{error}"
    );
    assert!(matches!(Layout::pattern(&"x".repeat(5_000)), Err(LayoutError::TooLarge { size: 5_000, .. })));
    let many: String = (0..65).map(|n| format!("%{{word:f{n}}} ")).collect();
    assert!(matches!(Layout::pattern(&many), Err(LayoutError::TooLarge { size: 65, .. })));
    assert!(matches!(
        Layout::pattern(&format!("{}x{}", "%[".repeat(9), "%]".repeat(9))),
        Err(LayoutError::Syntax { .. })
    ));
}

#[test]
fn an_example_becomes_a_pattern() {
    let table = [
        (
            "{time:081109 203518} {pid:143} {level:INFO} {component:dfs.DataNode$PacketResponder}: {message:Packet 1 for}",
            "%{hdfs_time:time} %{integer:pid} %{word:level} %{notspace:component}: %{rest:message}",
        ),
        (
            "100% {at:2026-01-01 10:00:00,123} [{thread:Socket Reader}] {load:0.5} {from:10.0.0.1}:{port:80} {json:{\"a\": 1}}",
            "100%% %{log4j_time:at} [%{data:thread}] %{number:load} %{ip:from}:%{integer:port} %{rest:json}",
        ),
        (
            "{ts:1117838570} {n:1117838570} {f:/var/log} {q:\"a b\"} {id:123e4567-e89b-12d3-a456-426614174000} ({x:a b}) {r:y}",
            "%{epoch:ts} %{integer:n} %{path:f} %{quoted:q} %{uuid:id} (%{data:x}) %{rest:r}",
        ),
        ("{when:Nov  9 20:35:18} {host:web-1} {{x} end", "%{syslog_time:when} %{notspace:host} {{x} end"),
    ];
    for (example, pattern) in table {
        match Layout::example(example) {
            Ok(layout) => assert_eq!(layout.pattern_text(), pattern),
            Err(error) => panic!("{example}: {error}"),
        }
    }
}

#[test]
fn an_example_that_says_too_little_is_refused() {
    let table = [
        ("no marks", "example, byte 0: no part is marked; write `{name:text}` around each, such as `{level:INFO}`"),
        ("{a:x} {b:y", "example, byte 6: `{` without `}`; write `{name:text}`"),
        ("{a:} {b:y}", "example, byte 0: a mark without text; take a line that has the field"),
        (
            "{a:b c} {d:e} {f:g}",
            "field `a`: the pattern `%{data:a} %{notspace:d} %{rest:f}` reads `b` instead of what is marked; mark the \
             text between, or write the pattern by hand",
        ),
    ];
    for (example, expected) in table {
        assert_eq!(Layout::example(example).unwrap_err().to_string(), expected);
    }
    assert!(matches!(Layout::example("{a:x}{b:y}"), Err(LayoutError::Syntax { what: "pattern", .. })));
}

#[test]
fn a_megabyte_of_wrong_turns_ends() {
    let layout = Layout::pattern("%{data:a}:%{data:b}:%{data:c}:%[%{data:d}:%]%{integer:e};").unwrap();
    assert!(split(&layout, &":".repeat(1 << 20)).is_err());
    assert!(split(&layout, &" \"[:".repeat(1 << 18)).is_err());
    assert!(split(&Layout::pattern("%{quoted:a}").unwrap(), &"\"\\".repeat(1 << 19)).is_err());
}

fn patterns() -> Vec<Layout> {
    let own = [
        "%{quoted:a} %{structured:b}%[ %{ip:c}%] %{data:d}ü%{rest:e}",
        "%[%{number:a},%]%[%{hex:b}-%]%{data:c};%{uuid}%{integer:d}",
        "%{data:a} %{word:b}",
    ];
    let named = Layout::names().iter().map(|name| Layout::named(name).unwrap());
    named.chain(own.iter().map(|pattern| Layout::pattern(pattern).unwrap())).collect()
}

proptest! {
    #[test]
    fn any_line_is_split_or_refused(line in "(\\PC|[ \t\r\n:;,<>\\[\\]\"\\\\ü0-9-]){0,80}", pattern in "(\\PC|%\\{[a-z]{0,6}:?[a-z]{0,3}\\}|%\\[|%\\]){0,12}") {
        let layouts = patterns().into_iter().chain(Layout::pattern(&pattern).ok()).chain(Layout::example(&pattern).ok());
        for layout in layouts {
            if let Ok(fields) = split(&layout, &line) {
                let given: Vec<&str> = fields.iter().filter_map(|(_, text)| *text).collect();
                prop_assert!(given.iter().map(|text| text.len()).sum::<usize>() <= line.len());
            }
        }
    }

    #[test]
    fn a_line_put_together_comes_apart_the_same(
        pid in any::<i64>(), level in "[A-Z]{1,8}", component in "[a-zA-Z.$]{1,30}", message in "[^ \t\r\n][^\r\n]{0,60}",
    ) {
        let line = format!("081109 203518 {pid} {level} {component}: {message}");
        let expected = format!("time=081109 203518|pid={pid}|level={level}|component={component}|message={message}");
        prop_assert_eq!(shown(&Layout::named("hdfs").unwrap(), &line), expected);
    }
}
