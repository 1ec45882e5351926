//! A multiset with access by rank.

/// Values in ascending order, in blocks of bounded length: an insertion or removal moves the elements of one block
/// only.
#[derive(Debug, Clone, Default)]
pub(crate) struct OrderedMultiset<T> {
    /// No block is empty.
    blocks: Vec<Vec<T>>,
    len: usize,
}

impl<T: Copy + Ord> OrderedMultiset<T> {
    /// A block that reaches this length is split in half.
    const MAX_BLOCK: usize = 512;

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn insert(&mut self, value: T) {
        self.len += 1;
        let block = self.blocks.partition_point(|block| block.last().is_some_and(|last| *last < value));
        // Greater than all others: at the end of the last block.
        let block = block.min(self.blocks.len().saturating_sub(1));
        let Some(values) = self.blocks.get_mut(block) else {
            self.blocks.push(vec![value]);
            return;
        };
        values.insert(values.partition_point(|other| *other < value), value);
        if values.len() >= Self::MAX_BLOCK {
            let upper = values.split_off(values.len() / 2);
            self.blocks.insert(block + 1, upper);
        }
    }

    /// Removes one element equal to this one. Returns whether there was one.
    pub(crate) fn remove(&mut self, value: T) -> bool {
        let block = self.blocks.partition_point(|block| block.last().is_some_and(|last| *last < value));
        let Some(values) = self.blocks.get_mut(block) else { return false };
        let Ok(position) = values.binary_search(&value) else { return false };
        values.remove(position);
        if values.is_empty() {
            self.blocks.remove(block);
        }
        self.len -= 1;
        true
    }

    /// Replaces one element by another; either may be absent.
    pub(crate) fn replace(&mut self, before: Option<T>, after: Option<T>) {
        if before == after {
            return;
        }
        if let Some(before) = before {
            let was_there = self.remove(before);
            debug_assert!(was_there, "what is replaced was added before");
        }
        if let Some(after) = after {
            self.insert(after);
        }
    }

    /// The element with this many elements below it, in ascending order.
    pub(crate) fn nth(&self, mut rank: usize) -> Option<T> {
        for block in &self.blocks {
            if let Some(value) = block.get(rank) {
                return Some(*value);
            }
            rank -= block.len();
        }
        None
    }

    /// The element of this rank if `removed`, which must be present, were removed and `added` inserted.
    pub(crate) fn nth_with(&self, rank: usize, removed: Option<T>, added: T) -> Option<T> {
        let without = |rank: usize| match (self.nth(rank)?, removed) {
            (value, Some(removed)) if value >= removed => self.nth(rank + 1),
            (value, _) => Some(value),
        };
        let above = without(rank).map_or(added, |value| value.min(added));
        let below = rank.checked_sub(1).and_then(without);
        let len = self.len + 1 - usize::from(removed.is_some());
        (rank < len).then(|| below.map_or(above, |below| below.max(above)))
    }

    /// Number of elements equal to or above this value.
    pub(crate) fn count_from(&self, value: T) -> usize {
        let block = self.blocks.partition_point(|block| block.last().is_some_and(|last| *last < value));
        let Some(values) = self.blocks.get(block) else { return 0 };
        let below = values.partition_point(|other| *other < value);
        self.blocks[block..].iter().map(Vec::len).sum::<usize>() - below
    }
}

/// A number in the order of [`f64::total_cmp`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TotalF64(pub f64);

impl PartialEq for TotalF64 {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for TotalF64 {}

impl PartialOrd for TotalF64 {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TotalF64 {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_rank_and_count_is_that_of_a_sorted_list(
            added in prop::collection::vec(0..400_u16, 0..3000),
            removed in prop::collection::vec(any::<prop::sample::Index>(), 0..1500),
            other in 0..400_u16,
        ) {
            let (mut multiset, mut sorted) = (OrderedMultiset::default(), added.clone());
            added.iter().for_each(|value| multiset.insert(*value));
            for index in removed {
                if !sorted.is_empty() {
                    let value = sorted.swap_remove(index.index(sorted.len()));
                    prop_assert!(multiset.remove(value));
                }
            }
            sorted.sort_unstable();
            prop_assert!(!multiset.remove(400));
            prop_assert_eq!(multiset.len(), sorted.len());
            let ranks: Vec<_> = (0..=sorted.len()).map(|rank| multiset.nth(rank)).collect();
            prop_assert_eq!(ranks, sorted.iter().copied().map(Some).chain([None]).collect::<Vec<_>>());
            prop_assert_eq!(multiset.count_from(other), sorted.iter().filter(|value| **value >= other).count());

            for removed in [None, sorted.get(sorted.len() / 3).copied()] {
                let mut changed = sorted.clone();
                changed.extend([other]);
                if let Some(removed) = removed {
                    let position = changed.iter().position(|value| *value == removed).unwrap();
                    changed.remove(position);
                }
                changed.sort_unstable();
                for rank in 0..=changed.len() {
                    prop_assert_eq!(multiset.nth_with(rank, removed, other), changed.get(rank).copied());
                }
            }
        }
    }
}
