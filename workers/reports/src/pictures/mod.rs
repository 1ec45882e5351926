//! PNG pictures: a log-mel spectrogram, and how a model's scores separate normal from abnormal.

mod axis;
mod canvas;
mod evaluation;
mod spectrogram;

pub(crate) use axis::{label, ticks};
pub use canvas::Canvas;
pub use evaluation::{ScorePicture, draw_scores};
pub(crate) use spectrogram::row_of;
pub use spectrogram::{SpectrogramPicture, draw_cells, draw_spectrogram};
