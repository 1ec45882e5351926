//! One channel of one FLAC frame: constant, verbatim, or a predictor with Rice-coded residuals (RFC 9639, section 9.2).
//!
//! Samples are held as `i64` throughout: the side channel of a 32-bit stereo frame needs 33 bits.

use super::bits::BitReader;

/// Decodes a subframe of samples of `bits` bits (4 to 33) into `samples`. `None`: the bits are no subframe, or end too
/// soon.
pub(super) fn decode(reader: &mut BitReader<'_>, bits: u32, samples: &mut [i64]) -> Option<()> {
    let header = reader.unsigned(8)?;
    if header & 0x80 != 0 {
        return None;
    }
    let has_wasted_bits = header & 1 != 0;
    let wasted = if has_wasted_bits { u32::try_from(reader.unary()?).ok()?.checked_add(1)? } else { 0 };
    let bits = bits.checked_sub(wasted).filter(|&bits| bits > 0)?;
    match (header >> 1) & 0x3F {
        0 => samples.fill(reader.signed(bits)?),
        1 => verbatim(reader, bits, samples)?,
        order @ 8..=12 => fixed(reader, bits, (order - 8) as usize, samples)?,
        order @ 32..=63 => linear(reader, bits, (order - 31) as usize, samples)?,
        _ => return None,
    }
    if wasted > 0 {
        samples.iter_mut().for_each(|sample| *sample <<= wasted);
    }
    Some(())
}

fn verbatim(reader: &mut BitReader<'_>, bits: u32, samples: &mut [i64]) -> Option<()> {
    for sample in samples {
        *sample = reader.signed(bits)?;
    }
    Some(())
}

fn fixed(reader: &mut BitReader<'_>, bits: u32, order: usize, samples: &mut [i64]) -> Option<()> {
    verbatim(reader, bits, samples.get_mut(..order)?)?;
    residuals(reader, order, samples)?;
    match order {
        0 => {}
        1 => predict::<1>([1], 0, samples),
        2 => predict::<2>([-1, 2], 0, samples),
        3 => predict::<3>([1, -3, 3], 0, samples),
        _ => predict::<4>([-1, 4, -6, 4], 0, samples),
    }
    Some(())
}

fn linear(reader: &mut BitReader<'_>, bits: u32, order: usize, samples: &mut [i64]) -> Option<()> {
    verbatim(reader, bits, samples.get_mut(..order)?)?;
    let precision = reader.unsigned(4)? as u32 + 1;
    let is_reserved = precision == 16;
    // A negative shift is forbidden by the RFC.
    let shift = u32::try_from(reader.signed(5)?).ok()?;
    if is_reserved {
        return None;
    }
    // Oldest sample first, as in `samples`; the stream has the newest first.
    let mut coefficients = [0; 32];
    let coefficients = &mut coefficients[..order];
    for coefficient in coefficients.iter_mut().rev() {
        *coefficient = reader.signed(precision)?;
    }
    residuals(reader, order, samples)?;
    // Known orders are unrolled by the compiler; 8 and 12 are what encoders choose by default.
    match order {
        8 => predict::<8>(coefficients.try_into().expect("eight coefficients"), shift, samples),
        12 => predict::<12>(coefficients.try_into().expect("twelve coefficients"), shift, samples),
        _ => {
            for index in order..samples.len() {
                let (past, now) = samples.split_at_mut(index);
                let past = &past[index - order..];
                now[0] = now[0].wrapping_add(dot(coefficients, past) >> shift);
            }
        }
    }
    Some(())
}

/// Adds the prediction to each residual after the first `N` samples.
fn predict<const N: usize>(coefficients: [i64; N], shift: u32, samples: &mut [i64]) {
    for index in N..samples.len() {
        let past: &[i64; N] = samples[index - N..index].try_into().expect("N samples were taken");
        let predicted = dot(&coefficients, past) >> shift;
        samples[index] = samples[index].wrapping_add(predicted);
    }
}

/// Wrapping: a damaged frame may overflow before its checksum tells.
#[inline]
fn dot(coefficients: &[i64], past: &[i64]) -> i64 {
    coefficients.iter().zip(past).fold(0_i64, |sum, (&c, &sample)| sum.wrapping_add(c.wrapping_mul(sample)))
}

/// The residuals of all samples but the first `order`: partitions of equal length, each with a Rice parameter of its
/// own.
fn residuals(reader: &mut BitReader<'_>, order: usize, samples: &mut [i64]) -> Option<()> {
    let parameter_bits = match reader.unsigned(2)? {
        0 => 4,
        1 => 5,
        _ => return None,
    };
    let partition_order = reader.unsigned(4)? as u32;
    let partition = samples.len() >> partition_order;
    if partition << partition_order != samples.len() || partition < order || partition == 0 {
        return None;
    }
    let escape = (1 << parameter_bits) - 1;
    let mut start = order;
    for end in (partition..=samples.len()).step_by(partition) {
        let residuals = &mut samples[start..end];
        let parameter = reader.unsigned(parameter_bits)? as u32;
        if parameter == escape {
            let bits = reader.unsigned(5)? as u32;
            verbatim(reader, bits, residuals)?;
        } else {
            for residual in residuals {
                // A run of zeros is no longer than a value's bits, so that this cannot overflow.
                let folded = reader.unary()? << parameter | reader.unsigned(parameter)?;
                *residual = (folded >> 1) as i64 ^ -((folded & 1) as i64);
            }
        }
        start = end;
    }
    Some(())
}
