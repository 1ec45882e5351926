//! `auscult control`: what a person asks of whoever judges a machine, sent into the stream of its sound.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use auscult_operations::machine_partition::{Home, unknown};
use auscult_runtime::config::KafkaConfig;
use auscult_runtime::kafka::{GatewayProducer, GatewayRecord, ReadFrom, TopicReader, chunk_partitions};
use auscult_runtime::machine_places::listed;
use auscult_runtime::record::Record;
use auscult_schemas::topics::{AUDIT, CHUNKS, DEAD_LETTERS};
use auscult_schemas::{
    Audit, ChunkId, Control, ControlAction, DeadLetter, Envelope, JsonMessage, MachineId, printable,
};
use bytes::Bytes;
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};

use super::watch::audit_words;
use super::worker_arguments::{ConfigArgs, KafkaOnly};

/// Acknowledge an alarm, mute a machine, work on it, say that it is at rest, or change its threshold
///
/// The message goes into audio.chunks behind the machine's latest sound, on the partition where the machine lives, and
/// is applied in its turn; audio.audit then has a record of it, which the command waits for and prints, and
/// audio.alerts a change of state where there is one. What cannot be done becomes a dead letter, `invalid_control`, and
/// the command fails with its reason.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ControlArgs {
    /// The machine
    #[arg(value_name = "MACHINE")]
    machine: String,
    #[command(subcommand)]
    action: Action,
    /// Who asks; the audit record says so
    #[arg(long, global = true, value_name = "NAME", env = "AUSCULT_CONTROL_BY")]
    by: Option<String>,
    /// The request's id, which the audit record repeats [default: made from the time]
    #[arg(long, global = true, value_name = "ID")]
    id: Option<String>,
    /// Longest to wait for the worker's answer; 0s waits for none
    #[arg(long, global = true, value_name = "TIME", default_value = "30s")]
    wait: SignedDuration,
    /// Speak to the machine on this partition alone, even where nothing was heard of it
    #[arg(long, global = true, value_name = "N")]
    partition: Option<i32>,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Take note of the alarm that stands
    Acknowledge,
    /// Take that back
    Unacknowledge,
    /// Publish changes of state as muted, so that nobody is notified
    Mute(End),
    /// End that
    Unmute,
    /// Raise nothing while the machine is being worked on
    Maintenance(End),
    /// End that; the machine is judged anew
    EndMaintenance,
    /// Say that the machine is at rest: its chunks are not judged, and nothing is raised
    Idle(End),
    /// Say that it runs again; it is judged on from the state that it had
    Running,
    /// Hold scores against another threshold; without an option, against the model's own again
    SetThreshold {
        /// The threshold, in the unit of the model's scores; it ends with the model
        #[arg(long, value_name = "SCORE", conflicts_with = "factor")]
        threshold: Option<f64>,
        /// Times the model's threshold, whichever model serves
        #[arg(long, value_name = "TIMES")]
        factor: Option<f64>,
    },
    /// Forget what was learnt of the machine since its model was trained, and judge it anew
    Relearn,
    /// Forget the machine, which is gone: no silence is reported of it, and it is counted nowhere. A new one, should it
    /// be heard again
    Retire,
}

/// When something ends by itself.
#[derive(Debug, Clone, Default, Args)]
struct End {
    /// At this time, such as 2026-11-28T14:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "duration")]
    until: Option<Timestamp>,
    /// After so long, such as 8h or 45m
    #[arg(long = "for", value_name = "TIME")]
    duration: Option<SignedDuration>,
}

impl End {
    fn at(&self, now: Timestamp) -> anyhow::Result<Option<Timestamp>> {
        let end = match self.duration {
            Some(duration) => Some(now.checked_add(duration).context("--for is too long")?),
            None => self.until,
        };
        if end.is_some_and(|end| end <= now) {
            bail!("the end lies in the past; leave it out for no end");
        }
        Ok(end)
    }
}

const EXAMPLES: &str = "\
Examples:
  auscult control fan-07 acknowledge --by anna --brokers localhost:9092
  auscult control fan-07 mute --for 8h --by anna
  auscult control plant/hall-2/pump-3 maintenance --until 2026-11-28T14:00Z --by \"night shift\"
  auscult control fan-07 idle --by anna                       it stands still; `running` when it runs again
  auscult control fan-07 set-threshold --factor 1.2 --by anna
  auscult control fan-07 set-threshold --by anna              the model's own threshold again
  auscult control fan-07 retire --by anna                     it was sold; its model's file goes as well
  auscult control fan-07 retire --partition 3 --by anna       the state that it left there when its gateway was mended";

/// Sends the message to where the machine lives and waits until a worker has answered.
///
/// # Errors
/// When what is asked for is no request, the machine was never heard, the brokers do not take the message, a worker
/// refuses it, or none answers in time.
pub fn run(args: &ControlArgs) -> anyhow::Result<()> {
    let machine = MachineId::new(&args.machine)?;
    let now = Timestamp::now();
    let by = args.by.clone().filter(|by| !by.trim().is_empty());
    let by = by.context("say who asks, with --by NAME or AUSCULT_CONTROL_BY: the audit record needs it")?;
    let wait = Duration::try_from(args.wait).context("--wait must be 0s or more, such as 30s")?;
    let action = action(&args.action, now)?;
    let id = args.id.clone().unwrap_or_else(|| format!("{machine}/control/{}", now.as_nanosecond()));
    let control = Control { machine: machine.clone(), id: Some(id), by, at: Some(now), action };
    let config: KafkaOnly = args.config.load(&[])?;
    let partitions = match args.partition {
        Some(partition) => vec![checked(partition, &config.kafka)?],
        None => find(&config.kafka, &machine)?,
    };
    let producer = GatewayProducer::new(&config.kafka, "auscult-control")?;
    // Before the message is sent: its answer must not come unseen.
    let answers = if wait.is_zero() { None } else { Some(Answers::open(&config.kafka)?) };
    for partition in &partitions {
        producer.send(&record(&control, *partition, partitions.len() > 1, now)?)?;
    }
    producer.flush(Duration::from_secs(30))?;
    let asked = format!("{} of {}", control.action.as_str(), printable(machine.as_str()));
    let places = listed(partitions.iter().copied());
    let Some(answers) = answers else {
        println!(
            "sent: {asked}, to partition {places} of {CHUNKS}; {AUDIT} says when it is done (auscult watch --only audit)"
        );
        return Ok(());
    };
    let mut refused = Vec::new();
    let unanswered = answers.wait(&control, partitions, wait, |partition, answer| match answer {
        Answer::Done(audit) => println!("done, on partition {partition}: {asked}: {}", printable(&audit_words(&audit))),
        Answer::Refused(detail) => refused.push(format!("on partition {partition}: {detail}")),
    })?;
    ensure!(refused.is_empty(), "{asked} was refused {}", refused.join("; "));
    ensure!(
        unanswered.is_empty(),
        "{asked} was sent to partition {} of {CHUNKS}, and no worker has answered within {} s. It stays there and is done in its turn: is a \
         worker running, and how far is it behind? `auscult doctor` says so; `auscult watch --only audit --from-beginning` shows what was done",
        listed(unanswered.iter().copied()),
        wait.as_secs_f64()
    );
    Ok(())
}

/// The partitions on which the machine lives: one, or it is warned of.
fn find(kafka: &KafkaConfig, machine: &MachineId) -> anyhow::Result<Vec<i32>> {
    let home = Home::of(kafka, machine).context("cannot find the partition of the machine; --partition N says it")?;
    if let Home::Unknown { known, similar } = &home {
        bail!(
            "{}. Nothing was sent. A machine whose sound is still to come can be spoken to with --partition N, the one that its gateway will send to",
            unknown(machine, *known, similar)
        );
    }
    if let Some(warning) = home.warning(machine) {
        eprintln!("{warning}");
    }
    Ok(home.partitions().to_vec())
}

fn checked(partition: i32, kafka: &KafkaConfig) -> anyhow::Result<i32> {
    let count = chunk_partitions(kafka)?;
    ensure!((0..count).contains(&partition), "there is no partition {partition}: {CHUNKS} has 0 to {}", count - 1);
    Ok(partition)
}

/// What came of the message on one partition.
enum Answer {
    /// It was applied.
    Done(Box<Audit>),
    /// It became a dead letter, for this reason.
    Refused(String),
}

/// What workers write from now on that can be an answer.
struct Answers(TopicReader);

impl Answers {
    fn open(kafka: &KafkaConfig) -> anyhow::Result<Self> {
        let reader = TopicReader::open(kafka, &[AUDIT, DEAD_LETTERS], ReadFrom::End);
        Ok(Self(reader.context("the worker's answer cannot be read; --wait 0s sends without waiting for it")?))
    }

    /// Tells of each answer; gives the partitions from which none came in time.
    fn wait(
        mut self,
        control: &Control,
        mut partitions: Vec<i32>,
        wait: Duration,
        mut tell: impl FnMut(i32, Answer),
    ) -> anyhow::Result<Vec<i32>> {
        let deadline = Instant::now() + wait;
        while !partitions.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let Some(record) = self.0.next(left)? else { continue };
            let partition = record.coordinates.partition;
            let awaited = partitions.iter().position(|awaited| *awaited == partition);
            if let (Some(position), Some(answer)) = (awaited, answer(&record, control)) {
                partitions.remove(position);
                tell(partition, answer);
            }
        }
        Ok(partitions)
    }
}

/// The record as the answer to this message, if it is one.
fn answer(record: &Record, control: &Control) -> Option<Answer> {
    if record.key.as_deref() != Some(control.machine.as_str().as_bytes()) {
        return None;
    }
    if record.coordinates.topic == AUDIT {
        let audit: Audit = serde_json::from_slice(record.value.as_deref()?).ok()?;
        return (audit.control_id == control.id).then(|| Answer::Done(Box::new(audit)));
    }
    // The message as it came, with the reason in its headers.
    let sent = Control::decode(record.value.as_deref()?).ok()?;
    let letter = DeadLetter::read(&record.headers).ok()?;
    (sent.id == control.id).then(|| Answer::Refused(format!("{}: {}", letter.code.as_str(), letter.detail)))
}

fn action(action: &Action, now: Timestamp) -> anyhow::Result<ControlAction> {
    Ok(match action {
        Action::Acknowledge => ControlAction::Acknowledge,
        Action::Unacknowledge => ControlAction::Unacknowledge,
        Action::Mute(end) => ControlAction::Mute { until: end.at(now)? },
        Action::Unmute => ControlAction::Unmute,
        Action::Maintenance(end) => ControlAction::Maintenance { until: end.at(now)? },
        Action::EndMaintenance => ControlAction::EndMaintenance,
        Action::Idle(end) => ControlAction::Idle { until: end.at(now)? },
        Action::Running => ControlAction::Running,
        Action::SetThreshold { threshold, factor } => {
            let is_sound = |number: &f64| number.is_finite() && *number > 0.0;
            if !threshold.iter().chain(factor).all(is_sound) {
                bail!("a threshold must be above 0");
            }
            ControlAction::SetThreshold { threshold: *threshold, factor: *factor }
        }
        Action::Relearn => ControlAction::Relearn,
        Action::Retire => ControlAction::Retire,
    })
}

/// The message to one partition. Where it goes to several, each is an event of its own, and so is its audit record; the
/// request's id is the same.
fn record(control: &Control, partition: i32, is_one_of_several: bool, now: Timestamp) -> anyhow::Result<GatewayRecord> {
    let id = control.id.clone().unwrap_or_default();
    let envelope = Envelope {
        id: ChunkId(if is_one_of_several { format!("{id}/partition-{partition}") } else { id }),
        source: "/auscult/control".to_owned(),
        event_type: Envelope::CONTROL.to_owned(),
        time: now,
        machine: control.machine.clone(),
        content_type: Envelope::CONTROL_JSON.to_owned(),
        traceparent: None,
    };
    Ok(GatewayRecord {
        topic: CHUNKS.to_owned(),
        partition: Some(partition),
        key: Some(Bytes::from(control.machine.as_str().to_owned())),
        value: Some(control.encode()?),
        headers: envelope.headers(),
        timestamp_ms: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_may_be_a_time_or_a_duration_and_never_lies_in_the_past() {
        let now: Timestamp = "2026-11-28T06:00:00Z".parse().unwrap();
        let later: Timestamp = "2026-11-28T14:00:00Z".parse().unwrap();
        assert_eq!(End::default().at(now).unwrap(), None);
        assert_eq!(End { until: Some(later), duration: None }.at(now).unwrap(), Some(later));
        let eight_hours = Some("8h".parse().unwrap());
        assert_eq!(End { until: None, duration: eight_hours }.at(now).unwrap(), Some(later));
        assert!(End { until: Some(now), duration: None }.at(now).is_err());
        assert!(End { until: None, duration: Some("-1h".parse().unwrap()) }.at(now).is_err());
    }
}
