use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::SECOND;

use super::{accepted, faults, small_with};
use crate::settings::Pipeline;

const NOON: &str = "2026-01-31T12:00:00Z";
const LATER: &str = "2026-01-31T12:00:10Z";

fn one(rest: &str) -> String {
    small_with(&format!("[[state.leave_out]]\nfrom = \"{NOON}\"\nto = \"{LATER}\"\n{rest}"))
}

#[test]
fn an_interval_holds_its_begin_and_not_its_end_and_one_entity_or_all() {
    let all = accepted(&one("")).state.leave_out[0].clone();
    let noon = EventTime::parse(NOON).unwrap();
    let after = |micros| EventTime(noon.0 + micros);
    assert_eq!(
        [-1, 0, 10 * SECOND - 1, 10 * SECOND].map(|micros| all.holds("a", after(micros))),
        [false, true, true, false]
    );
    let own = accepted(&one("entity = \"a\"")).state.leave_out[0].clone();
    assert!(own.holds("a", noon) && !own.holds("b", noon));
}

#[test]
fn intervals_are_written_as_tables_or_in_one_line_with_times_of_either_kind() {
    let line =
        format!("[state]\nleave_out = [{{ from = {NOON}, to = \"2026-01-31T13:00:10+01:00\", entity = \"a\" }}]");
    let (line, table) = (accepted(&small_with(&line)), accepted(&one("entity = \"a\"")));
    assert_eq!(line.state.leave_out, table.state.leave_out);
    let again = Pipeline::parse(&table.resolved(), table.file()).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(again, table);
}

#[test]
fn what_is_left_out_decides_state_and_nothing_does_where_nothing_is() {
    let digests: Vec<String> = [small_with(""), one(""), one("entity = \"a\""), one("entity = \"b\"")]
        .iter()
        .map(|text| accepted(text).digest())
        .collect();
    for (at, digest) in digests.iter().enumerate() {
        assert!(!digests[..at].contains(digest), "{at}");
    }
}

#[test]
fn faults_name_what_is_wrong() {
    let refuses = |line: &str, message: &str| {
        let all = faults(&small_with(&format!("[state]\nleave_out = {line}")));
        assert!(all.len() == 1 && all[0].contains(message), "{line}: {all:#?}");
    };
    for (line, message) in [
        ("true", "`state.leave_out` must be a list of tables"),
        ("[1]", "`state.leave_out` must be a list of tables"),
        ("[{ from = \"2026-01-31T12:00:00Z\" }]", "`state.leave_out.to` is missing"),
        ("[{ from = \"noon\", to = \"2026-01-31T12:00:00Z\" }]", "`state.leave_out.from` is no time with its zone"),
        (
            "[{ from = 2026-01-31T12:00:00, to = 2026-01-31T13:00:00Z }]",
            "`state.leave_out.from` is no time with its zone",
        ),
        ("[{ from = 2026-01-31T12:00:00Z, to = 2026-01-31T12:00:00Z }]", "`state.leave_out.from` is not before"),
        (
            "[{ form = 2026-01-31T12:00:00Z, from = 2026-01-31T12:00:00Z, to = 2026-01-31T13:00:00Z }]",
            "unknown key `form`",
        ),
    ] {
        refuses(line, message);
    }
    let many = vec!["{ from = 2026-01-31T12:00:00Z, to = 2026-01-31T13:00:00Z }"; 101].join(", ");
    refuses(&format!("[{many}]"), "`state.leave_out` has 101 intervals");
}
