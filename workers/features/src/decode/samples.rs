//! Bytes to planes of samples, and what lost bytes do to them.

use super::SampleBuffers;

/// Sound out of interleaved bytes.
#[derive(Debug, PartialEq)]
pub(super) struct Samples {
    /// `[channels][samples]`.
    pub(super) channels: Vec<Vec<f32>>,
    /// Bytes were missing inside, and the samples behind the gap were put right.
    pub(super) is_mended: bool,
}

/// Splits interleaved samples of `N` bytes into one plane per channel.
///
/// A last block that is not whole (a writer was killed, a byte got lost) is left out. Where bytes got lost *inside*,
/// every sample behind the gap would be made of bytes of two: such a tail is recognised and read from its other end.
pub(super) fn read<const N: usize>(
    data: &[u8],
    channels: usize,
    buffers: &mut SampleBuffers,
    convert: impl Fn([u8; N]) -> f32,
) -> Samples {
    let block = N * channels;
    let torn = data.len() % block;
    let from_start = &data[..data.len() - torn];
    let from_end = &data[torn..];
    let split = match torn % N {
        // Whole samples of some channels are left: either end is in step.
        0 => from_start.len(),
        _ => find_gap(from_start, from_end, block, &convert),
    };
    let (head, tail) = (&from_start[..split], &from_end[split..]);
    let planes = (0..channels).map(|channel| {
        let mut plane = buffers.take((head.len() + tail.len()) / block);
        for part in [head, tail] {
            let samples = part.as_chunks::<N>().0;
            match channels {
                // One channel without strides is converted in vector registers.
                1 => plane.extend(samples.iter().map(|&sample| convert(sample))),
                _ => plane.extend(samples.iter().skip(channel).step_by(channels).map(|&sample| convert(sample))),
            }
        }
        plane
    });
    Samples { channels: planes.collect(), is_mended: !tail.is_empty() }
}

/// Blocks behind a gap from which on the gap is believed: fewer are hardly a loss.
const FEWEST_BLOCKS: usize = 64;
/// How much larger the steps behind the gap must be, taken from the start: this many powers of two times the square
/// root of the samples, four times what chance does to sound that is equally rough either way.
const CLEARLY_LARGER: f64 = 12.0;

/// The byte from which on the samples are right when counted from the end, not from the start. Sound changes little
/// from sample to sample; samples made of bytes of two jump. All of `from_start` if that is right to the end.
fn find_gap<const N: usize>(
    from_start: &[u8],
    from_end: &[u8],
    block: usize,
    convert: &impl Fn([u8; N]) -> f32,
) -> usize {
    let blocks = from_start.len() / block;
    let cost_of = |bytes: &[u8], index: usize, channel: usize| {
        let sample = |index: usize| -> [u8; N] {
            let at = index * block + channel * N;
            bytes[at..at + N].try_into().expect("N bytes were taken")
        };
        let (value, last) = (convert(sample(index)), convert(sample(index - 1)));
        // Float of two samples' bytes has exponents of any size; no sensor has. Most of 64 bits then become zero in 32.
        let vanished = N == 8 && value == 0.0 && sample(index)[..N - 1].iter().any(|&byte| byte != 0);
        let is_absurd = vanished || value != 0.0 && !(1e-15..1e15).contains(&value.abs());
        let step = if is_absurd { f32::from(i8::MAX) } else { ((value - last).abs().min(1e15) + 1e-9).log2() };
        // 16-bit sound in a wider format has a lowest byte of zero, which a step cannot tell from quieter sound.
        let is_padded = N >= 3 && sample(index)[0] == 0;
        step - if is_padded { 16.0 } else { 0.0 }
    };
    // Cost of a gap before a block, relative to one before the first.
    let (mut cost, mut lowest, mut best) = (0.0_f64, 0.0, 0);
    for index in 1..blocks {
        for channel in 0..block / N {
            cost += f64::from(cost_of(from_start, index, channel) - cost_of(from_end, index, channel));
        }
        if cost < lowest {
            (lowest, best) = (cost, index + 1);
        }
    }
    let behind = blocks.saturating_sub(best);
    let samples = (behind * (block / N)) as f64;
    let is_clear = behind >= FEWEST_BLOCKS && cost - lowest > CLEARLY_LARGER * samples.sqrt();
    if is_clear { best * block } else { from_start.len() }
}

/// Where an integer's sample stands in its container.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Bits above the sample, which are not the sample's.
    spare_above: u32,
    /// One step, full scale being 1.
    step: f32,
}

impl Place {
    /// The sample of a container's value; both in 32 bits.
    pub(super) fn sample(self, value: i32) -> f32 {
        (value << self.spare_above >> self.spare_above) as f32 * self.step
    }
}

/// Finds where the samples stand in containers of `container_bits`, of which `valid_bits` are theirs.
///
/// A container of 8 or more spare bits has them below the sample (the standard), or above it: ALSA's `S24_LE` fills
/// them with the sign, Rust's hound with zeros, and the headers of both say what others say of the standard. The
/// samples tell: bits above that are only sign or only zero, bits below that are only zero. Where both holds, or
/// neither, the header decides.
pub(super) fn place<const N: usize>(
    data: &[u8],
    widen: fn([u8; N]) -> i32,
    container_bits: u32,
    valid_bits: u32,
    is_right_justified: bool,
) -> Place {
    let spare = container_bits - valid_bits.min(container_bits);
    let values = || data.as_chunks::<N>().0.iter().map(|&sample| i64::from(widen(sample)));
    let is_right_justified = spare >= 8 && {
        let largest = 1_i64 << (valid_bits - 1);
        let has_sign_above = values().all(|value| (-largest..largest).contains(&value));
        let has_zeros_above = values().all(|value| (0..2 * largest).contains(&value)) && {
            // Values just below zero became the largest ones: such sound leaps where it crosses zero.
            let as_it_is = values().zip(values().skip(1)).map(|(last, next)| (next - last).abs());
            let signed = || values().map(|value| if value < largest { value } else { value - 2 * largest });
            let with_sign = signed().zip(signed().skip(1)).map(|(last, next)| (next - last).abs());
            with_sign.sum::<i64>() < as_it_is.sum::<i64>() / 2
        };
        let has_zeros_below = values().all(|value| value.trailing_zeros() >= spare);
        has_zeros_above || if has_sign_above == has_zeros_below { is_right_justified } else { has_sign_above }
    };
    // A container of fewer than 32 bits is widened with its sign.
    let above = if is_right_justified { 32 - valid_bits } else { 0 };
    let bits = if is_right_justified { valid_bits } else { container_bits };
    Place { spare_above: above, step: (-(f64::from(bits) - 1.0)).exp2() as f32 }
}
