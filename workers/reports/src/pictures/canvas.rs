//! RGB pixels, drawn with embedded-graphics and written with the png crate.

use std::convert::Infallible;
use std::io;

use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::{FONT_7X13, FONT_9X18_BOLD};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{Line, PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};

pub(super) const INK: Rgb888 = Rgb888::new(32, 32, 36);
pub(super) const GREY: Rgb888 = Rgb888::new(120, 120, 128);
pub(super) const FAINT: Rgb888 = Rgb888::new(224, 224, 230);

/// Width of a character of [`Canvas::text`], pixels.
pub(super) const LETTER_WIDTH: i32 = 7;

/// A picture: `width × height` RGB pixels, initially white.
#[derive(Debug, Clone)]
pub struct Canvas {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

/// The position of a text relative to its point.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    /// The point is its left end.
    Left,
    /// The point is its middle.
    Centre,
    /// The point is its right end.
    Right,
}

impl Canvas {
    /// A white canvas.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Self {
        Self { width, height, rgb: vec![255; width as usize * height as usize * 3] }
    }

    /// The picture as the bytes of a PNG file: 8-bit RGB.
    ///
    /// # Errors
    /// If the encoder fails, which does not happen in memory.
    pub fn png(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(io::Error::other)?;
        writer.write_image_data(&self.rgb).map_err(io::Error::other)?;
        writer.finish().map_err(io::Error::other)?;
        Ok(bytes)
    }

    /// A pixel's colour; `None` outside.
    #[must_use]
    pub fn pixel(&self, x: u32, y: u32) -> Option<[u8; 3]> {
        let inside = x < self.width && y < self.height;
        let index = (y as usize * self.width as usize + x as usize) * 3;
        inside.then(|| [self.rgb[index], self.rgb[index + 1], self.rgb[index + 2]])
    }

    /// Width and height, pixels.
    #[must_use]
    pub fn dimensions(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    pub(super) fn fill(&mut self, x: i32, y: i32, width: i32, height: i32, color: Rgb888) {
        let size = Size::new(width.max(0) as u32, height.max(0) as u32);
        let Ok(()) = Rectangle::new(Point::new(x, y), size).into_styled(PrimitiveStyle::with_fill(color)).draw(self);
    }

    pub(super) fn frame(&mut self, x: i32, y: i32, width: i32, height: i32, color: Rgb888) {
        let size = Size::new(width.max(0) as u32, height.max(0) as u32);
        let style = PrimitiveStyle::with_stroke(color, 1);
        let Ok(()) = Rectangle::new(Point::new(x, y), size).into_styled(style).draw(self);
    }

    pub(super) fn line(&mut self, from: (i32, i32), to: (i32, i32), color: Rgb888, width: u32) {
        let style = PrimitiveStyle::with_stroke(color, width);
        let Ok(()) = Line::new(from.into(), to.into()).into_styled(style).draw(self);
    }

    /// Draws text centred vertically. Characters missing from the built-in fonts (they contain Latin-1) become `?`.
    pub(super) fn text(&mut self, x: i32, y: i32, anchor: Anchor, color: Rgb888, text: &str) {
        self.write(x, y, anchor, MonoTextStyle::new(&FONT_7X13, color), text);
    }

    pub(super) fn title(&mut self, x: i32, y: i32, text: &str) {
        self.write(x, y, Anchor::Left, MonoTextStyle::new(&FONT_9X18_BOLD, INK), text);
    }

    fn write(&mut self, x: i32, y: i32, anchor: Anchor, style: MonoTextStyle<'_, Rgb888>, text: &str) {
        let alignment = match anchor {
            Anchor::Left => Alignment::Left,
            Anchor::Centre => Alignment::Center,
            Anchor::Right => Alignment::Right,
        };
        let layout = TextStyleBuilder::new().alignment(alignment).baseline(Baseline::Middle).build();
        let Ok(_) = Text::with_text_style(text, Point::new(x, y), style, layout).draw(self);
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width, self.height)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(point, color) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(point.x), u32::try_from(point.y)) else { continue };
            if x < self.width && y < self.height {
                let index = (y as usize * self.width as usize + x as usize) * 3;
                self.rgb[index..index + 3].copy_from_slice(&[color.r(), color.g(), color.b()]);
            }
        }
        Ok(())
    }
}

/// Shortens a text to this many characters, with an ellipsis in its middle, because the ends of a file name are the
/// most informative.
pub(super) fn shortened(text: &str, letters: usize) -> String {
    let count = text.chars().count();
    if count <= letters {
        return text.to_owned();
    }
    let keep = letters.saturating_sub(3);
    let (head, tail) = (keep.div_ceil(2), keep / 2);
    let head: String = text.chars().take(head).collect();
    let tail: String = text.chars().skip(count - tail).collect();
    format!("{head}...{tail}")
}
