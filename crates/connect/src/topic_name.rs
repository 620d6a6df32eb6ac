use lapwing_vocabulary::PortError;

/// Refuses names that Kafka would refuse: a pipeline can then move from one transport to another, and a name is always
/// good for a file.
pub(crate) fn check(name: &str) -> Result<(), PortError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=249).contains(&name.len()) && name.bytes().all(allowed) && name != "." && name != ".." {
        return Ok(());
    }
    Err(PortError::Operator(format!(
        "create topic `{name}`: a name has 1 to 249 letters, digits, `.`, `_` or `-`, as in Kafka"
    )))
}
