//! Derives the recording of a piece from its file name.

/// Words before the number of a piece. `section` is not one of them: in DCASE it means a machine.
const WORDS: [&str; 11] =
    ["part", "piece", "segment", "seg", "chunk", "split", "slice", "fragment", "frag", "cut", "teil"];

/// `rec3` for `rec3_part07.wav`, with its folder; `None` if the name does not denote a piece. A counter alone is not
/// enough, because recorders number recordings, too. A name with nothing else, such as `chunk_0001`, is not enough
/// either.
pub(super) fn recording(name: &str) -> Option<String> {
    let (folder, file) = name.rsplit_once(['/', '\\']).unwrap_or(("", name));
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let is_between = |letter: char| matches!(letter, '_' | '-' | ' ' | '.' | '(' | ')' | '#');
    let numbered = stem.trim_end_matches(is_between);
    let counted = numbered.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if counted.len() == numbered.len() {
        return None;
    }
    let counted = counted.trim_end_matches(is_between).to_lowercase();
    let before = WORDS.iter().find_map(|word| counted.strip_suffix(word))?;
    // Matches `rec3_part07` and `Part7`, but not `depart7`.
    let recording = before.trim_end_matches(is_between);
    let is_word = recording.len() < before.len() || recording.ends_with(|letter: char| letter.is_ascii_digit());
    (is_word && !recording.is_empty()).then(|| format!("{folder}/{recording}"))
}

/// The name without its counter and extension, with its folder: `a/rec3` for `a/rec3_0007.wav`.
pub(super) fn series(name: &str) -> String {
    let (folder, file) = name.rsplit_once(['/', '\\']).unwrap_or(("", name));
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let counted = stem.trim_end_matches(|letter: char| letter.is_ascii_digit());
    format!("{folder}/{}", counted.trim_end_matches(['_', '-', ' ', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_what_a_counter_counts() {
        assert_eq!(series("a/rec3_0007.wav"), "a/rec3");
        assert_eq!(series("0007.wav"), "/");
    }

    #[test]
    fn a_piece_is_one_by_a_word_before_its_number() {
        for (name, expected) in [
            ("a/rec3_part07.wav", Some("a/rec3")),
            ("rec3-Part-7.flac", Some("/rec3")),
            ("2024-03-01T10-00-00_seg001.wav", Some("/2024-03-01t10-00-00")),
            ("fan (chunk 12).wav", Some("/fan")),
            ("00000012.wav", None),
            ("normal_id_00_00000012.wav", None),
            ("section_00_source_train_normal_0001.wav", None),
            ("chunk_0001.wav", None),
            ("depart7.wav", None),
            ("rec_part.wav", None),
        ] {
            assert_eq!(recording(name).as_deref(), expected, "{name}");
        }
    }
}
