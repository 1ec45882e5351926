//! Resampling by rubato's synchronous FFT resampler.

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

/// The resampler of one channel from one rate to another; it is used for one recording after the other.
pub struct RatePair(Fft<f32>);

impl RatePair {
    /// Plans the transforms from `from_hz` to `to_hz`, with blocks of `block` samples at `from_hz`, which must be a
    /// multiple of the shortest period that both rates share.
    ///
    /// # Errors
    /// What rubato says.
    pub fn new(from_hz: usize, to_hz: usize, block: usize) -> Result<Self, String> {
        Fft::new_custom(from_hz, to_hz, block, 1, 1, WindowFunction::BlackmanHarris2, FixedSync::Both)
            .map(Self)
            .map_err(|error| error.to_string())
    }

    /// Resamples a whole recording: what `output` held is replaced by the samples at the new rate, aligned with the
    /// input, and by what follows them to the end of the last block. Samples must be finite, and small enough for their
    /// squares to be: rubato panics otherwise.
    ///
    /// # Errors
    /// What rubato says.
    pub fn resample(&mut self, samples: &[f32], output: &mut Vec<f32>) -> Result<(), String> {
        self.0.reset();
        output.clear();
        output.resize(self.0.process_all_needed_output_len(samples.len()), 0.0);
        let capacity = output.len();
        let source = SequentialSlice::new(samples, 1, samples.len()).map_err(|error| error.to_string())?;
        let mut sink = SequentialSlice::new_mut(output, 1, capacity).map_err(|error| error.to_string())?;
        let processed = self.0.process_all_into_buffer(&source, &mut sink, samples.len(), None);
        processed.map(|_| ()).map_err(|error| error.to_string())
    }
}
