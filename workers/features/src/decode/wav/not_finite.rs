//! Samples of float WAV that are no numbers: what a damaged byte makes of a sample.
//!
//! A few of them are lost samples, and are left out of every channel, as other lost samples are. Many are what an
//! integration or a driver does: they stay, and [`check`](crate::check) refuses the clip.

/// Most samples of a channel that are left out: a few damaged bytes.
const MOST: usize = 16;
/// At most one in so many is left out.
const ONE_IN: usize = 1_000;

/// Leaves out what is no number in any channel, where that is little. Whether it left out any.
pub(super) fn leave_out(channels: &mut [Vec<f32>]) -> bool {
    let most = MOST.min(channels.first().map_or(0, Vec::len) / ONE_IN);
    let mut lost: Vec<usize> = Vec::new();
    for channel in channels.iter() {
        let found = channel.iter().enumerate().filter(|(_, sample)| !sample.is_finite());
        lost.extend(found.map(|(index, _)| index).take(most + 1));
    }
    lost.sort_unstable();
    lost.dedup();
    if lost.is_empty() || lost.len() > most {
        return false;
    }
    for channel in channels {
        let mut index = 0;
        channel.retain(|_| {
            index += 1;
            lost.binary_search(&(index - 1)).is_err()
        });
    }
    true
}
