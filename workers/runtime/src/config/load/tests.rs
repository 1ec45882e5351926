use serde::{Deserialize, Serialize};

use super::*;
use crate::config::{BatchConfig, Delivery, HttpConfig, KafkaConfig, LimitsConfig, LogConfig, Sections, TracesConfig};

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
struct WorkerConfig {
    kafka: KafkaConfig,
    batch: BatchConfig,
    limits: LimitsConfig,
    http: HttpConfig,
    log: LogConfig,
    traces: TracesConfig,
    devices: Vec<u32>,
}

impl Validate for WorkerConfig {
    fn validate(&self, problems: &mut Problems) {
        let Self { kafka, batch, limits, http, log, traces, .. } = self;
        Sections { kafka, batch, limits, http, log, traces }.validate(problems);
    }
}

fn loaded(yaml: &str, environment: &[(&str, &str)], overrides: &[(&str, &str)]) -> Result<WorkerConfig, Vec<Problem>> {
    let file = tempfile(yaml);
    let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let environment = own(environment).into_iter().collect();
    let result = load_from(Some(&file), Some(environment), &own(overrides));
    std::fs::remove_file(&file).unwrap();
    match result {
        Ok(config) => Ok(config),
        Err(ConfigError::Invalid(problems)) => Err(problems),
        Err(error) => panic!("{error}"),
    }
}

fn tempfile(text: &str) -> std::path::PathBuf {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let file = std::env::temp_dir().join(format!("auscult-config-{}-{number}.yaml", std::process::id()));
    std::fs::write(&file, text).unwrap();
    file
}

fn paths(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.path.as_str()).collect()
}

#[test]
fn nothing_given_means_the_defaults() {
    assert_eq!(loaded("# nothing\n", &[], &[]).unwrap(), WorkerConfig::default());
}

#[test]
fn the_defaults_are_valid() {
    let mut problems = Problems::default();
    WorkerConfig::default().validate(&mut problems);
    assert_eq!(problems.found(), []);
}

#[test]
fn flags_win_over_the_environment_and_the_environment_over_the_file() {
    let yaml = "kafka: {brokers: 'file:1', group_id: file}\nbatch: {max_records: 1, max_age_ms: 7}\n";
    let environment = [("AUSCULT__KAFKA__BROKERS", "env:1"), ("AUSCULT__BATCH__MAX_RECORDS", "2")];
    let config = loaded(yaml, &environment, &[("batch.max_records", "3")]).unwrap();
    assert_eq!(config.kafka.group_id.as_deref(), Some("file"));
    assert_eq!(config.kafka.brokers, "env:1");
    assert_eq!((config.batch.max_records, config.batch.max_age_ms), (3, 7));
}

#[test]
fn a_name_of_digits_is_still_a_name() {
    let config = loaded("kafka: {instance_id: 7}", &[("AUSCULT__KAFKA__GROUP_ID", "42")], &[]).unwrap();
    assert_eq!(config.kafka.instance_id.as_deref(), Some("7"));
    assert_eq!(config.kafka.group_id.as_deref(), Some("42"));
}

#[test]
fn librdkafka_properties_merge_by_name_however_they_are_written() {
    let yaml = "kafka:\n  properties:\n    broker.address.family: any\n    socket.keepalive.enable: true\n    socket.nagle.disable: false\n";
    let environment = [("AUSCULT__KAFKA__PROPERTIES__BROKER_ADDRESS_FAMILY", "v4")];
    let config = loaded(yaml, &environment, &[("kafka.properties.client.rack", "r1")]).unwrap();
    let properties: Vec<(&str, &str)> =
        config.kafka.properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        properties,
        [
            ("broker.address.family", "v4"),
            ("client.rack", "r1"),
            ("socket.keepalive.enable", "true"),
            ("socket.nagle.disable", "false")
        ]
    );
}

#[test]
fn every_mistake_is_in_one_report_with_its_path() {
    let yaml = "
kafka: {brokerz: 'a:1', delivery: twice, session_timeout_ms: 1, transaction_timeout_ms: -5}
batch: {max_records: many, max_age_ms: 0}
http: {listen: nowhere}
colour: red
";
    let problems = loaded(yaml, &[("AUSCULT__LOG__LEVEL", "loud")], &[("limits.max_chunk_bytes", "9999999999")]);
    let problems = problems.unwrap_err();
    let expected = [
        "batch.max_age_ms",
        "batch.max_records",
        "colour",
        "http.listen",
        "kafka.brokerz",
        "kafka.delivery",
        "kafka.session_timeout_ms",
        "kafka.transaction_timeout_ms",
        "limits.drain_deadline_ms",
        "limits.max_chunk_bytes",
        "log.level",
    ];
    assert_eq!(paths(&problems), expected, "{problems:#?}");
}

#[test]
fn a_misspelt_name_is_answered_with_the_right_one() {
    let problems = loaded("kafka: {brokerz: 'a:1'}\nbacth: {}\n", &[], &[]).unwrap_err();
    assert!(problems[0].message.contains("`batch`"), "{problems:?}");
    assert!(problems[1].message.contains("`brokers`"), "{problems:?}");
}

#[test]
fn a_mistake_in_the_environment_is_told_from_one_in_the_file() {
    let problems = loaded("log: {format: xml}", &[("AUSCULT__BATCH__MAX_RECORDS", "many")], &[]).unwrap_err();
    assert!(problems[0].message.ends_with("(from the environment)"), "{problems:?}");
    assert!(problems[1].message.contains(".yaml"), "{problems:?}");
}

#[test]
fn a_list_with_a_wrong_element_does_not_hide_other_mistakes() {
    let problems = loaded("devices: [1, two]\nbatch: {max_records: 0}\n", &[], &[]).unwrap_err();
    assert_eq!(paths(&problems), ["batch.max_records", "devices.[1]"]);
}

#[test]
fn a_property_that_a_promise_depends_on_cannot_be_changed() {
    let yaml = "kafka:\n  properties:\n    isolation.level: read_uncommitted\n    bootstrap.servers: 'a:1'\n";
    let problems = loaded(yaml, &[], &[]).unwrap_err();
    assert_eq!(paths(&problems), ["kafka.properties.bootstrap.servers", "kafka.properties.isolation.level"]);
    assert!(problems[0].message.contains("kafka.brokers"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let result: Result<WorkerConfig, ConfigError> = load(Some(Path::new("no/such.yaml")), &[]);
    let text = result.unwrap_err().to_string();
    assert!(text.contains("no/such.yaml"), "{text}");
}

#[test]
fn a_printed_configuration_hides_passwords_and_reads_back() {
    let yaml = "kafka:\n  delivery: at_least_once\n  security: {sasl: {password: tiger, username: u}}\n  properties:\n    ssl.keystore.password: tiger\n";
    let config = loaded(yaml, &[], &[]).unwrap();
    let printed = serde_json::to_string(&config).unwrap();
    assert!(!printed.contains("tiger") && !format!("{config:?}").contains("tiger"), "{printed}");
    let back: WorkerConfig = serde_json::from_str(&printed).unwrap();
    assert_eq!(back.kafka.delivery, Delivery::AtLeastOnce);
    assert_eq!(back.kafka.security.sasl.username.as_deref(), Some("u"));
}

#[test]
fn a_password_of_digits_is_a_password_and_a_misplaced_one_is_not_repeated() {
    let digits = [("AUSCULT__KAFKA__SECURITY__SASL__PASSWORD", "4711")];
    let config = loaded("", &digits, &[]).unwrap();
    assert_eq!(config.kafka.security.sasl.password.map(|password| password.reveal().to_owned()), Some("4711".into()));
    for yaml in [
        "kafka: {security: {sasl: {password: {is: tiger}}}}",
        "kafka: {security: {sasl: {password: [tiger]}}}",
        "kafka: {security: {sasl: {pasword: tiger}}}",
        "kafka: {security: {sasl: {password: tiger, password_file: /no/such/file}, protocol: sasl_plaintext}}",
    ] {
        let told = format!("{:?}", loaded(yaml, &[], &[]).unwrap_err());
        assert!(!told.contains("tiger"), "{told}");
    }
}

#[test]
fn what_the_section_sets_cannot_be_set_beside_it() {
    let yaml =
        "kafka:\n  properties:\n    sasl.password: tiger\n    security.protocol: ssl\n    ssl.crl.location: /crl\n";
    let problems = loaded(yaml, &[], &[]).unwrap_err();
    assert_eq!(paths(&problems), ["kafka.properties.sasl.password", "kafka.properties.security.protocol"]);
    let told = format!("{problems:?}");
    assert!(told.contains("kafka.security.sasl.password_file") && !told.contains("tiger"), "{told}");
}

#[test]
fn the_schema_knows_every_field_and_refuses_others() {
    let schema = schema::<WorkerConfig>();
    let names = known_names(schema.as_value(), "kafka");
    assert!(names.contains(&"session_timeout_ms".to_owned()), "{names:?}");
    assert_eq!(schema.as_value()["additionalProperties"], false);
}
