//! Layers: defaults, then the file, then the environment, then flags; and the whole judged at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use config::{Config, Environment, File, FileFormat, Map, Source, Value, ValueKind};
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;

use super::{ConfigError, Problem, Problems, Validate};

/// What environment variables begin with; `__` is the step down: `AUSCULT__KAFKA__BROKERS`.
const PREFIX: &str = "AUSCULT";
const SEPARATOR: &str = "__";
const ENVIRONMENT: &str = "the environment";

/// Of this section the names are not ours: they have dots, which in the environment are written as `_`.
const DOTTED: [&str; 2] = ["kafka", "properties"];

/// Fills a configuration from its layers and judges it.
///
/// `overrides` are paths and values, such as `("kafka.brokers", "kafka:9092")`; they come last and win.
///
/// # Errors
/// [`ConfigError::Unreadable`] when the file cannot be read, [`ConfigError::Invalid`] with every mistake: unknown
/// names, values of the wrong type, values out of range.
pub fn load<T>(file: Option<&Path>, overrides: &[(String, String)]) -> Result<T, ConfigError>
where
    T: DeserializeOwned + JsonSchema + Validate,
{
    load_from(file, None, overrides)
}

/// The JSON Schema of a configuration, for editors and for `auscult config schema`.
#[must_use]
pub fn schema<T: JsonSchema>() -> Schema {
    schemars::schema_for!(T)
}

/// As [`load`], with the environment given (tests) or, with `None`, the process's own.
fn load_from<T>(
    file: Option<&Path>,
    environment: Option<Map<String, String>>,
    overrides: &[(String, String)],
) -> Result<T, ConfigError>
where
    T: DeserializeOwned + JsonSchema + Validate,
{
    let tree = merge(file, environment, overrides).map_err(|error| ConfigError::Unreadable(error.to_string()))?;
    let file = file.map(|path| path.display().to_string());
    let mut reading = Reading { tree, file, problems: BTreeSet::new(), unknown: BTreeSet::new() };
    let read: Option<T> = reading.read();
    reading.report_unknown(schema::<T>().as_value());

    let mut problems = reading.problems;
    if let Some(value) = &read {
        let mut checks = Problems::default();
        value.validate(&mut checks);
        let mistyped: BTreeSet<String> = problems.iter().map(|problem| problem.path.clone()).collect();
        problems.extend(checks.into_found().into_iter().filter(|problem| !mistyped.contains(&problem.path)));
    }
    match read {
        Some(value) if problems.is_empty() => Ok(value),
        _ => Err(ConfigError::Invalid(problems.into_iter().collect())),
    }
}

fn merge(
    file: Option<&Path>,
    environment: Option<Map<String, String>>,
    overrides: &[(String, String)],
) -> Result<Value, config::ConfigError> {
    let mut builder = Config::builder();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .map_err(|error| config::ConfigError::Message(format!("{}: {error}", path.display())))?;
        // A file with nothing but comments is no table; it is an empty layer.
        let has_content =
            text.lines().map(str::trim).any(|line| !line.is_empty() && !line.starts_with('#') && line != "---");
        if has_content {
            let mut layer = File::from(path).format(FileFormat::Yaml).collect()?;
            nest_dotted_names(&mut layer);
            builder = builder.add_source(Layer(layer));
        }
    }
    let variables = Environment::with_prefix(PREFIX).prefix_separator(SEPARATOR).separator(SEPARATOR);
    let variables = variables.source(environment).collect()?;
    builder = builder.add_source(Layer(variables.into_iter().map(|(key, value)| (dotted_key(key), value)).collect()));
    for (path, value) in overrides {
        builder = builder.set_override(path, value.as_str())?;
    }
    Ok(builder.build()?.cache)
}

/// One layer, already collected.
#[derive(Debug, Clone)]
struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

/// `kafka.properties.security_protocol`, as the environment has it, becomes `kafka.properties.security.protocol`.
fn dotted_key(key: String) -> String {
    let prefix = format!("{}.", DOTTED.join("."));
    match key.strip_prefix(&prefix) {
        Some(name) => format!("{prefix}{}", name.replace('_', ".")),
        None => key,
    }
}

/// `"security.protocol": X`, as a file has it, becomes `security: {protocol: X}`, so that layers merge name by name.
fn nest_dotted_names(layer: &mut Map<String, Value>) {
    let Some(ValueKind::Table(section)) = layer.get_mut(DOTTED[0]).map(|value| &mut value.kind) else { return };
    let Some(properties) = section.get_mut(DOTTED[1]) else { return };
    let ValueKind::Table(flat) = &mut properties.kind else { return };
    let mut nested = Map::new();
    for (name, value) in std::mem::take(flat) {
        insert_nested(&mut nested, &name, value);
    }
    *flat = nested;
}

fn insert_nested(table: &mut Map<String, Value>, name: &str, value: Value) {
    let Some((first, rest)) = name.split_once('.') else {
        table.insert(name.to_owned(), value);
        return;
    };
    let inner = table.entry(first.to_owned()).or_insert_with(|| Value::new(None, ValueKind::Table(Map::new())));
    match &mut inner.kind {
        ValueKind::Table(inner) => insert_nested(inner, rest, value),
        // A name that is also the beginning of another; keep this one whole rather than lose either.
        _ => {
            table.insert(name.to_owned(), value);
        }
    }
}

/// Reads a value out of a tree; what cannot be read is noted, taken out and thereby left to its default, and the rest
/// read on.
struct Reading {
    tree: Value,
    file: Option<String>,
    problems: BTreeSet<Problem>,
    unknown: BTreeSet<String>,
}

impl Reading {
    fn read<T: DeserializeOwned>(&mut self) -> Option<T> {
        loop {
            let mut track = serde_path_to_error::Track::new();
            let tracked = serde_path_to_error::Deserializer::new(self.tree.clone(), &mut track);
            let unknown = &mut self.unknown;
            let read = serde_ignored::deserialize(tracked, |path| {
                unknown.insert(path.to_string());
            });
            let error = match read {
                Ok(value) => return Some(value),
                Err(error) => error,
            };
            // An option is a step of its own, `?`, to the crates that name the path; it is none to the user.
            let path: Vec<String> =
                track.path().iter().map(ToString::to_string).filter(|segment| segment != "?").collect();
            let removed = remove(&mut self.tree, &path);
            let message = describe(&error) + &self.origin(removed.as_ref());
            self.problems.insert(Problem { path: path.join("."), message });
            removed?;
        }
    }

    /// Which layer a value came from; flags leave no trace, and are what the user has just typed.
    fn origin(&self, value: Option<&Value>) -> String {
        match (value.and_then(Value::origin), &self.file) {
            (Some(ENVIRONMENT), _) => " (from the environment)".to_owned(),
            (Some(_), Some(file)) => format!(" (in {file})"),
            _ => String::new(),
        }
    }

    fn report_unknown(&mut self, schema: &serde_json::Value) {
        for path in std::mem::take(&mut self.unknown) {
            let path = path.replace("?.", "");
            let (section, name) = path.rsplit_once('.').unwrap_or(("", &path));
            let known = known_names(schema, section);
            let mut message = match nearest(name, &known) {
                Some(near) => format!("no such setting; did you mean `{near}`?"),
                None if known.is_empty() => "no such setting".to_owned(),
                None => format!("no such setting; there are {}", known.join(", ")),
            };
            message.push_str(&self.origin(find(&self.tree, &path)));
            self.problems.insert(Problem { path, message });
        }
    }
}

fn describe(error: &config::ConfigError) -> String {
    match error {
        config::ConfigError::Type { unexpected, expected, .. } => format!("is {unexpected}, must be {expected}"),
        config::ConfigError::At { error, .. } => describe(error),
        other => other.to_string(),
    }
}

fn find<'a>(tree: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(tree, |value, segment| match &value.kind {
        ValueKind::Table(table) => table.get(segment),
        _ => None,
    })
}

/// Takes the value at the path out; of a list, whose elements have no defaults, the whole.
/// `None` when there is none, or when it is the whole tree.
fn remove(tree: &mut Value, path: &[String]) -> Option<Value> {
    let (first, rest) = path.split_first()?;
    let ValueKind::Table(table) = &mut tree.kind else { return None };
    let child = table.get_mut(first)?;
    let is_table = matches!(child.kind, ValueKind::Table(_));
    if is_table && !rest.is_empty() { remove(child, rest) } else { table.remove(first) }
}

/// The names that a section has, by the schema.
fn known_names(schema: &serde_json::Value, section: &str) -> Vec<String> {
    let mut node = schema;
    for segment in section.split('.').filter(|segment| !segment.is_empty()) {
        let Some(next) = resolve(schema, node).get("properties").and_then(|names| names.get(segment)) else {
            return Vec::new();
        };
        node = next;
    }
    let properties = resolve(schema, node).get("properties").and_then(serde_json::Value::as_object);
    properties.map(|names| names.keys().cloned().collect()).unwrap_or_default()
}

fn resolve<'a>(schema: &'a serde_json::Value, node: &'a serde_json::Value) -> &'a serde_json::Value {
    let reference = node.get("$ref").or_else(|| {
        let any = node.get("anyOf")?.as_array()?;
        any.iter().find_map(|option| option.get("$ref"))
    });
    let pointer = reference.and_then(serde_json::Value::as_str).and_then(|text| text.strip_prefix('#'));
    pointer.and_then(|pointer| schema.pointer(pointer)).unwrap_or(node)
}

/// The known name that is nearest, if no more than two letters in five are wrong.
fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a String> {
    let mut by_distance: BTreeMap<usize, &String> = BTreeMap::new();
    for candidate in known {
        by_distance.entry(distance(name, candidate)).or_insert(candidate);
    }
    let (distance, candidate) = by_distance.into_iter().next()?;
    let is_near = distance * 5 <= candidate.chars().count() * 2;
    is_near.then_some(candidate)
}

/// Edit distance (Levenshtein): letters to be put in, left out or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let change = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;
