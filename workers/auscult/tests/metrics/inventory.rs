//! Every metric there is, as `docs/metrics.md` lists them: made of the very registries that workers expose.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use auscult_runtime::telemetry::{MetricDescription, Metrics, Registrar, TelemetryError};
use auscult_scoring_worker::ScoringMetrics;

const HEAD: &str = "\
# Metrics

Every metric that Auscult's processes expose under `/metrics`, generated from the code that registers them: a test fails when this file and the
code differ (`UPDATE=1 cargo test --locked --release --workspace --test metrics` writes it anew).

Every series has the label `worker`, the process's name in its group, beside those listed. Where a label's values are known beforehand they are
listed, and their series are there at 0 from the start, so that a rate sees the first event. Counters count what is *committed*: a batch that is
done again counts once, `auscult_input_records_total` and the stages' times aside.

Series go when what they tell of goes: the lag of a partition and the machines of it disappear from a worker with the partition.
[Rules](../helm/auscult/files/rules), [dashboards](../helm/auscult/files/dashboards) and the [runbooks](runbooks/README.md) are made of these.
";

/// The file's text.
///
/// # Errors
/// When two metrics have one name.
pub(crate) fn markdown() -> Result<String, TelemetryError> {
    let every = Metrics::new("w")?;
    let of_every = every.registrar().descriptions();
    // What a kind of worker registers beside.
    let scoring = Registrar::default();
    ScoringMetrics::register(&scoring, 1)?;
    let bridge = Registrar::default();
    auscult_alertmanager::register_metrics(&bridge)?;

    let mut text = HEAD.to_owned();
    section(
        &mut text,
        "Every process",
        "Feature workers, scoring workers, fused workers and the bridge to Alertmanager. Of `stage`, feature workers add `decode`, `resample` and \
         `log_mel`, scoring workers `forward` and `decide`.",
        &of_every,
        every.registrar(),
    );
    section(
        &mut text,
        "Scoring workers",
        "Also fused workers. `auscult_machine_*` are of single machines, and are left out above `metrics.machine_series_up_to` of them.",
        &scoring.descriptions(),
        &scoring,
    );
    section(&mut text, "The bridge to Alertmanager", "`auscult alertmanager`.", &bridge.descriptions(), &bridge);
    Ok(text)
}

fn section(text: &mut String, title: &str, about: &str, descriptions: &[MetricDescription], registrar: &Registrar) {
    let known = known_values(registrar);
    let _ = write!(text, "\n## {title}\n\n{about}\n\n| metric | type | labels | what it tells |\n|---|---|---|---|\n");
    for MetricDescription { name, kind, help, labels } in descriptions {
        let labels: Vec<String> =
            labels.iter().map(|label| labelled(label, known.get(&(name.clone(), label.clone())))).collect();
        let labels = labels.join(", ");
        let _ = writeln!(text, "| `{name}` | {kind} | {labels} | {help} |");
    }
}

fn labelled(label: &str, values: Option<&BTreeSet<String>>) -> String {
    let Some(values) = values else { return format!("`{label}`") };
    let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
    format!("`{label}`: {}", values.join(" "))
}

/// By metric and label the values whose series are there from the start.
fn known_values(registrar: &Registrar) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut known: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for family in registrar.registry().gather() {
        for pair in family.get_metric().iter().flat_map(|metric| metric.get_label()) {
            let of = (family.name().to_owned(), pair.name().to_owned());
            known.entry(of).or_default().insert(pair.value().to_owned());
        }
    }
    known
}
