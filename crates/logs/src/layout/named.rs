use super::error::{LayoutError, did_you_mean};

/// A kind of log and its pattern. Lines as in the literature: `hdfs` and `bgl` as published by loghub, `syslog` by
/// RFC 3164, `syslog5424` by RFC 5424, `log4j` as Hadoop sets it up (`%d %p [%t] %c: %m`).
const LAYOUTS: [(&str, &str); 7] = [
    ("hdfs", "%{hdfs_time:time} %{integer:pid} %{word:level} %{notspace:component}: %{rest:message}"),
    (
        "bgl",
        "%{notspace:label} %{epoch_s:time} %{notspace:date} %{notspace:node} %{bgl_time:local_time} \
         %{notspace:node_repeat} %{word:type} %{word:component} %{word:level} %{rest:message}",
    ),
    (
        "syslog",
        "%[<%{integer:priority}>%]%{syslog_time:time} %{notspace:host} \
         %[%{notspace:program}%[[%{integer:pid}]%]: %]%{rest:message}",
    ),
    (
        "syslog5424",
        "<%{integer:priority}>%{integer:version} %[%{iso8601:time}%]%[-%] %{notspace:host} %{notspace:program} \
         %{notspace:pid} %{notspace:message_id} %{structured:data} %{rest:message}",
    ),
    ("log4j", "%{log4j_time:time} %{word:level} %[[%{data:thread}] %]%{notspace:component}%[:%]%[ -%] %{rest:message}"),
    ("iso8601", "%{iso8601:time} %[[%]%{word:level}%[]%]%[:%] %{rest:message}"),
    ("plain", "%{rest:message}"),
];

/// The names, in the order of the table.
pub(super) const NAMES: [&str; LAYOUTS.len()] = {
    let mut names = [""; LAYOUTS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = LAYOUTS[at].0;
        at += 1;
    }
    names
};

pub(super) fn pattern(name: &str) -> Result<&'static str, LayoutError> {
    let known = LAYOUTS.iter().find(|(known, _)| *known == name);
    known.map(|(_, pattern)| *pattern).ok_or_else(|| LayoutError::UnknownLayout {
        name: name.to_owned(),
        hint: did_you_mean(name, NAMES.into_iter()),
        known: NAMES.join(", "),
    })
}
