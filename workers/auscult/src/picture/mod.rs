//! Pictures that a person can read: a log-mel spectrogram, and how a model's scores separate normal from abnormal.

mod axis;
mod canvas;
mod evaluation;
mod spectrogram;

pub use canvas::Canvas;
pub use evaluation::{ScorePicture, draw_scores};
pub use spectrogram::{SpectrogramPicture, draw_spectrogram};
