use lapwing_vocabulary::PortError;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// What an error code asks of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The broker does not answer now; it may later.
    Unreachable,
    /// The broker refuses this client; only a person can change that.
    Denied,
    /// A topic or partition is not there.
    NoTopic,
    /// Another client took over this one's identity.
    Fenced,
    /// A record is larger than the client or the broker takes.
    TooLarge,
    /// None of these.
    Other,
}

/// Sorts an error code by what the caller does next.
pub(super) fn meaning(code: Code) -> Meaning {
    match code {
        Code::BrokerTransportFailure
        | Code::AllBrokersDown
        | Code::Resolve
        | Code::OperationTimedOut
        | Code::RequestTimedOut
        | Code::TimedOutQueue
        | Code::MessageTimedOut
        | Code::NetworkException
        | Code::BrokerNotAvailable
        | Code::WaitingForCoordinator
        | Code::CoordinatorNotAvailable
        | Code::CoordinatorLoadInProgress
        | Code::NotCoordinator
        | Code::LeaderNotAvailable
        | Code::NotLeaderForPartition
        | Code::UnstableOffsetCommit
        | Code::Retry => Meaning::Unreachable,
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::UnsupportedSASLMechanism
        | Code::Authentication
        | Code::SSL => Meaning::Denied,
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => Meaning::NoTopic,
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::FencedInstanceId => Meaning::Fenced,
        Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge => Meaning::TooLarge,
        _ => Meaning::Other,
    }
}

/// The code of an error of the client; `Fail` where the client has none.
pub(super) fn code_of(error: &KafkaError) -> Code {
    error.rdkafka_error_code().unwrap_or(Code::Fail)
}

/// What to tell a person whom the broker refuses.
pub(super) fn denied(address: &str, what: &str, reason: &str) -> PortError {
    PortError::Operator(format!(
        "{what}: Kafka at {address} refuses this client: {reason}; check the permissions of its user, and \
         `security.protocol`, `sasl.*` and `ssl.*` in [connect.kafka]"
    ))
}

/// What to tell when the time to reach a broker is over.
pub(super) fn unreachable(address: &str, what: &str, seconds: f64, reason: &str) -> PortError {
    PortError::Unreachable(format!(
        "{what}: Kafka at {address} did not answer within {seconds:.0} s ({reason}); is it running, and is \
         `bootstrap.servers` in [connect.kafka] right?"
    ))
}
