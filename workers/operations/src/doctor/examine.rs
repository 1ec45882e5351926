//! Runs all checks in order. A check that cannot be made is reported, and its dependents are skipped.

use std::collections::BTreeMap;
use std::time::Duration;

use auscult_runtime::kafka::survey::{Brokers, Glimpse, Placement, Settings, Survey, trial};
use auscult_runtime::kafka::{KafkaClients, WorkerIdentity, topics as contract};
use auscult_runtime::machine_places::MachinePlaces;
use auscult_runtime::ports::LogClients;
use auscult_runtime::record::NEXT_OFFSET_HEADER;
use auscult_schemas::topics::{ALL, CHUNKS, FEATURES, SCORER_STATE, SCORES, Topic};
use auscult_scoring_worker::ModelLookup;
use jiff::Timestamp;

use super::clocks::Newest;
use super::groups::Job;
use super::machines::MachineSightings;
use super::{
    Finding, Findings, Question, Report, brokers, clocks, groups, machines, partitions as machine_partitions, rights,
    times, topics,
};

/// The groups in the order of the report; later groups depend on earlier ones.
const GROUPS: [&str; 6] = ["brokers", "topics", "rights", "groups", "clocks", "machines"];
/// Timeout for connecting to the brokers.
const FINDING: Duration = Duration::from_secs(8);
/// Timeout of one request.
const ASKING: Duration = Duration::from_secs(5);
/// Timeout for reading the state of all machines: ten thousand take under half a second from a nearby broker.
const READING: Duration = Duration::from_secs(60);
/// Number of newest offsets read from each partition.
const NEWEST: i64 = 20;
/// Tolerance beyond the transaction timeout, before a transaction counts as hanging.
const GRACE: Duration = Duration::from_secs(5);

/// Runs all checks. Nothing is changed.
#[must_use]
pub fn examine(question: &Question) -> Report {
    let mut report = Report::default();
    let (survey, brokers) = match Survey::connect(&question.kafka, FINDING, ASKING) {
        Ok(found) => found,
        Err(error) => {
            let mut findings = Findings::of("brokers");
            findings.wrong("reachable", error.to_string(), "nothing else could be looked at");
            report.findings = findings.list;
            return report;
        }
    };
    let examination = Examination { question, survey, brokers };
    examination.run(&mut report.findings);
    // Some findings of a group come from data that is read later.
    report.findings.sort_by_key(|finding| GROUPS.iter().position(|group| *group == finding.group));
    report
}

struct Examination<'a> {
    question: &'a Question,
    survey: Survey,
    brokers: Brokers,
}

impl Examination<'_> {
    fn run(&self, findings: &mut Vec<Finding>) {
        let Question { kafka, .. } = self.question;
        let count = self.brokers.ids.len();
        findings.push(brokers::reached(&self.brokers, &kafka.brokers));
        findings.extend(brokers::versions(&self.brokers, kafka));
        match self.brokers.ids.iter().min().map(|id| self.survey.broker_settings(*id)) {
            Some(Ok(Ok(settings))) => findings.extend(brokers::settings(&settings, kafka, count)),
            Some(Ok(Err(reason))) => findings.push(unknown("brokers", "settings", reason)),
            Some(Err(error)) => findings.push(unknown("brokers", "settings", error.to_string())),
            None => findings.push(unknown("brokers", "settings", "the brokers did not tell who they are".to_owned())),
        }

        let placements = self.placements(findings);
        let settings = self.topic_settings(&placements, findings);
        let partitions = |topic: &str| match placements.get(topic) {
            Some(Placement::Partitions(partitions)) => i32::try_from(partitions.len()).ok(),
            _ => None,
        };
        match contract::examine(kafka, &ALL) {
            Ok(examined) => {
                let own = self.question.kind.touches;
                findings.extend(topics::contract(
                    &examined,
                    &placements,
                    own,
                    partitions(CHUNKS).or(partitions(FEATURES)),
                ));
            }
            Err(error) => findings.push(unknown("topics", "contract", error.to_string())),
        }
        findings.extend(topics::copies(&placements, &settings, count));
        findings.extend(topics::retention(&settings));
        findings.extend(topics::sizes(&settings, &self.question.limits));

        let kind = self.question.kind;
        let own: Vec<&str> = [Some(kind.input), kind.changelog].into_iter().flatten().collect();
        findings.extend(rights::reading(&self.reading(&placements), &own));
        findings.extend(rights::writing(&self.writing(&placements, &settings)));
        findings.extend(rights::unknown());

        self.groups(&partitions, findings);
        let present: Vec<(&str, i32)> =
            ALL.iter().filter_map(|topic| Some((topic.name, partitions(topic.name)?))).collect();
        match self.survey.share_groups(&present) {
            Ok(shared) => {
                let Question { feature_group, scoring_group, .. } = self.question;
                findings.extend(groups::sharing(&shared, &[feature_group, scoring_group]));
            }
            Err(error) => findings.push(unknown("groups", "share groups", error.to_string())),
        }
        let patience = Duration::from_millis(u64::from(kafka.transaction_timeout_ms)) + GRACE;
        match self.survey.held_up(&present, patience) {
            Ok(held) => findings.extend(groups::transactions(&held, patience)),
            Err(error) => findings.push(unknown("groups", "open transactions", error.to_string())),
        }
        self.records(&partitions, &settings, findings);
    }

    fn placements(&self, findings: &mut Vec<Finding>) -> BTreeMap<&'static str, Placement> {
        let mut placements = BTreeMap::new();
        for Topic { name, .. } in ALL {
            match self.survey.placement(name) {
                Ok(placement) => {
                    placements.insert(name, placement);
                }
                Err(error) => findings.push(unknown("topics", "copies", format!("{name}: {error}"))),
            }
        }
        placements
    }

    fn topic_settings(
        &self,
        placements: &BTreeMap<&'static str, Placement>,
        findings: &mut Vec<Finding>,
    ) -> BTreeMap<&'static str, Result<Settings, String>> {
        let is_there = |placement: &Placement| matches!(placement, Placement::Partitions(_));
        let there: Vec<&'static str> =
            placements.iter().filter(|(_, placement)| is_there(placement)).map(|(name, _)| *name).collect();
        self.survey.topic_settings(&there).unwrap_or_else(|error| {
            findings.push(unknown("topics", "retention", format!("settings of topics: {error}")));
            BTreeMap::new()
        })
    }

    /// Read tests of everything that workers read.
    fn reading(&self, placements: &BTreeMap<&'static str, Placement>) -> BTreeMap<&'static str, Result<(), String>> {
        let read = [CHUNKS, FEATURES, SCORER_STATE].into_iter();
        let there = read.filter(|name| matches!(placements.get(name), Some(Placement::Partitions(_))));
        there.map(|name| (name, self.survey.may_read(name).map_err(|error| error.to_string()))).collect()
    }

    /// Write tests of everything that this kind of worker writes, if requested.
    fn writing(
        &self,
        placements: &BTreeMap<&'static str, Placement>,
        settings: &BTreeMap<&'static str, Result<Settings, String>>,
    ) -> BTreeMap<&'static str, trial::Trial> {
        let mut tried = BTreeMap::new();
        if !self.question.tries_writing {
            return tried;
        }
        let kind = self.question.kind;
        for name in kind.touches.iter().copied().filter(|name| *name != kind.input) {
            let Some(size) = rights::trial_size(placements.get(name), settings.get(name)) else {
                let reason = "its max.message.bytes is not known, or too large to be tried".to_owned();
                tried.insert(name, trial::Trial::Unclear(reason));
                continue;
            };
            let trial = trial::write(&self.question.kafka, name, size, ASKING);
            tried.insert(name, trial.unwrap_or_else(|error| trial::Trial::Unclear(error.to_string())));
        }
        tried
    }

    fn groups(&self, partitions: &impl Fn(&str) -> Option<i32>, findings: &mut Vec<Finding>) {
        let Question { kafka, is_fused, feature_group, scoring_group, lag, .. } = self.question;
        let features = Job { group: feature_group, topic: CHUNKS, command: "feature-worker", check: "feature workers" };
        let scoring =
            Job { group: scoring_group, topic: FEATURES, command: "scoring-worker", check: "scoring workers" };
        let fused = Job { group: scoring_group, topic: CHUNKS, command: "run --fused", check: "fused workers" };
        let jobs = if *is_fused { vec![fused] } else { vec![features, scoring] };
        for job in jobs {
            let Some(count) = partitions(job.topic) else {
                findings.push(unknown(
                    "groups",
                    job.check,
                    format!("{}: its input {} cannot be seen", job.group, job.topic),
                ));
                continue;
            };
            match self.survey.group(job.group, job.topic, count) {
                Ok(facts) => {
                    findings.extend(groups::judge(job, &facts, kafka.group_protocol, *lag, now_ms()));
                }
                Err(error) if job.topic != self.question.kind.input => {
                    findings.push(unknown("groups", job.check, format!("{}: {error}", job.group)));
                }
                Err(error) => {
                    let mut refused = Findings::of("groups");
                    refused.wrong(job.check, format!("{} cannot be asked for", job.group), error.to_string());
                    findings.extend(refused.list);
                }
            }
        }
    }

    /// The end offsets of a topic's partitions.
    fn ends(&self, topic: &str, partitions: Option<i32>) -> Result<BTreeMap<i32, i64>, String> {
        let partitions: Vec<i32> = (0..partitions.unwrap_or(0)).collect();
        let identity = WorkerIdentity {
            group_id: self.question.scoring_group.clone(),
            instance_id: "auscult-doctor".to_owned(),
            input_topic: topic.to_owned(),
        };
        let probe =
            KafkaClients::new(self.question.kafka.clone(), identity).probe().map_err(|error| error.to_string())?;
        let Some(mut probe) = probe else { return Ok(BTreeMap::new()) };
        probe.ends(&partitions).map_err(|error| error.to_string())
    }

    /// Findings from the newest records: clocks and machines.
    fn records(
        &self,
        partitions: &impl Fn(&str) -> Option<i32>,
        settings: &BTreeMap<&'static str, Result<Settings, String>>,
        findings: &mut Vec<Finding>,
    ) {
        let newest = |topic: &str| -> Result<Vec<Glimpse>, String> {
            let Some(count) = partitions(topic) else { return Ok(Vec::new()) };
            self.survey.newest(topic, count, NEWEST).map_err(|error| error.to_string())
        };
        let mut read = BTreeMap::new();
        for topic in [CHUNKS, FEATURES, SCORES] {
            match newest(topic) {
                Ok(glimpses) => {
                    read.insert(topic, glimpses);
                }
                Err(error) => findings.push(unknown("clocks", "clocks", error)),
            }
        }
        let of = |topic: &'static str, writer: &'static str| Newest {
            topic,
            writer,
            glimpses: read.get(topic).map(Vec::as_slice).unwrap_or_default(),
        };
        let all = [of(CHUNKS, "a gateway"), of(FEATURES, "a feature worker"), of(SCORES, "a scoring worker")];
        findings.extend(clocks::judge(&all, self.question.skew, now_ms()));
        let chunks = read.get(CHUNKS).map(Vec::as_slice).unwrap_or_default();
        findings.extend(times::judge(settings, chunks, now_ms()));

        let mut sightings = MachineSightings::default();
        let mut places = MachinePlaces::default();
        let mut next_offsets: BTreeMap<i32, i64> = BTreeMap::new();
        if let Some(count) = partitions(SCORER_STATE) {
            let remembered = self.survey.all(SCORER_STATE, count, READING, |glimpse| {
                let next = glimpse.headers.text(NEXT_OFFSET_HEADER).ok().flatten().and_then(|text| text.parse().ok());
                if let Some(next) = next {
                    next_offsets.insert(glimpse.partition, next);
                }
                sightings.remembered(&glimpse);
                places.note(glimpse.partition, glimpse.key.as_deref(), glimpse.value.as_deref());
            });
            match remembered {
                Ok(true) => findings.extend(machine_partitions::judge(&places)),
                Ok(false) => {
                    let reason = format!("{SCORER_STATE} was not read to its end in {} s", READING.as_secs());
                    findings.push(unknown("machines", "models", reason));
                }
                Err(error) => findings.push(unknown("machines", "models", error.to_string())),
            }
        }
        let input = if self.question.is_fused { CHUNKS } else { FEATURES };
        match self.ends(input, partitions(input)) {
            Ok(ends) => findings.extend(groups::positions(&next_offsets, &ends, input)),
            Err(reason) => findings.push(unknown("groups", "positions", reason)),
        }
        for glimpse in read.get(input).into_iter().flatten() {
            sightings.came(glimpse);
        }
        let lookup = self.question.models.as_ref().map(ModelLookup::new);
        findings.extend(machines::judge(&sightings, lookup.as_ref(), now_ms()));
    }
}

fn unknown(group: &'static str, check: &'static str, reason: String) -> Finding {
    let mut findings = Findings::of(group);
    findings.unknown(check, reason);
    findings.list.remove(0)
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}
