//! Which stretches of a spectrogram are looked at.

/// Frames of a patch: a second of sound with the default hop.
pub const PATCH_FRAMES: usize = 32;

/// Frames from one patch to the next, at most.
const STRIDE: usize = 16;

/// The first rows of the patches of a spectrogram: spread evenly from its beginning to its end, each overlapping its
/// neighbour by half or more. None where it has fewer than [`PATCH_FRAMES`] rows.
#[must_use]
pub fn patch_starts(rows: usize) -> Vec<usize> {
    let Some(last) = rows.checked_sub(PATCH_FRAMES) else { return Vec::new() };
    let steps = last.div_ceil(STRIDE);
    [0].into_iter().chain((1..=steps).map(|step| step * last / steps)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_reach_from_the_first_row_to_the_last_and_leave_no_gap() {
        assert!(patch_starts(31).is_empty());
        assert_eq!(patch_starts(32), [0]);
        assert_eq!(patch_starts(33), [0, 1]);
        for rows in 34..400 {
            let starts = patch_starts(rows);
            assert_eq!(starts.first(), Some(&0));
            assert_eq!(starts.last(), Some(&(rows - PATCH_FRAMES)));
            assert!(starts.windows(2).all(|pair| (1..=STRIDE).contains(&(pair[1] - pair[0]))), "{rows}: {starts:?}");
        }
    }
}
