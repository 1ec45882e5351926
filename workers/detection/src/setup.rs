//! What is remembered of the notes about how a machine is recorded: which have been reported, and how many chunks speak
//! for another report.
//!
//! A note that `sensor_after` chunks in a row have is reported once, and once more when `clear_after` in a row are
//! without it.

use auscult_schemas::{Note, SetupMemory};
use jiff::Timestamp;

use crate::alert_policy::AlertPolicy;

/// Takes one chunk's notes into account; the first of the consecutive chunks that led to a report, where there is one.
pub(crate) fn advance(
    memory: &mut Vec<SetupMemory>,
    notes: &[Note],
    time: Timestamp,
    policy: &AlertPolicy,
) -> Option<Timestamp> {
    for Note { kind, words, remedy } in notes {
        match memory.iter_mut().find(|known| known.kind == *kind) {
            Some(known) => {
                known.words.clone_from(words);
                known.remedy.clone_from(remedy);
            }
            None => memory.push(SetupMemory {
                kind: *kind,
                words: words.clone(),
                remedy: remedy.clone(),
                is_reported: false,
                since: None,
                streak: 0,
                streak_since: None,
            }),
        }
    }
    memory.sort_by_key(|known| known.kind);
    let mut since: Option<Timestamp> = None;
    memory.retain_mut(|known| {
        let is_noted = notes.iter().any(|note| note.kind == known.kind);
        if known.is_reported == is_noted {
            // Nothing new, and whatever spoke against it is over.
            (known.streak, known.streak_since) = (0, None);
            return known.is_reported;
        }
        known.streak += 1;
        let streak_since = *known.streak_since.get_or_insert(time);
        let needed = if is_noted { policy.sensor_after } else { policy.clear_after };
        if known.streak < needed {
            return true;
        }
        since = Some(since.map_or(streak_since, |since| since.max(streak_since)));
        (known.is_reported, known.since) = (is_noted, Some(streak_since));
        (known.streak, known.streak_since) = (0, None);
        is_noted
    });
    since
}

/// The notes that have been reported and stand.
pub(crate) fn reported(memory: &[SetupMemory]) -> Vec<Note> {
    memory.iter().filter(|known| known.is_reported).map(note).collect()
}

fn note(known: &SetupMemory) -> Note {
    Note { kind: known.kind, words: known.words.clone(), remedy: known.remedy.clone() }
}
