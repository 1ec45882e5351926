//! Sorts files in the order of recording, by the numbers in their names: 1, 2, …, 9, 10, 11.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use auscult_detection::natural_order;

/// Sorts files and folders, component by component, with numbers by value: `day2/1.wav` before `day10/1.wav`.
pub fn sort_paths(paths: &mut [PathBuf]) {
    paths.sort_by(|one, other| compare_paths(one, other));
}

/// The order of [`sort_paths`].
#[must_use]
pub fn compare_paths(one: &Path, other: &Path) -> Ordering {
    let mut others = other.components();
    for component in one.components() {
        let Some(other_component) = others.next() else { return Ordering::Greater };
        let (name, other_name) =
            (component.as_os_str().to_string_lossy(), other_component.as_os_str().to_string_lossy());
        let ordering = natural_order(&name, &other_name);
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    if others.next().is_some() { Ordering::Less } else { one.cmp(other) }
}

/// A shell sorts the files of `*.wav` by characters: `1`, `10`, `11`, `2`. This function sorts such a list, and no
/// other, in the order of [`sort_paths`]. A list in any other order is intentional and is kept.
///
/// Returns whether anything was moved.
pub fn undo_shell_order(paths: &mut [PathBuf]) -> bool {
    let is_in_natural_order = paths.is_sorted_by(|one, other| compare_paths(one, other).is_le());
    if is_in_natural_order || !(is_sorted_by_letters(paths, str::to_owned) || is_sorted_by_letters(paths, collation)) {
        return false;
    }
    sort_paths(paths);
    true
}

fn is_sorted_by_letters(paths: &[PathBuf], key: impl Fn(&str) -> String) -> bool {
    let keys: Vec<String> = paths.iter().map(|path| key(&path.to_string_lossy())).collect();
    keys.is_sorted()
}

/// Most locales compare letters and digits first, ignoring case.
fn collation(path: &str) -> String {
    path.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn folders_are_ordered_by_their_numbers_too() {
        let mut files = paths(&["d/day10/1.wav", "d/day2/10.wav", "d/day2/9.wav", "d/day2-b/1.wav"]);
        sort_paths(&mut files);
        assert_eq!(files, paths(&["d/day2/9.wav", "d/day2/10.wav", "d/day2-b/1.wav", "d/day10/1.wav"]));
    }

    #[test]
    fn the_shells_order_is_undone_and_a_persons_own_is_kept() {
        let mut by_shell = paths(&["1.wav", "10.wav", "11.wav", "12.wav", "2.wav"]);
        assert!(undo_shell_order(&mut by_shell));
        assert_eq!(by_shell, paths(&["1.wav", "2.wav", "10.wav", "11.wav", "12.wav"]));
        assert!(!undo_shell_order(&mut by_shell), "nothing is left to be moved");

        let mut whatever_case = paths(&["a_10.wav", "A_1.wav", "a_2.wav"]);
        assert!(undo_shell_order(&mut whatever_case));
        assert_eq!(whatever_case, paths(&["A_1.wav", "a_2.wav", "a_10.wav"]));

        let own = paths(&["12.wav", "2.wav", "1.wav"]);
        let mut kept = own.clone();
        assert!(!undo_shell_order(&mut kept));
        assert_eq!(kept, own);
    }
}
