use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::time::Duration;

use lapwing_vocabulary::{Header, Offset, Partition};
use rdkafka::TopicPartitionList;
use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::message::BorrowedMessage;

/// Whether the consumer is a member of its group now. Without membership a transaction's positions would carry no
/// generation, and the broker would take them from a worker that lost its partitions.
pub(super) fn is_group_member<C: ClientContext>(client: &Client<C>) -> bool {
    // SAFETY: the client outlives the call; the metadata is ours until destroyed, and its strings live as long.
    unsafe {
        let metadata = sys::rd_kafka_consumer_group_metadata(client.native_ptr());
        if metadata.is_null() {
            return false;
        }
        let generation = sys::rd_kafka_consumer_group_metadata_generation_id(metadata);
        let member = CStr::from_ptr(sys::rd_kafka_consumer_group_metadata_member_id(metadata));
        let joined = generation >= 0 && !member.is_empty();
        sys::rd_kafka_consumer_group_metadata_destroy(metadata);
        joined
    }
}

/// The end of a partition as of the last fetch: the offset after its last record. No request is made; `None` before
/// the first fetch.
pub(super) fn cached_end<C: ClientContext>(client: &Client<C>, topic: &CStr, partition: Partition) -> Option<Offset> {
    let (mut low, mut high) = (-1, -1);
    // SAFETY: the client and the name outlive the call, which writes the two numbers.
    let answer = unsafe {
        sys::rd_kafka_get_watermark_offsets(client.native_ptr(), topic.as_ptr(), partition, &mut low, &mut high)
    };
    (answer == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some(high)
}

/// A commit of positions on its way to the group's coordinator. The wrapper's own commit waits without a limit.
pub(super) struct PositionsCommit<'a, C: ClientContext> {
    queue: *mut sys::rd_kafka_queue_t,
    /// The queue must go before its client.
    _client: &'a Client<C>,
}

impl<'a, C: ClientContext> PositionsCommit<'a, C> {
    /// Sends the positions under the consumer's present membership.
    pub(super) fn send(client: &'a Client<C>, positions: &TopicPartitionList) -> Result<Self, Code> {
        // SAFETY: the client outlives the queue, which this value owns; the list is copied by the call.
        let (queue, answer) = unsafe {
            let queue = sys::rd_kafka_queue_new(client.native_ptr());
            (queue, sys::rd_kafka_commit_queue(client.native_ptr(), positions.ptr(), queue, None, ptr::null_mut()))
        };
        let sent = Self { queue, _client: client };
        succeeded(answer).map(|()| sent)
    }

    /// Waits for the answer; `None` if there is none yet.
    pub(super) fn answer(&self, wait: Duration) -> Option<Result<(), Code>> {
        // SAFETY: the queue is ours; an event and its list are valid until the event is destroyed, and the list holds
        // `cnt` elements.
        unsafe {
            let event = sys::rd_kafka_queue_poll(self.queue, wait.as_millis() as i32);
            if event.is_null() {
                return None;
            }
            let mut answer = succeeded(sys::rd_kafka_event_error(event));
            let list = sys::rd_kafka_event_topic_partition_list(event);
            if !list.is_null() {
                for index in 0..(*list).cnt as usize {
                    answer = answer.and_then(|()| succeeded((*(*list).elems.add(index)).err));
                }
            }
            sys::rd_kafka_event_destroy(event);
            Some(answer)
        }
    }
}

impl<C: ClientContext> Drop for PositionsCommit<'_, C> {
    fn drop(&mut self) {
        // SAFETY: the queue is ours and is not used afterwards.
        unsafe { sys::rd_kafka_queue_destroy(self.queue) };
    }
}

fn succeeded(answer: sys::rd_kafka_resp_err_t) -> Result<(), Code> {
    match answer {
        sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        code => Err(code.into()),
    }
}

/// Sends what is queued without lingering and waits until nothing is in flight; whether that was reached in time.
pub(super) fn flush<C: ClientContext>(client: &Client<C>, wait: Duration) -> bool {
    // SAFETY: the client outlives the call.
    let answer = unsafe { sys::rd_kafka_flush(client.native_ptr(), wait.as_millis() as i32) };
    answer == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
}

/// The headers of a message. Names that are not UTF-8 are read with replacement characters.
pub(super) fn headers(message: &BorrowedMessage<'_>) -> Vec<Header> {
    let mut list = ptr::null_mut();
    let mut found = Vec::new();
    // SAFETY: the message owns its headers and outlives this function, which copies them.
    unsafe {
        let answer = sys::rd_kafka_message_headers(message.ptr(), &mut list);
        if answer != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return found;
        }
        for index in 0.. {
            let (mut name, mut value, mut size): (*const c_char, _, usize) = (ptr::null(), ptr::null(), 0);
            let answer = sys::rd_kafka_header_get_all(list, index, &mut name, &mut value, &mut size);
            if answer != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                break;
            }
            let bytes = if value.is_null() { &[][..] } else { std::slice::from_raw_parts(value.cast::<u8>(), size) };
            found.push(Header { name: CStr::from_ptr(name).to_string_lossy().into_owned(), value: bytes.to_vec() });
        }
    }
    found
}

/// Names of the client's properties that have a value by default: candidates for what a misspelt one should be.
pub(super) fn property_names() -> Vec<String> {
    let mut names = Vec::new();
    // SAFETY: the configuration and its dump are ours until freed; the dump holds `count` valid strings.
    unsafe {
        let configuration = sys::rd_kafka_conf_new();
        let mut count = 0;
        let dump = sys::rd_kafka_conf_dump(configuration, &mut count);
        for index in (0..count).step_by(2) {
            names.push(CStr::from_ptr(*dump.add(index)).to_string_lossy().into_owned());
        }
        sys::rd_kafka_conf_dump_free(dump, count);
        sys::rd_kafka_conf_destroy(configuration);
    }
    names
}

/// A name as librdkafka takes it. A name with a zero byte cannot exist in Kafka and becomes the empty one.
pub(super) fn c_name(name: &str) -> CString {
    CString::new(name).unwrap_or_default()
}
