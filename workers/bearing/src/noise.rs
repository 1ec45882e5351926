//! What noise does to combs: how far theirs scatter where there is no defect.

/// Standard deviation of a comb's excess in noise, nepers: measured on 310 recordings of seven turns and a half without
/// a defect (240 simulated machines, 60 of the MFPT Fault Data Sets, 10 of the CWRU Bearing Data Center), each with up
/// to twelve bearings made up. It falls with the number of lines, and with turns: for long recordings it is an upper
/// bound.
pub(super) fn spread_in_noise(has_sidebands: bool, harmonics: usize) -> f64 {
    const AT_HARMONICS: f64 = 6.0;
    let spread = if has_sidebands { 0.042 } else { 0.079 };
    spread * (AT_HARMONICS / harmonics as f64).sqrt()
}

/// Combs of no defect in one recording.
#[derive(Clone, Copy)]
pub(super) struct Decoys {
    pub mean: f64,
    spread: f64,
}

impl Decoys {
    pub fn of(heights: &[f64]) -> Self {
        let count = heights.len() as f64;
        let mean = heights.iter().sum::<f64>() / count;
        let squares: f64 = heights.iter().map(|height| (height - mean).powi(2)).sum();
        Self { mean, spread: (squares / (count - 1.0)).sqrt() }
    }
}

/// What noise does to the combs of long recordings, nepers: mean and standard deviation of their excess at six
/// harmonics, measured on 240 simulated machines without a defect, sixty turns in segments of 32. Between seven turns
/// and sixty the spread falls by less than the root of the turns, so with that root it is an upper bound for fewer
/// segments, and so it is, left as it is, for more.
///
/// A recording whose own decoys spread further than noise has other lines besides, and is held to that.
pub(super) struct LongNoise {
    pub harmonics: usize,
    /// Segments that the recording holds, without the overlap.
    pub segments: f64,
}

impl LongNoise {
    const SEGMENTS: f64 = 60.0 / 32.0;
    pub const HARMONICS: (f64, f64) = (0.0019, 0.0468);
    pub const BALL: (f64, f64) = (-0.0005, 0.0265);
    pub const INNER_HARMONICS: (f64, f64) = (0.0042, 0.0492);
    pub const INNER_SIDEBANDS: (f64, f64) = (0.0081, 0.0399);
    /// Of the lower of the last two, in their standard deviations.
    pub const LOWER_OF_TWO: (f64, f64) = (-0.658, 0.756);

    pub fn deviation(&self, height: f64, decoys: Decoys, (mean, spread): (f64, f64)) -> f64 {
        let of_harmonics = (6.0 / self.harmonics as f64).sqrt();
        let of_segments = (Self::SEGMENTS / self.segments).sqrt().max(1.0);
        (height - decoys.mean - mean) / (spread * of_harmonics * of_segments).max(decoys.spread)
    }
}
