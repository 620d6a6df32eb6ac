use serde_json::Value;

/// What a log line of a copy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// A worker has recovered a partition and goes on with it.
    Taken {
        /// Number of the worker within its process.
        worker: u64,
        /// The partition.
        partition: usize,
    },
    /// A worker has let partitions go.
    Handed {
        /// Number of the worker within its process.
        worker: u64,
        /// The partitions.
        partitions: Vec<usize>,
    },
    /// A worker threw away what was not committed, on all its partitions.
    StartedOver {
        /// Number of the worker within its process.
        worker: u64,
    },
    /// A line of level `ERROR`.
    Complaint,
}

/// Reads a line of the log; most say nothing about partitions.
pub(crate) fn read(line: &str) -> Option<Sign> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = &line["fields"];
    let worker = fields["worker"].as_u64();
    match fields["message"].as_str()? {
        "partition taken up" => {
            Some(Sign::Taken { worker: worker?, partition: usize::try_from(fields["partition"].as_u64()?).ok()? })
        }
        "partitions handed over" => {
            Some(Sign::Handed { worker: worker?, partitions: numbers(fields["partitions"].as_str()?) })
        }
        "starting again from the committed positions" => Some(Sign::StartedOver { worker: worker? }),
        _ if line["level"] == "ERROR" => Some(Sign::Complaint),
        _ => None,
    }
}

/// The numbers of a list as the log shows it: `[0, 3]`.
fn numbers(text: &str) -> Vec<usize> {
    text.trim_matches(['[', ']']).split(',').filter_map(|number| number.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_says_what_became_of_a_partition() {
        let taken =
            r#"{"level":"INFO","fields":{"message":"partition taken up","worker":1,"partition":3,"replay_from":5}}"#;
        assert_eq!(read(taken), Some(Sign::Taken { worker: 1, partition: 3 }));
        let handed =
            r#"{"level":"INFO","fields":{"message":"partitions handed over","worker":0,"partitions":"[0, 12]"}}"#;
        assert_eq!(read(handed), Some(Sign::Handed { worker: 0, partitions: vec![0, 12] }));
        let error = r#"{"level":"ERROR","fields":{"message":"worker stopped"}}"#;
        assert_eq!(read(error), Some(Sign::Complaint));
        assert_eq!(read(r#"{"level":"INFO","fields":{"message":"progress"}}"#), None);
        assert_eq!(read("error: plain text"), None);
    }
}
