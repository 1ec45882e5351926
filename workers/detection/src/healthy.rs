//! Which channels of a clip are judged: those whose sensor hears the machine.

use std::borrow::Cow;

use auscult_schemas::SensorFault;
use ndarray::Array2;

use crate::clip::ClipView;
use crate::is_chosen;

/// A clip without the channels whose sensor is at fault.
#[derive(Debug, Clone)]
pub struct HealthyClip<'a> {
    /// The channels that are left, as the clip numbers them, ascending.
    pub channels: Vec<usize>,
    /// Spectrogram frames of each.
    pub frames: usize,
    /// Mel bands of each frame.
    pub mels: usize,
    /// `[channels, frames, mels]`, row-major, dB; the clip's own where no sensor is at fault.
    pub values: Cow<'a, [f32]>,
}

impl<'a> HealthyClip<'a> {
    /// Each channel's spectrogram, `[frames, mels]`, dB: what a model is trained with.
    #[must_use]
    pub fn spectrograms(&self) -> Vec<Array2<f32>> {
        let of_channel = |channel: &[f32]| {
            Array2::from_shape_vec((self.frames, self.mels), channel.to_vec()).expect("a channel is frames times mels")
        };
        self.values.chunks_exact(self.frames * self.mels).map(of_channel).collect()
    }

    /// What is left of a clip's chosen channels (`None`: of all that it has); `None` where no channel is.
    #[must_use]
    pub fn of(clip: &ClipView<'a>, chosen: Option<&[usize]>, faults: &[SensorFault]) -> Option<Self> {
        let ClipView { frames, mels, values, .. } = *clip;
        let is_judged =
            |channel: &usize| is_chosen(*channel, chosen) && faults.iter().all(|fault| fault.channel != *channel);
        let channels: Vec<usize> = (0..clip.channels).filter(is_judged).collect();
        if channels.is_empty() {
            return None;
        }
        let size = frames * mels;
        let values = if channels.len() == clip.channels {
            Cow::Borrowed(values)
        } else {
            let of_channel = |channel: &usize| &values[channel * size..(channel + 1) * size];
            Cow::Owned(channels.iter().flat_map(of_channel).copied().collect())
        };
        Some(Self { channels, frames, mels, values })
    }

    /// As a model takes it to judge.
    #[must_use]
    pub fn view(&self) -> ClipView<'_> {
        let Self { channels, frames, mels, values } = self;
        ClipView { channels: channels.len(), frames: *frames, mels: *mels, values }
    }
}

#[cfg(test)]
mod tests {
    use auscult_schemas::QualityFlag;

    use super::*;

    #[test]
    fn the_channels_at_fault_are_left_out_and_the_others_keep_their_order() {
        let values: Vec<f32> = (0..12_u8).map(f32::from).collect();
        let clip = ClipView { channels: 3, frames: 2, mels: 2, values: &values };
        let fault = |channel| SensorFault { channel, flags: vec![QualityFlag::Silent] };
        let left = HealthyClip::of(&clip, None, &[fault(1)]).unwrap();
        assert_eq!((left.view().channels, left.channels.as_slice()), (2, [0, 2].as_slice()));
        assert_eq!(left.view().values, [0.0, 1.0, 2.0, 3.0, 8.0, 9.0, 10.0, 11.0]);
        let whole = HealthyClip::of(&clip, None, &[]).unwrap();
        assert!(matches!(whole.values, Cow::Borrowed(_)), "nothing is copied where no sensor is at fault");
        assert!(HealthyClip::of(&clip, None, &[fault(0), fault(2), fault(1)]).is_none());
        let chosen = HealthyClip::of(&clip, Some(&[0, 2]), &[fault(0)]).unwrap();
        assert_eq!((chosen.channels.as_slice(), chosen.view().values), ([2].as_slice(), &values[8..]));
        assert!(HealthyClip::of(&clip, Some(&[2]), &[fault(2)]).is_none(), "the others are not chosen");
    }
}
