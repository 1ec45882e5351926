//! Groups of one machine's recordings: normal ones for training, normal ones for test, each kind of fault.

use std::collections::BTreeMap;

use super::recording::Recording;

/// The kind of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupKind {
    /// Normal training clips.
    TrainNormal,
    /// Normal test clips.
    TestNormal,
    /// A fault, by its name.
    Fault(String),
}

impl GroupKind {
    /// The name for output.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::TrainNormal => "normal, training",
            Self::TestNormal => "normal, test",
            Self::Fault(name) => name,
        }
    }

    /// Whether it is a fault.
    #[must_use]
    pub fn is_abnormal(&self) -> bool {
        matches!(self, Self::Fault(_))
    }
}

/// A group of a machine's recordings.
#[derive(Debug, Clone)]
pub struct Group {
    /// Their kind.
    pub kind: GroupKind,
    /// The readable ones, in the order of their paths.
    pub recordings: Vec<Recording>,
    /// The unreadable ones, with reasons.
    pub unreadable: Vec<String>,
}

/// A machine's recordings.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Its id.
    pub id: String,
    /// Its non-empty groups: normal ones first, then faults by name.
    pub groups: Vec<Group>,
    /// What training would exclude, refuse or note about its clips, one line each.
    pub training: Vec<String>,
}

impl Machine {
    /// All its readable recordings.
    pub fn recordings(&self) -> impl Iterator<Item = &Recording> {
        self.groups.iter().flat_map(|group| &group.recordings)
    }

    /// Number of readable recordings of a kind.
    #[must_use]
    pub fn count(&self, is_counted: impl Fn(&GroupKind) -> bool) -> usize {
        self.groups.iter().filter(|group| is_counted(&group.kind)).map(|group| group.recordings.len()).sum()
    }
}

/// Number of occurrences of each value, the most frequent first: `16000 Hz`, or `16000 Hz (98), 44100 Hz (2)`.
pub fn tally<T: Ord + Copy>(values: impl Iterator<Item = T>, in_words: impl Fn(T) -> String) -> String {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let is_only_one = counts.len() == 1;
    let mut counts: Vec<(T, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let words = counts
        .into_iter()
        .map(|(value, count)| if is_only_one { in_words(value) } else { format!("{} ({count})", in_words(value)) });
    words.collect::<Vec<_>>().join(", ")
}

/// Minimum, median and maximum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Lowest.
    pub low: f64,
    /// Median; for an even number of values the upper one of the two in the middle, so that it is one of the values.
    pub median: f64,
    /// Highest.
    pub high: f64,
}

impl Spread {
    /// `None` if there are no values.
    pub fn of(figures: impl Iterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        let (low, high) = (*figures.first()?, *figures.last()?);
        Some(Self { low, median: figures[figures.len() / 2], high })
    }

    /// `-23.1 (-30.0 to -20.4)`, or one value if all are equal.
    #[must_use]
    pub fn in_words(self, decimals: usize) -> String {
        self.in_words_by(|figure| decimal(figure, decimals))
    }

    /// The same with values formatted by `words`.
    #[must_use]
    pub fn in_words_by(self, words: impl Fn(f64) -> String) -> String {
        let Self { low, median, high } = self;
        let (low, median, high) = (words(low), words(median), words(high));
        if low == high { median } else { format!("{median} ({low} to {high})") }
    }
}

/// A level as text; silence has its own word.
#[must_use]
pub fn decimal(value: f64, decimals: usize) -> String {
    if value == f64::NEG_INFINITY { "silence".to_owned() } else { format!("{value:.decimals$}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_named_and_several_are_counted() {
        let words = |rates: &[u32]| tally(rates.iter().copied(), |rate| format!("{rate} Hz"));
        assert_eq!(words(&[16_000, 16_000]), "16000 Hz");
        assert_eq!(words(&[44_100, 16_000, 16_000]), "16000 Hz (2), 44100 Hz (1)");
        assert_eq!(words(&[]), "");
    }

    #[test]
    fn a_spread_is_told_by_its_median_and_its_ends() {
        let words = |figures: &[f64]| Spread::of(figures.iter().copied()).map(|spread| spread.in_words(1));
        assert_eq!(words(&[3.0, 1.0, 2.0]).as_deref(), Some("2.0 (1.0 to 3.0)"));
        assert_eq!(words(&[3.0, 3.0]).as_deref(), Some("3.0"));
        assert_eq!(words(&[f64::NEG_INFINITY, -20.0]).as_deref(), Some("-20.0 (silence to -20.0)"));
        assert_eq!(words(&[]), None);
    }
}
