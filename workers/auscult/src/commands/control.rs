//! `auscult control`: sends an operator's request to the worker that scores a machine, in the stream of its chunks.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use auscult_operations::control::{Answer, Answers, control_record};
use auscult_operations::machine_partition::{MachinePartitions, unknown_machine};
use auscult_operations::result_lines::audit_words;
use auscult_runtime::config::KafkaConfig;
use auscult_runtime::kafka::{GatewayProducer, chunk_partitions};
use auscult_runtime::machine_places::listed;
use auscult_schemas::topics::{AUDIT, CHUNKS};
use auscult_schemas::{Control, ControlAction, MachineId, printable};
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};

use super::worker_arguments::{ConfigArgs, KafkaOnly};

/// Acknowledge an alarm, mute a machine, set maintenance or idle, or change its threshold
///
/// The message is appended to audio.chunks after the machine's latest chunk, on the machine's partition, and is applied
/// in order. The worker then writes a record to audio.audit, which the command waits for and prints, and, if the state
/// changes, one to audio.alerts. A request that cannot be applied becomes a dead letter, `invalid_control`, and the
/// command fails with its reason.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ControlArgs {
    /// Machine id
    #[arg(value_name = "MACHINE")]
    machine: String,
    #[command(subcommand)]
    action: Action,
    /// Name of the operator, written to the audit record
    #[arg(long, global = true, value_name = "NAME", env = "AUSCULT_CONTROL_BY")]
    by: Option<String>,
    /// Request id, repeated in the audit record [default: made from the time]
    #[arg(long, global = true, value_name = "ID")]
    id: Option<String>,
    /// Longest time to wait for the worker's answer; 0s does not wait
    #[arg(long, global = true, value_name = "TIME", default_value = "30s")]
    wait: SignedDuration,
    /// Send only to this partition, even if it has no chunks of the machine
    #[arg(long, global = true, value_name = "N")]
    partition: Option<i32>,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Acknowledge the current alarm
    Acknowledge,
    /// Remove the acknowledgement
    Unacknowledge,
    /// Mark changes of state as muted, so that they send no notifications
    Mute(End),
    /// Stop muting
    Unmute,
    /// Suppress alarms during maintenance
    Maintenance(End),
    /// End maintenance; scoring of the machine starts again from an initial state
    EndMaintenance,
    /// Mark the machine as idle: its chunks are not scored, and no alarms are raised
    Idle(End),
    /// Mark the machine as running again; it continues in the state it had before
    Running,
    /// Use another threshold for the scores; without an option, use the model's own threshold again
    SetThreshold {
        /// The threshold, in the unit of the model's scores; it applies until the model changes
        #[arg(long, value_name = "SCORE", conflicts_with = "factor")]
        threshold: Option<f64>,
        /// Factor on the model's threshold; it applies to later models as well
        #[arg(long, value_name = "TIMES")]
        factor: Option<f64>,
    },
    /// Discard what was learned about the machine since its model was trained, and start scoring from an initial state
    Relearn,
    /// Remove the machine: it is not reported as silent and not counted any more. If it sends chunks again, it counts
    /// as a new machine
    Retire,
}

/// When the state ends by itself.
#[derive(Debug, Clone, Default, Args)]
struct End {
    /// End at this time, such as 2026-11-28T14:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "duration")]
    until: Option<Timestamp>,
    /// End after this duration, such as 8h or 45m
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
  auscult control fan-07 idle --by anna                       the machine is at rest; use `running` when it runs again
  auscult control fan-07 set-threshold --factor 1.2 --by anna
  auscult control fan-07 set-threshold --by anna              the model's own threshold again
  auscult control fan-07 retire --by anna                     the machine was sold; delete its model file, too
  auscult control fan-07 retire --partition 3 --by anna       remove old state there after its gateway was fixed";

/// Sends the message to the machine's partition and waits for a worker's answer.
///
/// # Errors
/// If the request is invalid, no chunk of the machine was ever sent, the brokers reject the message, a worker refuses
/// the request, or no worker answers in time.
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
    // Open the answers before sending the message, so that the answer cannot be missed.
    let answers = if wait.is_zero() { None } else { Some(Answers::open(&config.kafka)?) };
    for partition in &partitions {
        producer.send(&control_record(&control, *partition, partitions.len() > 1, now)?)?;
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

/// The partitions of the machine: one, or a warning is printed.
fn find(kafka: &KafkaConfig, machine: &MachineId) -> anyhow::Result<Vec<i32>> {
    let home = MachinePartitions::find(kafka, machine)
        .context("cannot find the partition of the machine; --partition N says it")?;
    if let MachinePartitions::Unknown { known, similar } = &home {
        bail!(
            "{}. Nothing was sent. A machine whose sound is still to come can be spoken to with --partition N, the one that its gateway will send to",
            unknown_machine(machine, *known, similar)
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
