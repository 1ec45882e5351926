//! Check of partitions: is each machine on one partition only?

use auscult_runtime::machine_places::{Divided, MachinePlaces, listed};

use super::{Finding, Findings};

const CHECK: &str = "partitions";
/// Maximum number of machines listed.
const NAMED: usize = 5;

/// Checks the partitions of machines.
pub(super) fn judge(places: &MachinePlaces) -> Vec<Finding> {
    let mut findings = Findings::of("machines");
    let count = places.machines().count();
    if count == 0 {
        findings.unknown(CHECK, "no machine has a state yet");
        return findings.list;
    }
    let (heard, left): (Vec<Divided>, Vec<Divided>) =
        places.divided().into_iter().partition(|divided| !divided.heard_on.is_empty());
    if !heard.is_empty() {
        let named = |divided: &Divided| format!("{} on {}", divided.machine, listed(divided.heard_on.iter().copied()));
        findings.wrong(
            CHECK,
            format!("{} of {count} machines are heard on two partitions or more: {}", heard.len(), some(&heard, named)),
            "each partition has a state of its own, and neither hears all chunks: give all producers of a machine one partitioner \
             (docs/clients.md), then retire the state that is left behind: auscult control MACHINE retire --partition N --by NAME",
        );
    }
    if !left.is_empty() {
        let named = |divided: &Divided| {
            let behind = divided.places[1..].iter().map(|place| place.partition);
            format!("{} on {} (lives on {})", divided.machine, listed(behind), divided.places[0].partition)
        };
        findings.warning(
            CHECK,
            format!("{} of {count} machines have left states behind: {}", left.len(), some(&left, named)),
            "they have moved to another partition, and may be reported silent on the old one: auscult control MACHINE retire --partition N \
             --by NAME (docs/operations/partitions.md)",
        );
    }
    findings.ok_if_sound(CHECK, format!("each of {count} machines lives on one partition"));
    findings.list
}

fn some(divided: &[Divided], named: impl Fn(&Divided) -> String) -> String {
    let first: Vec<String> = divided.iter().take(NAMED).map(named).collect();
    let more = divided.len().saturating_sub(NAMED);
    let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
    first.join(", ") + &rest
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    fn judged(states: &[(&str, i32, &str)]) -> Vec<Finding> {
        let mut places = MachinePlaces::default();
        for (machine, partition, heard) in states {
            let state = format!("{{\"last_heard\":\"2026-11-28T{heard}:00Z\"}}");
            places.note(*partition, Some(machine.as_bytes()), Some(state.as_bytes()));
        }
        judge(&places)
    }

    #[test]
    fn a_machine_that_is_heard_on_two_partitions_is_wrong_and_one_that_has_moved_a_warning() {
        assert_eq!(judged(&[])[0].outcome, Outcome::Unknown);
        assert_eq!(judged(&[("fan-1", 0, "10:00"), ("fan-2", 1, "10:00")])[0].outcome, Outcome::Ok);
        let found =
            judged(&[("fan-1", 0, "10:00"), ("fan-1", 1, "10:01"), ("fan-1", 0, "10:02"), ("fan-2", 1, "10:00")]);
        assert!(found.len() == 1 && found[0].outcome == Outcome::Wrong, "{found:?}");
        assert!(found[0].says.contains("1 of 2 machines") && found[0].says.contains("fan-1 on 0 and 1"), "{found:?}");
        let found = judged(&[("fan-1", 0, "10:00"), ("fan-1", 1, "11:00"), ("fan-1", 1, "11:30")]);
        assert!(found.len() == 1 && found[0].outcome == Outcome::Warning, "{found:?}");
        assert!(
            found[0].says.contains("fan-1 on 0 (lives on 1)") && found[0].todo.contains("--partition N"),
            "{found:?}"
        );
    }
}
