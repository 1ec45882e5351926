//! Joins train and test folders of one machine that were unpacked beside each other, as DCASE's archives are:
//! `eval_data_valve_train/valve/train` and `eval_data_valve_test/valve/test`.

use std::path::Path;

use super::MachineClips;
use super::files::file_name;

/// Joins each machine that has only training clips with the one of the same folder name, id or section that has none.
///
/// If several match, the pair that is closest in the tree is joined; if this is ambiguous, they are not joined.
pub(super) fn join(machines: Vec<MachineClips>, root: &Path, remarks: &mut Vec<String>) -> Vec<MachineClips> {
    let mut joined: Vec<Option<MachineClips>> = machines.into_iter().map(Some).collect();
    for test in 0..joined.len() {
        let Some(train) = joined[test].as_ref().filter(|machine| is_test_half(machine)).and_then(|test_half| {
            let closest_train = closest(test_half, &joined, is_train_half)?;
            let back = closest(joined[closest_train].as_ref()?, &joined, is_test_half)?;
            (back == test).then_some(closest_train)
        }) else {
            continue;
        };
        let test_half = joined[test].take().expect("it was there when its partner was looked for");
        let train_half = joined[train].as_mut().expect("a partner is there");
        let within = |folder: &Path| folder.strip_prefix(root).unwrap_or(folder).display().to_string();
        remarks.push(format!(
            "{}: training clips of {} and test clips of {} are taken for one machine's",
            train_half.id,
            within(&train_half.folder),
            within(&test_half.folder)
        ));
        train_half.take_test_clips(test_half);
    }
    joined.into_iter().flatten().collect()
}

/// The closest machine of the same name for which `is_half` holds; `None` if two are equally close.
fn closest(
    machine: &MachineClips,
    others: &[Option<MachineClips>],
    is_half: fn(&MachineClips) -> bool,
) -> Option<usize> {
    let mut best: Option<(usize, (usize, bool))> = None;
    let mut is_tie = false;
    for (index, other) in others.iter().enumerate() {
        let Some(other) = other else { continue };
        if !is_half(other) || name(other) != name(machine) || other.folder == machine.folder {
            continue;
        }
        let shared = (shared_components(&machine.folder, &other.folder), are_twins(&machine.folder, &other.folder));
        match best {
            Some((_, most)) if shared < most => {}
            Some((_, most)) if shared == most => is_tie = true,
            _ => (best, is_tie) = (Some((index, shared)), false),
        }
    }
    best.filter(|_| !is_tie).map(|(index, _)| index)
}

/// The folder's own name, and the id or section: the common properties of both halves of a machine.
fn name(machine: &MachineClips) -> (String, Option<&str>) {
    (file_name(&machine.folder), machine.dcase.as_ref().map(|name| name.number.as_str()))
}

fn is_train_half(machine: &MachineClips) -> bool {
    !machine.train_normal.is_empty() && machine.test_clips() == 0
}

fn is_test_half(machine: &MachineClips) -> bool {
    machine.train_normal.is_empty() && machine.test_clips() > 0
}

/// Whether two paths differ only in `train` and `test`: `dev_0dB_train/fan` and `dev_0dB_test/fan`.
fn are_twins(a: &Path, b: &Path) -> bool {
    let without_part = |path: &Path| path.to_string_lossy().replace("train", "").replace("test", "");
    without_part(a) == without_part(b)
}

fn shared_components(a: &Path, b: &Path) -> usize {
    a.iter().zip(b.iter()).take_while(|(a, b)| a == b).count()
}
