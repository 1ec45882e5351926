//! `auscult control`: what a person asks of whoever judges a machine, sent into the stream of its sound.

use anyhow::{Context, bail};
use auscult_runtime::kafka::{GatewayProducer, GatewayRecord};
use auscult_schemas::topics::{AUDIT, CHUNKS};
use auscult_schemas::{ChunkId, Control, ControlAction, Envelope, JsonMessage, MachineId};
use bytes::Bytes;
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

use super::worker_arguments::{ConfigArgs, KafkaOnly};

/// Acknowledge an alarm, mute a machine, work on it, say that it is at rest, or change its threshold
///
/// The message goes into audio.chunks behind the machine's latest sound and is applied in its turn; audio.audit then has a record of it, and
/// audio.alerts a change of state where there is one. What cannot be done becomes a dead letter, `invalid_control`.
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
    /// Forget the machine, which is gone: no silence is reported of it, and it is counted nowhere. A new one, should it be heard again
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
  auscult control fan-07 retire --by anna                     it was sold; its model's file goes as well";

/// Sends the message and waits until it is acknowledged.
///
/// # Errors
/// When what is asked for is no request, or the brokers do not take it.
pub fn run(args: &ControlArgs) -> anyhow::Result<()> {
    let machine = MachineId::new(&args.machine)?;
    let now = Timestamp::now();
    let by = args.by.clone().filter(|by| !by.trim().is_empty());
    let by = by.context("say who asks, with --by NAME or AUSCULT_CONTROL_BY: the audit record needs it")?;
    let action = action(&args.action, now)?;
    let id = args.id.clone().unwrap_or_else(|| format!("{machine}/control/{}", now.as_nanosecond()));
    let name = action.as_str();
    let control = Control { machine: machine.clone(), id: Some(id.clone()), by, at: Some(now), action };
    let config: KafkaOnly = args.config.load(&[])?;
    let producer = GatewayProducer::new(&config.kafka, "auscult-control")?;
    producer.send(&record(&control, id, now)?)?;
    producer.flush(Duration::from_secs(30))?;
    println!("sent: {name} of {machine}; {AUDIT} says when it is done (auscult watch --only audit)");
    Ok(())
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

fn record(control: &Control, id: String, now: Timestamp) -> anyhow::Result<GatewayRecord> {
    let envelope = Envelope {
        id: ChunkId(id),
        source: "/auscult/control".to_owned(),
        event_type: Envelope::CONTROL.to_owned(),
        time: now,
        machine: control.machine.clone(),
        content_type: Envelope::CONTROL_JSON.to_owned(),
        traceparent: None,
    };
    Ok(GatewayRecord {
        topic: CHUNKS.to_owned(),
        partition: None,
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
