//! Draws a log-mel spectrogram: time from left to right in s, frequency from bottom to top in Hz on the mel scale,
//! level as colour in dB.

use embedded_graphics::pixelcolor::Rgb888;
use ndarray::ArrayView2;

use super::axis::{label, ticks};
use super::canvas::{Anchor, Canvas, GREY, INK, LETTER_WIDTH, shortened};

/// What to draw.
#[derive(Debug, Clone)]
pub struct SpectrogramPicture<'a> {
    /// `[frames, mels]`, dB.
    pub log_mel: ArrayView2<'a, f32>,
    /// From one frame to the next, s.
    pub hop_s: f64,
    /// Each mel band's centre, Hz, ascending, `[mels]`.
    pub band_centres_hz: &'a [f64],
    /// First line: the subject.
    pub title: &'a str,
    /// Second line: how it was computed.
    pub subtitle: &'a str,
    /// The reference of 0 dB, for the colour bar: `dB (fixed)`.
    pub unit: &'a str,
}

/// Approximate width and height of the plot, pixels.
const PLOT_WIDTH: usize = 960;
const PLOT_HEIGHT: usize = 420;
/// Range of the colours below the maximum, dB.
const DEPTH_DB: f32 = 80.0;

const LEFT: i32 = 64;
const TOP: i32 = 84;
const BAR_GAP: i32 = 28;
const BAR_WIDTH: i32 = 18;
const RIGHT: i32 = BAR_GAP + BAR_WIDTH + 56;
const BOTTOM: i32 = 52;

/// Draws the picture. If a clip has more frames than the plot has columns, each column shows its loudest frame, so that
/// no click is lost.
#[must_use]
pub fn draw_spectrogram(picture: &SpectrogramPicture<'_>) -> Canvas {
    let (frames, mels) = picture.log_mel.dim();
    let columns = frames.clamp(1, PLOT_WIDTH);
    let column_width = (PLOT_WIDTH / columns).clamp(1, 24) as i32;
    let row_height = (PLOT_HEIGHT / mels.max(1)).max(1) as i32;
    let plot_width = columns as i32 * column_width;
    let plot_height = mels as i32 * row_height;
    // Titles need space even if the clip is short.
    let width = (LEFT + plot_width + RIGHT).max(560);
    let mut canvas = Canvas::new(width as u32, (TOP + plot_height + BOTTOM) as u32);

    let letters = |pixels: i32| (pixels / LETTER_WIDTH) as usize;
    canvas.title(16, 22, &shortened(picture.title, ((width - 32) / 9) as usize));
    canvas.text(16, 44, Anchor::Left, GREY, &shortened(picture.subtitle, letters(width - 32)));

    let range = Range::of(picture.log_mel);
    for column in 0..columns {
        for mel in 0..mels {
            let loudest = loudest_frame(picture.log_mel, mel, column, columns);
            let x = LEFT + column as i32 * column_width;
            let y = TOP + plot_height - (mel as i32 + 1) * row_height;
            canvas.fill(x, y, column_width, row_height, color(range.share(loudest)));
        }
    }
    canvas.frame(LEFT - 1, TOP - 1, plot_width + 2, plot_height + 2, INK);

    draw_time_axis(&mut canvas, frames as f64 * picture.hop_s, plot_width, TOP + plot_height);
    draw_frequency_axis(&mut canvas, picture.band_centres_hz, plot_height, row_height);
    draw_color_bar(&mut canvas, &range, LEFT + plot_width + BAR_GAP, plot_height, picture.unit);
    canvas
}

/// Draws the colours only, one pixel per frame and band, for a page that draws its own axes and scales the picture.
///
/// `low_db..=high_db` is an argument, so that clips side by side can be compared. If there are more frames than
/// `most_columns`, each column shows its loudest frame.
#[must_use]
pub fn draw_cells(log_mel: ArrayView2<'_, f32>, low_db: f32, high_db: f32, most_columns: usize) -> Canvas {
    let (frames, mels) = log_mel.dim();
    let range = Range { low_db, high_db };
    let columns = frames.min(most_columns).max(1);
    let mut canvas = Canvas::new(columns as u32, mels.max(1) as u32);
    for column in 0..columns {
        for mel in 0..mels {
            let loudest = loudest_frame(log_mel, mel, column, columns);
            canvas.fill(column as i32, (mels - 1 - mel) as i32, 1, 1, color(range.share(loudest)));
        }
    }
    canvas
}

/// The level of one of `columns` equal parts of a clip: that of its loudest frame.
fn loudest_frame(log_mel: ArrayView2<'_, f32>, mel: usize, column: usize, columns: usize) -> f32 {
    let frames = log_mel.nrows();
    let first = column * frames / columns;
    let last = ((column + 1) * frames / columns).max(first + 1).min(frames);
    (first..last).map(|frame| log_mel[[frame, mel]]).fold(f32::NEG_INFINITY, f32::max)
}

fn draw_time_axis(canvas: &mut Canvas, duration_s: f64, plot_width: i32, bottom: i32) {
    let marks = ticks(0.0, duration_s, (plot_width / 80).max(2) as usize);
    let step = if marks.len() > 1 { marks[1] - marks[0] } else { 1.0 };
    for mark in &marks {
        let x = LEFT + (mark / duration_s * f64::from(plot_width)).round() as i32;
        canvas.line((x, bottom + 1), (x, bottom + 5), INK, 1);
        canvas.text(x, bottom + 14, Anchor::Centre, INK, &label(*mark, step));
    }
    canvas.text(LEFT + plot_width / 2, bottom + 34, Anchor::Centre, INK, "time, s");
}

fn draw_frequency_axis(canvas: &mut Canvas, centres_hz: &[f64], plot_height: i32, row_height: i32) {
    const MARKS_HZ: [f64; 14] = [
        50.0, 100.0, 250.0, 500.0, 1_000.0, 1_500.0, 2_000.0, 3_000.0, 4_000.0, 6_000.0, 8_000.0, 12_000.0, 16_000.0,
        24_000.0,
    ];
    canvas.text(LEFT, TOP - 14, Anchor::Right, INK, "Hz");
    let mut free_below = i32::MAX;
    for hz in MARKS_HZ {
        let Some(row) = row_of(hz, centres_hz) else { continue };
        let y = TOP + plot_height - ((row + 0.5) * f64::from(row_height)).round() as i32;
        if y + 14 > free_below {
            continue;
        }
        free_below = y;
        canvas.line((LEFT - 6, y), (LEFT - 2, y), INK, 1);
        let text = if hz < 1000.0 { format!("{hz:.0}") } else { format!("{}k", hz / 1000.0) };
        canvas.text(LEFT - 10, y, Anchor::Right, INK, &text);
    }
}

/// The position of a frequency among the bands: 0 is the centre of the first one. `None` more than half a band outside.
pub(crate) fn row_of(hz: f64, centres_hz: &[f64]) -> Option<f64> {
    let above = centres_hz.iter().position(|centre| *centre >= hz).unwrap_or(centres_hz.len());
    // Outside, the outermost pair is extrapolated.
    let upper = above.clamp(1, centres_hz.len().checked_sub(1).filter(|last| *last > 0)?);
    let (low, high) = (centres_hz[upper - 1], centres_hz[upper]);
    let row = (upper - 1) as f64 + (hz - low) / (high - low);
    (-0.5..=centres_hz.len() as f64).contains(&row).then(|| row.min(centres_hz.len() as f64 - 0.5))
}

fn draw_color_bar(canvas: &mut Canvas, range: &Range, left: i32, height: i32, unit: &str) {
    for step in 0..height {
        let share = 1.0 - step as f32 / (height - 1).max(1) as f32;
        canvas.fill(left, TOP + step, BAR_WIDTH, 1, color(share));
    }
    canvas.frame(left - 1, TOP - 1, BAR_WIDTH + 2, height + 2, INK);
    let (low, high) = (f64::from(range.low_db), f64::from(range.high_db));
    for mark in ticks(low, high, (height / 36).max(2) as usize) {
        let y = TOP + ((high - mark) / (high - low) * f64::from(height - 1)).round() as i32;
        canvas.line((left + BAR_WIDTH + 1, y), (left + BAR_WIDTH + 5, y), INK, 1);
        canvas.text(left + BAR_WIDTH + 9, y, Anchor::Left, INK, &label(mark, 1.0));
    }
    canvas.text(left + BAR_WIDTH + 46, TOP - 14, Anchor::Right, INK, unit);
}

/// The range of the colours, dB.
struct Range {
    low_db: f32,
    high_db: f32,
}

impl Range {
    /// From the maximum, rounded up to 5 dB, down to the minimum, limited to [`DEPTH_DB`].
    fn of(log_mel: ArrayView2<'_, f32>) -> Self {
        let (low, high) = log_mel
            .iter()
            .filter(|value| value.is_finite())
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)));
        if low > high {
            return Self { low_db: -DEPTH_DB, high_db: 0.0 };
        }
        let high_db = (high / 5.0).ceil() * 5.0;
        let low_db = ((low / 5.0).floor() * 5.0).max(high_db - DEPTH_DB);
        Self { low_db, high_db: high_db.max(low_db + 5.0) }
    }

    fn share(&self, db: f32) -> f32 {
        ((db - self.low_db) / (self.high_db - self.low_db)).clamp(0.0, 1.0)
    }
}

/// Magma: dark is quiet, bright is loud; it works in greyscale and for most forms of colour blindness.
fn color(share: f32) -> Rgb888 {
    let color = colorous::MAGMA.eval_continuous(f64::from(share));
    Rgb888::new(color.r, color.g, color.b)
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    fn picture(log_mel: &Array2<f32>, centres_hz: &[f64]) -> Canvas {
        draw_spectrogram(&SpectrogramPicture {
            log_mel: log_mel.view(),
            hop_s: 0.032,
            band_centres_hz: centres_hz,
            title: "Lüfter 7.wav",
            subtitle: "64 mel bands",
            unit: "dB",
        })
    }

    #[test]
    fn a_loud_band_is_light_at_its_own_height_and_the_rest_is_dark() {
        let mut log_mel = Array2::from_elem((100, 8), -80.0);
        log_mel.column_mut(2).fill(0.0);
        let canvas = picture(&log_mel, &[100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0]);
        let row_height = (PLOT_HEIGHT / 8) as u32;
        let middle_of = |band: u32| TOP as u32 + (7 - band) * row_height + row_height / 2;
        let brightness = |band| {
            let pixel = canvas.pixel(LEFT as u32 + 40, middle_of(band)).unwrap();
            pixel.map(u32::from).iter().sum::<u32>()
        };
        assert!(brightness(2) > 600, "{}", brightness(2));
        assert!(brightness(1) < 60 && brightness(3) < 60);
    }

    #[test]
    fn one_click_in_a_long_recording_stays_visible() {
        let mut log_mel = Array2::from_elem((50_000, 4), -60.0);
        log_mel.row_mut(25_000).fill(0.0);
        let canvas = picture(&log_mel, &[100.0, 200.0, 300.0, 400.0]);
        let y = TOP as u32 + 10;
        let lit = (LEFT as u32..LEFT as u32 + PLOT_WIDTH as u32)
            .filter(|x| canvas.pixel(*x, y).unwrap().map(u32::from).iter().sum::<u32>() > 600)
            .count();
        assert_eq!(lit, 1);
    }

    #[test]
    fn frequencies_lie_between_their_neighbours_centres() {
        let centres = [100.0, 200.0, 400.0];
        assert_eq!(row_of(100.0, &centres), Some(0.0));
        assert_eq!(row_of(300.0, &centres), Some(1.5));
        assert_eq!(row_of(500.0, &centres), Some(2.5));
        assert_eq!(row_of(2000.0, &centres), None);
        assert_eq!(row_of(100.0, &[100.0]), None);
    }

    #[test]
    fn the_picture_is_a_png_of_its_own_size() {
        let canvas = picture(&Array2::zeros((3, 2)), &[100.0, 200.0]);
        let bytes = canvas.png().unwrap();
        let reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        assert_eq!((reader.info().width, reader.info().height), canvas.dimensions());
    }

    #[test]
    fn cells_are_a_pixel_each_low_bands_below_and_a_click_is_kept_when_columns_are_few() {
        let mut log_mel = Array2::from_elem((100, 3), -80.0);
        log_mel[[57, 0]] = 0.0;
        let canvas = draw_cells(log_mel.view(), -80.0, 0.0, 10);
        assert_eq!(canvas.dimensions(), (10, 3));
        assert_ne!(
            canvas.pixel(5, 2),
            canvas.pixel(4, 2),
            "frame 57 of 100 is in column 5 of 10, band 0 in the lowest row"
        );
        assert_eq!(canvas.pixel(5, 1), canvas.pixel(4, 1));
    }

    #[test]
    fn silence_and_a_single_frame_are_drawn_too() {
        let _ = picture(&Array2::from_elem((1, 1), f32::NEG_INFINITY), &[100.0]);
        let _ = picture(&Array2::from_elem((40, 64), -100.0), &[1.0; 64]);
    }
}
