//! `asyncapi.yaml` says of every topic what the code says.

use auscult_schemas::topics;
use yaml_rust2::{Yaml, YamlLoader};

use crate::{file, golden::committed_headers, read, samples};

fn document() -> Yaml {
    let text = String::from_utf8(read("asyncapi.yaml")).unwrap();
    YamlLoader::load_from_str(&text).unwrap().remove(0)
}

/// The mapping's entries, with their names.
#[track_caller]
fn entries(mapping: &Yaml) -> Vec<(&str, &Yaml)> {
    let hash = mapping.as_hash().unwrap_or_else(|| panic!("not a mapping: {mapping:?}"));
    hash.iter().map(|(name, value)| (name.as_str().expect("names are text"), value)).collect()
}

/// Follows a `$ref` into the document itself; what is none is returned as it is.
fn followed<'a>(document: &'a Yaml, value: &'a Yaml) -> &'a Yaml {
    let Some(path) = value["$ref"].as_str() else { return value };
    let Some(path) = path.strip_prefix("#/") else { return value };
    let target = path.split('/').fold(document, |at, name| &at[name]);
    assert!(!target.is_badvalue(), "#/{path} leads nowhere");
    followed(document, target)
}

/// Every `$ref` in the document.
fn references<'a>(value: &'a Yaml, found: &mut Vec<&'a str>) {
    match value {
        Yaml::Hash(fields) => {
            for (name, inner) in fields {
                if name.as_str() == Some("$ref") {
                    found.push(inner.as_str().expect("a reference is text"));
                }
                references(inner, found);
            }
        }
        Yaml::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn the_document_describes_exactly_the_topics_there_are_with_their_settings() {
    let document = document();
    assert_eq!(document["asyncapi"].as_str(), Some("3.0.0"));
    let channels = entries(&document["channels"]);
    let mut described: Vec<&str> = channels.iter().filter_map(|(_, channel)| channel["address"].as_str()).collect();
    let mut known: Vec<&str> = topics::ALL.iter().map(|topic| topic.name).collect();
    described.sort_unstable();
    known.sort_unstable();
    assert_eq!(described, known);

    for (_, channel) in channels {
        let name = channel["address"].as_str().unwrap();
        let topic = topics::ALL.iter().find(|topic| topic.name == name).unwrap();
        let kafka = &channel["bindings"]["kafka"];
        assert_eq!(kafka["bindingVersion"].as_str(), Some("0.5.0"), "{name}");
        assert_eq!(kafka["topic"].as_str(), Some(name));
        assert_eq!(kafka["partitions"].as_i64(), Some(topics::DEFAULT_PARTITIONS.into()), "{name}");
        let settings = &kafka["topicConfiguration"];
        let policy = if topic.compacted { "compact" } else { "delete" };
        assert_eq!(settings["cleanup.policy"].as_vec(), Some(&vec![Yaml::String(policy.to_owned())]), "{name}");
        assert_eq!(settings["retention.ms"].as_i64(), Some(topic.retention_ms), "{name}");
        assert_eq!(settings["max.message.bytes"].as_i64(), Some(topics::MAX_MESSAGE_BYTES as i64), "{name}");
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_message_schema_is_used() {
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    let mut files = Vec::new();
    for reference in found {
        if let Some(path) = reference.strip_prefix("./") {
            assert!(file(path).is_file(), "schemas/{path} does not exist");
            files.push(path.to_owned());
        } else {
            followed(
                &document,
                &Yaml::Hash(
                    [(Yaml::String("$ref".to_owned()), Yaml::String(reference.to_owned()))].into_iter().collect(),
                ),
            );
        }
    }
    // What never is a whole payload or a set of headers.
    let parts = ["feature-spec", "features-metadata", "dead-letter"].map(|name| format!("{name}.schema.json"));
    for entry in std::fs::read_dir(file("json")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(parts.contains(&name) || files.contains(&format!("json/{name}")), "no message uses json/{name}");
    }
}

#[test]
fn the_golden_messages_are_what_the_document_says_of_their_topic() {
    let document = document();
    for sample in samples::all() {
        let (_, channel) = entries(&document["channels"])
            .into_iter()
            .find(|(_, channel)| channel["address"].as_str() == Some(sample.topic))
            .unwrap();
        let is_control = sample.folder.starts_with("control");
        let messages = entries(&channel["messages"]);
        assert!(messages.len() == 1 || messages.len() == 2 && messages[1].0 == "control", "{}", sample.topic);
        let message = followed(&document, messages[usize::from(is_control)].1);

        let headers = committed_headers(sample.folder);
        let text = |name| headers.get(name).map(|value| std::str::from_utf8(value).unwrap());
        if sample.folder == "dead-letter" {
            assert_eq!(message["headers"]["$ref"].as_str(), Some("./json/dead-letter-headers.schema.json"));
            continue;
        }
        let [base, own] = &message["headers"]["allOf"].as_vec().unwrap()[..] else { panic!("{}", sample.folder) };
        assert_eq!(base["$ref"].as_str(), Some("./json/event-headers.schema.json"), "{}", sample.folder);
        if let Some(event_type) = text("ce_type") {
            assert_eq!(own["properties"]["ce_type"]["const"].as_str(), Some(event_type), "{}", sample.folder);
        }
        if !sample.folder.starts_with("chunk") {
            assert_eq!(message["contentType"].as_str(), text("content-type"), "{}", sample.folder);
        }
        let key = &followed(&document, &message["bindings"])["kafka"]["key"];
        assert_eq!(key["type"].as_str(), Some("string"), "{}", sample.folder);
    }
}

#[test]
fn every_json_topic_names_the_schema_of_its_golden_message() {
    let document = document();
    for (message, schema) in [
        ("score", "score"),
        ("alert", "alert"),
        ("drift", "drift"),
        ("control", "control"),
        ("audit", "audit"),
        ("label", "label"),
        ("scorerState", "scorer-state"),
        ("model", "model-assignment"),
    ] {
        let payload = &document["components"]["messages"][message]["payload"]["$ref"];
        assert_eq!(payload.as_str(), Some(format!("./json/{schema}.schema.json").as_str()));
    }
}

#[test]
fn every_topic_has_someone_who_writes_and_someone_who_reads_it() {
    let document = document();
    let operations = entries(&document["operations"]);
    for (name, operation) in &operations {
        let channel = operation["channel"]["$ref"].as_str().unwrap();
        let message = operation["messages"][0]["$ref"].as_str().unwrap();
        assert!(message.starts_with(&format!("{channel}/messages/")), "{name} is of another channel than its message");
        assert!(!operation["summary"].is_badvalue(), "{name} has no summary");
        assert!(!operation["tags"][0]["name"].is_badvalue(), "{name} belongs to no component");
    }
    for (channel, _) in entries(&document["channels"]) {
        for action in ["send", "receive"] {
            let reference = format!("#/channels/{channel}");
            let someone = operations.iter().any(|(_, operation)| {
                operation["action"].as_str() == Some(action)
                    && operation["channel"]["$ref"].as_str() == Some(&reference)
            });
            assert!(someone, "nobody would {action} on {channel}");
        }
    }
}
