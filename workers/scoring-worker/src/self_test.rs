//! Test of a model before use: it must be able to score noise and silence.

use auscult_detection::{ClipView, Model};

/// Additional frames of a test clip beyond one vector; half a second at the default hop.
const MORE_FRAMES: usize = 15;

/// Scores a short clip of noise and one of silence.
///
/// # Errors
/// What is wrong with the scores.
pub(crate) fn self_test(model: &Model) -> Result<(), String> {
    let spec = &model.manifest().feature_spec;
    let frames = spec.frames + MORE_FRAMES;
    // Varying levels between -60 and -20 dB; the exact values do not matter.
    let noise: Vec<f32> = (0..frames * spec.n_mels).map(|index| -20.0 - ((index * 37) % 41) as f32).collect();
    let silence = vec![-100.0; frames * spec.n_mels];
    let views = [&noise, &silence].map(|values| ClipView { channels: 1, frames, mels: spec.n_mels, values });
    let judged = model.judge(&views).map_err(|error| format!("it cannot judge noise or silence: {error}"))?;
    let is_sound = judged.iter().all(|judgement| {
        [judgement.score, judgement.p_value, judgement.health_index].iter().all(|figure| figure.is_finite())
    });
    if is_sound { Ok(()) } else { Err("it judges noise or silence with what is no number".to_owned()) }
}
