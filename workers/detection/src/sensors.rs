//! What is remembered of a machine's sensors: which have been reported as at fault, and how many chunks speak for
//! another report.
//!
//! A sensor that is at fault in `sensor_after` chunks in a row is reported, and once more when it has
//! been well in `clear_after`. A channel that a chunk does not have is not spoken of by that chunk.

use auscult_schemas::{SensorFault, SensorMemory};
use jiff::Timestamp;

use crate::alert_policy::AlertPolicy;

/// What a chunk changes.
#[derive(Debug, PartialEq)]
pub(crate) struct Change {
    /// The first of the consecutive chunks that led to it.
    pub since: Timestamp,
    /// Channels that hear again.
    pub well_again: Vec<usize>,
}

/// Takes one chunk of so many channels into account.
pub(crate) fn advance(
    memory: &mut Vec<SensorMemory>,
    channels: usize,
    faults: &[SensorFault],
    time: Timestamp,
    policy: &AlertPolicy,
) -> Option<Change> {
    let mut since: Option<Timestamp> = None;
    let mut well_again = Vec::new();
    for channel in 0..channels {
        let fault = faults.iter().find(|fault| fault.channel == channel);
        let position = memory.partition_point(|sensor| sensor.channel < channel);
        let is_known = memory.get(position).is_some_and(|sensor| sensor.channel == channel);
        match (fault, is_known) {
            (None, false) => continue,
            (Some(_), false) => memory.insert(position, unknown(channel)),
            (_, true) => {}
        }
        let sensor = &mut memory[position];
        if let Some(fault) = fault {
            sensor.flags.clone_from(&fault.flags);
        }
        if sensor.is_at_fault == fault.is_some() {
            // Nothing new, and whatever spoke against it is over.
            (sensor.streak, sensor.streak_since) = (0, None);
            continue;
        }
        sensor.streak += 1;
        let streak_since = *sensor.streak_since.get_or_insert(time);
        let needed = if fault.is_some() { policy.sensor_after } else { policy.clear_after };
        if sensor.streak < needed {
            continue;
        }
        since = Some(since.map_or(streak_since, |since| since.max(streak_since)));
        if fault.is_some() {
            (sensor.is_at_fault, sensor.since) = (true, Some(streak_since));
            (sensor.streak, sensor.streak_since) = (0, None);
        } else {
            memory.remove(position);
            well_again.push(channel);
        }
    }
    // A sensor that was not reported and is well is like all the others.
    memory.retain(|sensor| sensor.is_at_fault || sensor.streak > 0);
    since.map(|since| Change { since, well_again })
}

fn unknown(channel: usize) -> SensorMemory {
    SensorMemory { channel, is_at_fault: false, flags: Vec::new(), since: None, streak: 0, streak_since: None }
}

/// The channels that have been reported as at fault.
pub(crate) fn reported(memory: &[SensorMemory]) -> Vec<SensorFault> {
    let at_fault = memory.iter().filter(|sensor| sensor.is_at_fault);
    at_fault.map(|sensor| SensorFault { channel: sensor.channel, flags: sensor.flags.clone() }).collect()
}

/// Since when the sensors with these faults have been at fault, where each has been reported with them; `None` where
/// one has not, or there is none.
pub(crate) fn reported_since(memory: &[SensorMemory], faults: &[SensorFault]) -> Option<Timestamp> {
    let since = |fault: &SensorFault| {
        let known = memory.iter().find(|sensor| sensor.channel == fault.channel)?;
        known.since.filter(|_| known.is_at_fault && known.flags == fault.flags)
    };
    faults.iter().map(since).collect::<Option<Vec<Timestamp>>>()?.into_iter().max()
}

/// Whether all that are `listened` to of so many channels have been reported as at fault.
pub(crate) fn hears_nothing(memory: &[SensorMemory], channels: usize, listened: usize) -> bool {
    memory.iter().filter(|sensor| sensor.is_at_fault && sensor.channel < channels).count() == listened
}
