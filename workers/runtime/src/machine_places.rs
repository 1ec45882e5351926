//! The partitions of machines: on which partitions `audio.scorer-state` has a state of each machine, and which machines
//! send chunks to two of them.
//!
//! ```text
//!   a machine's states over event time        partition 1  ●──●──●──●──●──●──●
//!                                             partition 3        ●──●──●──●   on both: two gateways, two partitioners
//!
//!   after partitions were added               partition 1  ●──●──●
//!                                             partition 9           ●──●──●──●  it has moved, and left a state behind
//! ```

use std::collections::BTreeMap;

use auscult_schemas::MachineId;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::record::Record;

/// A chunk on another partition counts as simultaneous for this time after the latest chunk on a partition, however
/// short the cadence.
const BESIDE: SignedDuration = SignedDuration::from_mins(15);
/// The same in chunks, for machines that send rarely.
const BESIDE_CADENCES: f64 = 4.0;

/// A partition with a state of a machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// The partition.
    pub partition: i32,
    /// The first time of a chunk there, from the retained states.
    pub first_heard: Option<Timestamp>,
    /// The last one.
    pub last_heard: Option<Timestamp>,
    cadence_s: Option<f64>,
}

/// A machine with states on several partitions.
#[derive(Debug, Clone, PartialEq)]
pub struct Divided {
    /// The machine.
    pub machine: MachineId,
    /// Its partitions, the one with the latest chunk first.
    pub places: Vec<Place>,
    /// Those on which it currently sends, in the same order: empty if it has only left states behind.
    pub heard_on: Vec<i32>,
    /// Whether a partition other than the newest had a chunk a short time ago, so that it is not known yet whether the
    /// machine sends to two.
    pub is_undecided: bool,
}

/// The partitions of all noted machines.
#[derive(Debug, Clone, Default)]
pub struct MachinePlaces(BTreeMap<MachineId, BTreeMap<i32, Place>>);

/// The fields of a state that are read; other fields are ignored.
#[derive(Deserialize)]
struct PartialState {
    last_heard: Option<Timestamp>,
    cadence_s: Option<f64>,
    retired: Option<IgnoredAny>,
}

impl MachinePlaces {
    /// Notes a record of `audio.scorer-state`; records of one partition must be in order. A retired or deleted state is
    /// removed.
    pub fn note(&mut self, partition: i32, key: Option<&[u8]>, value: Option<&[u8]>) {
        let key = key.and_then(|key| std::str::from_utf8(key).ok());
        let Some(machine) = key.and_then(|key| MachineId::new(key).ok()) else { return };
        let glimpse = value.map(serde_json::from_slice::<PartialState>);
        let places = self.0.entry(machine).or_default();
        let Some(glimpse) = glimpse.filter(|glimpse| glimpse.as_ref().map_or(true, |state| state.retired.is_none()))
        else {
            places.remove(&partition);
            return;
        };
        let new = Place { partition, first_heard: None, last_heard: None, cadence_s: None };
        let place = places.entry(partition).or_insert(new);
        // An unreadable state still counts: its worker starts it again.
        let Ok(state) = glimpse else { return };
        place.cadence_s = state.cadence_s;
        if let Some(heard) = state.last_heard {
            place.first_heard = Some(place.first_heard.map_or(heard, |first| first.min(heard)));
            place.last_heard = Some(place.last_heard.map_or(heard, |last| last.max(heard)));
        }
    }

    /// Like [`MachinePlaces::note`], for a record from a reader.
    pub fn note_record(&mut self, record: &Record) {
        self.note(record.coordinates.partition, record.key.as_deref(), record.value.as_deref());
    }

    /// The partitions with a state of a machine, the one with the latest chunk first.
    #[must_use]
    pub fn of(&self, machine: &MachineId) -> Vec<Place> {
        self.0.get(machine).map(in_order).unwrap_or_default()
    }

    /// All machines with a state.
    pub fn machines(&self) -> impl Iterator<Item = &MachineId> {
        self.0.iter().filter(|(_, places)| !places.is_empty()).map(|(machine, _)| machine)
    }

    /// The machines with states on several partitions.
    #[must_use]
    pub fn divided(&self) -> Vec<Divided> {
        let several = self.0.iter().filter(|(_, places)| places.len() > 1);
        several.map(|(machine, places)| divided(machine.clone(), in_order(places))).collect()
    }
}

fn in_order(places: &BTreeMap<i32, Place>) -> Vec<Place> {
    let mut places: Vec<Place> = places.values().copied().collect();
    places.sort_by_key(|place| (std::cmp::Reverse(place.last_heard), place.partition));
    places
}

fn divided(machine: MachineId, places: Vec<Place>) -> Divided {
    let newest = places[0];
    let mut heard_on = Vec::new();
    let mut is_undecided = false;
    for place in &places[1..] {
        let times = (newest.first_heard, newest.last_heard, place.first_heard, place.last_heard);
        let (Some(newest_first), Some(newest_last), Some(first), Some(last)) = times else { continue };
        let of_cadence = place.cadence_s.map_or(0.0, |cadence| cadence * BESIDE_CADENCES);
        let beside = BESIDE.max(SignedDuration::try_from_secs_f64(of_cadence).unwrap_or(SignedDuration::MAX));
        if newest_last.duration_since(last) > beside {
            continue;
        }
        // Each has chunks after the start of the other; for a machine that has moved, only the new partition has.
        if last > newest_first && newest_last > first {
            heard_on.push(place.partition);
        } else {
            is_undecided = true;
        }
    }
    if !heard_on.is_empty() {
        heard_on.insert(0, newest.partition);
    }
    Divided { machine, places, heard_on, is_undecided }
}

/// `1 and 3`, `1, 2 and 3`.
#[must_use]
pub fn listed(partitions: impl IntoIterator<Item = i32>) -> String {
    let numbers: Vec<String> = partitions.into_iter().map(|partition| partition.to_string()).collect();
    match numbers.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => numbers.concat(),
    }
}

/// The key of a machine's records.
#[must_use]
pub fn key_of(machine: &MachineId) -> Bytes {
    Bytes::from(machine.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// States of fan-1: partition and the minute in which it was heard.
    fn noted(states: &[(i32, i64)]) -> MachinePlaces {
        let mut places = MachinePlaces::default();
        for (partition, minute) in states {
            let heard = Timestamp::from_second(1_700_000_000 + minute * 60).unwrap();
            let state = format!("{{\"chunks\":7,\"last_heard\":\"{heard}\",\"cadence_s\":60.0}}");
            places.note(*partition, Some(b"fan-1"), Some(state.as_bytes()));
        }
        places
    }

    fn heard_on(states: &[(i32, i64)]) -> Vec<i32> {
        noted(states).divided().first().map(|divided| divided.heard_on.clone()).unwrap_or_default()
    }

    fn fan() -> MachineId {
        MachineId::new("fan-1").unwrap()
    }

    #[test]
    fn a_machine_that_two_gateways_send_to_two_partitions_is_heard_on_both() {
        assert_eq!(heard_on(&[(1, 0), (3, 1), (1, 2), (3, 3)]), [3, 1]);
        // One stray record in the middle of another partition's.
        assert_eq!(heard_on(&[(1, 0), (1, 1), (3, 2), (1, 3)]), [1, 3]);
        // Partitions are read one after the other, and compaction leaves the latest state of what is old.
        assert_eq!(heard_on(&[(1, 2), (1, 4), (3, 1), (3, 3), (3, 5)]), [3, 1]);
    }

    #[test]
    fn a_machine_that_has_moved_is_heard_on_one_partition_and_has_left_a_state_behind() {
        let moved = noted(&[(1, 0), (1, 1), (9, 2), (9, 3)]).divided();
        assert_eq!((moved[0].heard_on.len(), moved[0].places.len(), moved[0].is_undecided), (0, 2, true));
        assert_eq!(moved[0].places[0].partition, 9, "where it was heard last");
        let long_ago = noted(&[(1, 0), (1, 1), (9, 2), (9, 90)]).divided();
        assert!(long_ago[0].heard_on.is_empty() && !long_ago[0].is_undecided);
        // It was heard on both once.
        assert!(heard_on(&[(1, 0), (3, 1), (1, 2), (3, 90)]).is_empty());
    }

    #[test]
    fn a_machine_that_is_seldom_heard_has_more_time() {
        let mut places = MachinePlaces::default();
        for (partition, hour) in [(1, 0), (3, 1), (1, 24), (3, 25)] {
            let heard = Timestamp::from_second(1_700_000_000 + hour * 3600).unwrap();
            let state = format!("{{\"last_heard\":\"{heard}\",\"cadence_s\":86400.0}}");
            places.note(partition, Some(b"fan-1"), Some(state.as_bytes()));
        }
        assert_eq!(places.divided()[0].heard_on, [3, 1]);
    }

    #[test]
    fn a_state_that_was_retired_or_deleted_is_no_place() {
        for last in [None, Some(&b"{\"retired\":{\"by\":\"anna\",\"since\":\"2026-11-28T10:00:00Z\"}}"[..])] {
            let mut places = noted(&[(1, 0), (3, 1), (1, 2), (3, 3)]);
            places.note(1, Some(b"fan-1"), last);
            assert!(places.divided().is_empty());
            assert_eq!(places.of(&fan()).len(), 1);
            places.note(3, Some(b"fan-1"), last);
            assert!(places.of(&fan()).is_empty() && places.machines().next().is_none());
        }
    }

    #[test]
    fn a_state_that_cannot_be_read_is_a_place_all_the_same() {
        let mut places = MachinePlaces::default();
        places.note(2, Some(b"fan-1"), Some(b"no JSON"));
        places.note(2, Some(b"\xff"), Some(b"{}"));
        places.note(2, None, Some(b"{}"));
        assert_eq!(places.of(&fan())[0].partition, 2);
        assert_eq!(places.machines().count(), 1);
        assert_eq!(
            (listed([1]), listed([1, 3]), listed([1, 2, 3])),
            ("1".into(), "1 and 3".into(), "1, 2 and 3".into())
        );
    }
}
