//! Buffers of samples that are used again.

/// Samples that all kept buffers together have room for: 2^22, 16 MiB. That is four minutes of one channel at 16 kHz,
/// or sixteen channels of a quarter of a minute; whatever is sent, a worker keeps no more.
const MOST_KEPT: usize = 1 << 22;

/// Buffers of channels that were decoded earlier. A fresh buffer of a chunk's size costs a page fault for each 4 KiB,
/// which is more than the decoding.
#[derive(Debug, Default)]
pub(crate) struct SampleBuffers {
    kept: Vec<Vec<f32>>,
}

impl SampleBuffers {
    /// An empty buffer for so many samples.
    pub(super) fn take(&mut self, samples: usize) -> Vec<f32> {
        let mut buffer = self.kept.pop().unwrap_or_default();
        buffer.clear();
        buffer.reserve_exact(samples);
        buffer
    }

    /// Keeps the channels of a clip that is done with, as far as there is room.
    pub(crate) fn give_back(&mut self, channels: Vec<Vec<f32>>) {
        let mut kept: usize = self.kept.iter().map(Vec::capacity).sum();
        self.kept.extend(channels.into_iter().filter(|channel| {
            let fits = channel.capacity() > 0 && kept + channel.capacity() <= MOST_KEPT;
            kept += if fits { channel.capacity() } else { 0 };
            fits
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_and_a_huge_one_is_not_kept() {
        let mut buffers = SampleBuffers::default();
        let mut first = buffers.take(1_000);
        first.extend([0.5; 700]);
        let place = first.as_ptr();
        buffers.give_back(vec![first, Vec::with_capacity(MOST_KEPT)]);
        let again = buffers.take(900);
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
        assert!(buffers.kept.is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded_whatever_comes() {
        let mut buffers = SampleBuffers::default();
        for _ in 0..10 {
            buffers.give_back((0..3).map(|_| Vec::with_capacity(MOST_KEPT / 5)).collect());
        }
        assert_eq!(buffers.kept.len(), 5);
    }
}
