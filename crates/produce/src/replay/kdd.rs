use crate::json;
use crate::produced::Label;
use crate::schema::{FEATURES, LABEL, TEXT_FEATURES};

/// Of all hosts one in so many serves a service: a service has its own devices, a device only a few services.
const GROUPS: usize = 16;

/// One row of KDD'99.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KddRow<'a> {
    /// Values in the order of [`FEATURES`].
    features: [&'a str; 41],
    /// Without the dot; `None` in the sets published without labels.
    label: Option<&'a str>,
}

impl<'a> KddRow<'a> {
    /// Reads a row; says what is wrong with it.
    pub(crate) fn parse(line: &'a [u8]) -> Result<Self, String> {
        let line = std::str::from_utf8(line).map_err(|fault| format!("not UTF-8: {fault}"))?;
        let mut features = [""; 41];
        let mut cells = line.split(',');
        for (place, feature) in features.iter_mut().enumerate() {
            let cell = cells.next().ok_or_else(|| format!("{place} cells where KDD'99 has 41 features and a label"))?;
            *feature = cell.trim();
            check(place, feature)?;
        }
        let label = cells.next().map(|cell| cell.trim().trim_end_matches('.'));
        match cells.count() {
            0 => Ok(Self { features, label }),
            more => Err(format!("{} cells where KDD'99 has 41 features and a label", 42 + more)),
        }
    }

    /// The value of a feature, or of the label.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        match FEATURES.iter().position(|feature| *feature == name) {
            Some(place) => Some(self.features[place]),
            None if name == LABEL => self.label,
            None => None,
        }
    }

    /// Ground truth.
    pub(crate) fn label(&self) -> Label {
        Label::from_name(self.label.unwrap_or_default())
    }

    /// The host of this row, see [`host_of`].
    pub(crate) fn host(&self, line: u64, hosts: usize) -> usize {
        host_of(self.features[1], self.features[2], line, hosts)
    }

    /// Appends features and label as JSON fields.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        for (place, (name, value)) in FEATURES.iter().zip(self.features).enumerate() {
            json::name(out, name);
            if TEXT_FEATURES.contains(&place) {
                json::text(out, value);
            } else {
                out.extend_from_slice(value.as_bytes());
            }
        }
        if let Some(label) = self.label {
            json::name(out, LABEL);
            json::text(out, label);
        }
    }
}

fn check(place: usize, value: &str) -> Result<(), String> {
    let is_text = TEXT_FEATURES.contains(&place);
    if is_text && !value.is_empty() || !is_text && is_number(value) {
        return Ok(());
    }
    let wanted = if is_text { "text" } else { "a number" };
    Err(format!("field `{}` is not {wanted}: `{value}`", FEATURES[place]))
}

/// Whether text is a JSON number, and so can be written as it is.
fn is_number(text: &str) -> bool {
    let starts_well = text.bytes().next().is_some_and(|byte| byte == b'-' || byte.is_ascii_digit());
    starts_well && serde_json::from_str::<f64>(text).is_ok()
}

/// The host, from 0, that reports a KDD'99 row. The set names no hosts, so they are made up as a network is built:
/// protocol and service choose a group of a sixteenth of all hosts, because a host serves few services and its usual
/// level then means something; within the group the line number chooses, because one flood makes up half of the set
/// and must not be one host's, nor one partition's, alone. The same line has the same host in any order and round.
pub fn host_of(protocol: &str, service: &str, line: u64, hosts: usize) -> usize {
    let hosts = hosts.max(1);
    let group = hosts.div_ceil(GROUPS);
    let first = fnv(&[protocol.as_bytes(), b"/", service.as_bytes()]) % hosts as u64;
    ((first + line % group as u64) % hosts as u64) as usize
}

/// A hash that never changes. Source: FNV-1a, 64 bits (draft-eastlake-fnv).
fn fnv(parts: &[&[u8]]) -> u64 {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    parts.iter().copied().flatten().fold(0xcbf2_9ce4_8422_2325, fold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_stays_within_its_group_of_hosts() {
        let mut seen: Vec<usize> = (0..1000).map(|line| host_of("tcp", "http", line, 64)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 4);
        assert_eq!(host_of("icmp", "ecr_i", 9, 1), 0);
    }

    #[test]
    fn only_json_numbers_are_numbers() {
        for text in ["0", "0.00", "181", "-1", "1e-3"] {
            assert!(is_number(text), "{text}");
        }
        for text in ["", "tcp", "007", "NaN", "1.", "1 2", " 1", "\"1\""] {
            assert!(!is_number(text), "{text}");
        }
    }
}
