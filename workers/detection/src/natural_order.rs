//! The order in which recorders number their files: `9.wav` comes before `10.wav`.

use std::cmp::Ordering;

/// Compares two names, runs of digits by their value: `clip9` before `clip10`, `2-9` before `2-10`.
///
/// Zeros in front do not count, so padded and plain numbers follow one another (`08`, `9`, `010`). Names that differ in
/// nothing else (`1` and `01`) are ordered by their bytes, so that the order is total. Numbers may have any length.
#[must_use]
pub fn natural_order(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one, other);
    loop {
        let ((text, digits, rest), (other_text, other_digits, other_rest)) = (first_part(left), first_part(right));
        // A name that is the beginning of another comes first: its text has ended where the other has digits.
        let by_text = match (digits.is_empty() && rest.is_empty(), other_digits.is_empty() && other_rest.is_empty()) {
            (true, true) => return text.cmp(other_text).then_with(|| one.cmp(other)),
            _ => text.cmp(other_text),
        };
        let ordering = by_text.then_with(|| by_value(digits, other_digits));
        if ordering != Ordering::Equal {
            return ordering;
        }
        (left, right) = (rest, other_rest);
    }
}

/// Text without digits, digits, and what comes behind them.
fn first_part(name: &str) -> (&str, &str, &str) {
    let (text, from_digit) = name.split_at(name.find(|letter: char| letter.is_ascii_digit()).unwrap_or(name.len()));
    let end = from_digit.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(from_digit.len());
    let (digits, rest) = from_digit.split_at(end);
    (text, digits, rest)
}

/// Of two whole numbers without zeros in front, the one with more digits is the greater. No digits are less than any
/// number.
fn by_value(one: &str, other: &str) -> Ordering {
    let (value, other_value) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
    let has_digits = (!one.is_empty()).cmp(&!other.is_empty());
    has_digits.then(value.len().cmp(&other_value.len())).then_with(|| value.cmp(other_value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted<const N: usize>(mut names: [&str; N]) -> [&str; N] {
        names.sort_by(|one, other| natural_order(one, other));
        names
    }

    #[test]
    fn numbers_in_names_are_ordered_by_their_value() {
        assert_eq!(sorted(["1.wav", "10.wav", "11.wav", "2.wav"]), ["1.wav", "2.wav", "10.wav", "11.wav"]);
        assert_eq!(sorted(["b1", "a10", "a9", "a9-10", "a9-2", "a"]), ["a", "a9", "a9-2", "a9-10", "a10", "b1"]);
        assert_eq!(sorted(["010", "9", "08", "1", "01"]), ["01", "1", "08", "9", "010"]);
        // Longer than any machine's integers.
        let (less, more) = ("20261130125533000000000000000009", "20261130125533000000000000000010");
        assert_eq!(natural_order(less, more), Ordering::Less);
        assert_eq!(natural_order("x99999999999999999999", "x100000000000000000000"), Ordering::Less);
    }

    proptest! {
        #[test]
        fn the_order_is_total(names in prop::collection::vec("[a01 9./-]{0,6}", 3)) {
            let [a, b, c] = &names[..] else { unreachable!("three were asked for") };
            prop_assert_eq!(natural_order(a, b), natural_order(b, a).reverse());
            prop_assert_eq!(natural_order(a, b) == Ordering::Equal, a == b);
            if natural_order(a, b).is_le() && natural_order(b, c).is_le() {
                prop_assert!(natural_order(a, c).is_le());
            }
        }
    }
}
