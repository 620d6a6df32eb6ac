use super::super::*;
use super::{FULL, SMALL, accepted, faults, parse, small_with};

const SECTION: &str = "[connect.kafka]\n\"bootstrap.servers\" = \"b:9092\"\n";

fn kafka(more: &str) -> (Pipeline, Vec<KafkaProperty>) {
    let pipeline = accepted(&small_with(&format!("{SECTION}{more}")));
    let Connect::Kafka(kafka) = &pipeline.connect else { panic!("{:?}", pipeline.connect) };
    let properties = kafka.properties.clone();
    (pipeline, properties)
}

#[test]
fn properties_pass_through_as_text_in_the_order_of_the_file() {
    let Connect::Kafka(kafka) = &accepted(FULL).connect else { panic!("not kafka") };
    let properties: Vec<_> = kafka.properties.iter().map(|p| (p.name.as_str(), p.value.reveal())).collect();
    let expected = [
        ("bootstrap.servers", "localhost:9092"),
        ("socket.timeout.ms", "3000"),
        ("enable.idempotence", "true"),
        ("queue.ratio", "0.5"),
        ("sasl.password", "hunter2"),
    ];
    assert_eq!(properties, expected);
}

#[test]
fn a_secret_shows_in_no_text_form() {
    let more = "\"sasl.password\" = \"open-sesame\"\n\"sasl.jaas.config\" = \"user ${PASSWORD} open-sesame\"\n\
                \"sasl.username\" = \"me-${PASSWORD}\"\nssl.key.pem = \"open-sesame\"\nclient_secret = \"open-sesame\"\n";
    let (pipeline, properties) = kafka(more);
    assert_eq!(properties[2].value.reveal(), "user hunter2 open-sesame");
    assert_eq!(properties[3].value.shown(), "me-${PASSWORD}");
    for text in [pipeline.resolved(), format!("{pipeline:?}"), format!("{properties:#?}")] {
        assert!(!text.contains("hunter2") && !text.contains("open-sesame"), "{text}");
    }
    assert_eq!(pipeline.resolved().matches("\"***\"").count(), 4);
}

#[test]
fn a_variable_that_is_not_set_is_a_fault() {
    let all = faults(&small_with(&format!("{SECTION}\"sasl.username\" = \"${{ABSENT}}\"\n")));
    let expected = "8:19 `connect.kafka.sasl.username` needs the environment variable ABSENT, which is not set \
                    | export ABSENT=… before starting";
    assert_eq!(all, [expected]);
}

#[test]
fn a_variable_that_is_written_wrong_is_a_fault() {
    for value in ["${", "${}", "a${B C}", "${PASSWORD"] {
        let all = faults(&small_with(&format!("{SECTION}\"x\" = \"{value}\"\n")));
        assert!(all[0].starts_with("8:7 a variable in `connect.kafka.x` is not written right"), "{value}: {all:?}");
    }
}

#[test]
fn the_report_masks_the_line_of_a_secret() {
    let long = "\"ssl.key.pem\" = \"\"\"\n-----BEGIN-----\nopen-sesame==\n-----END-----\\q\n\"\"\"\n";
    for more in [
        "\"sasl.password\" = [\"open-sesame\"]\n",
        "\"sasl.password\" = \"open-sesame\n",
        "\"a\" = [], \"sasl.password\" = \"open-sesame\"\n",
        "ssl.key = { pem = [\"open-sesame\"] }\n",
        long,
    ] {
        let faults = parse(&small_with(&format!("{SECTION}{more}"))).expect_err(more).to_string();
        assert!(!faults.contains("open-sesame") && !faults.contains("-----"), "{faults}");
        assert!(faults.contains("***"), "{faults}");
    }
    let inline = format!("{SMALL}[connect]\nkafka = {{ a = [], \"sasl.password\" = \"open-sesame\" }}\n");
    assert!(!parse(&inline).expect_err("no brokers").to_string().contains("open-sesame"));
}
