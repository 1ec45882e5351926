//! Plots as inline SVG: axes, grid, lines, areas, bars. Colours are classes of the style sheet, which supports light
//! and dark mode.

use super::axis::Axis;
use super::html::{Element, Html, element};

/// Size of a plot in its own units, which are pixels if the page is wide enough.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 330.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 46.0;

/// A plot under construction. Later elements are drawn over earlier ones.
#[derive(Debug)]
pub struct Plot {
    /// Text alternative for screen readers.
    description: String,
    x: Axis,
    y: Axis,
    marks: Vec<Element>,
}

impl Plot {
    /// An empty plot with its grid.
    pub fn new(description: impl Into<String>, x: Axis, y: Axis) -> Self {
        let mut plot = Self { description: description.into(), x, y, marks: Vec::new() };
        plot.grid();
        plot
    }

    /// A curve through these points.
    #[must_use]
    pub fn line(mut self, class: &'static str, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let points = self.path(points);
        self.marks.push(element("polyline").with("class", format!("line {class}")).with("points", points));
        self
    }

    /// The area between these points and the low end of the y axis.
    #[must_use]
    pub fn area(mut self, class: &'static str, points: &[(f64, f64)]) -> Self {
        let floor = self.y.value(0.0);
        if let (Some(first), Some(last)) = (points.first(), points.last()) {
            let outline = points.iter().copied().chain([(last.0, floor), (first.0, floor)]);
            let points = self.path(outline);
            self.marks.push(element("polygon").class(class).with("points", points));
        }
        self
    }

    /// The area between two curves over the same x values: `(x, low, high)`.
    #[must_use]
    pub fn band(mut self, class: &'static str, points: &[(f64, f64, f64)]) -> Self {
        let upper = points.iter().map(|(x, _, high)| (*x, *high));
        let lower = points.iter().rev().map(|(x, low, _)| (*x, *low));
        let points = self.path(upper.chain(lower));
        self.marks.push(element("polygon").class(class).with("points", points));
        self
    }

    /// A bar from the low end of the y axis; `from` and `to` are positions on the x axis within 0..=1.
    #[must_use]
    pub fn bar(mut self, class: &'static str, from: f64, to: f64, height: f64) -> Self {
        let (x, width) = (LEFT + from * inner_width(), (to - from) * inner_width());
        let (top, bottom) = (self.y_of(height), self.y_of(self.y.value(0.0)));
        let bar = element("rect").class(class).with("x", rounded(x)).with("width", rounded(width));
        self.marks.push(bar.with("y", rounded(top)).with("height", rounded(bottom - top)));
        self
    }

    /// A labelled vertical line.
    #[must_use]
    pub fn vertical(mut self, class: &'static str, at: f64, name: &str) -> Self {
        let x = self.x_of(at);
        self.marks.push(line(class, (x, TOP), (x, HEIGHT - BOTTOM)));
        // On the side with more space.
        let (text_x, anchor) = if x > WIDTH * 0.7 { (x - 5.0, "end") } else { (x + 5.0, "start") };
        self.marks.push(text(text_x, TOP + 12.0, anchor).text(name));
        self
    }

    /// An unlabelled horizontal line.
    #[must_use]
    pub fn horizontal(mut self, class: &'static str, at: f64) -> Self {
        let y = self.y_of(at);
        self.marks.push(line(class, (LEFT, y), (WIDTH - RIGHT, y)));
        self
    }

    /// A labelled dot.
    #[must_use]
    pub fn dot(mut self, at: (f64, f64), name: &str) -> Self {
        let (x, y) = (self.x_of(at.0), self.y_of(at.1));
        self.marks.push(element("circle").class("dot").with("cx", rounded(x)).with("cy", rounded(y)).with("r", 4.5));
        let (text_x, anchor) = if x > WIDTH * 0.7 { (x - 9.0, "end") } else { (x + 9.0, "start") };
        let text_y = (y + 16.0).min(HEIGHT - BOTTOM - 6.0);
        self.marks.push(text(text_x, text_y, anchor).text(name));
        self
    }

    /// The finished picture.
    #[must_use]
    pub fn svg(self) -> Html {
        let frame = element("rect").class("frame").with("x", LEFT).with("y", TOP);
        let frame = frame.with("width", inner_width()).with("height", inner_height());
        let middle = (LEFT + inner_width() / 2.0, TOP + inner_height() / 2.0);
        let x_name = text(middle.0, HEIGHT - 8.0, "middle").class("soft").text(&self.x.name);
        let y_name = text(14.0, middle.1, "middle").class("soft").text(&self.y.name);
        let y_name = y_name.with("transform", format!("rotate(-90 14 {})", rounded(middle.1)));
        let svg = element("svg").class("plot").with("viewBox", format!("0 0 {WIDTH} {HEIGHT}")).with("role", "img");
        svg.with("aria-label", &self.description).children(self.marks).child(frame).child(x_name).child(y_name).into()
    }

    fn grid(&mut self) {
        for (at, label) in self.x.ticks.clone() {
            let x = self.x_of(at);
            self.marks.push(line("grid", (x, TOP), (x, HEIGHT - BOTTOM)));
            self.marks.push(text(x, HEIGHT - BOTTOM + 16.0, "middle").text(label));
        }
        for (at, label) in self.y.ticks.clone() {
            let y = self.y_of(at);
            self.marks.push(line("grid", (LEFT, y), (WIDTH - RIGHT, y)));
            self.marks.push(text(LEFT - 6.0, y + 4.0, "end").text(label));
        }
    }

    fn x_of(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * inner_width()
    }

    fn y_of(&self, value: f64) -> f64 {
        TOP + (1.0 - self.y.place(value)) * inner_height()
    }

    fn path(&self, points: impl IntoIterator<Item = (f64, f64)>) -> String {
        let places = points.into_iter().map(|(x, y)| format!("{},{}", rounded(self.x_of(x)), rounded(self.y_of(y))));
        places.collect::<Vec<_>>().join(" ")
    }
}

/// The legend of a plot: the class and name of each line.
pub fn legend<'a>(entries: impl IntoIterator<Item = (&'static str, &'a str)>) -> Html {
    let entries = entries.into_iter().map(|(class, name)| {
        let sample = line(class, (0.0, 5.0), (26.0, 5.0)).with("style", "stroke-width: 3");
        let picture = element("svg").with("viewBox", "0 0 26 10").with("aria-hidden", "true").child(sample);
        element("span").child(picture).text(name)
    });
    element("div").class("legend").children(entries).into()
}

/// A plot with its caption.
pub fn figure(plot: impl Into<Html>, caption: &str) -> Html {
    element("figure").child(plot).child(element("figcaption").text(caption)).into()
}

fn inner_width() -> f64 {
    WIDTH - LEFT - RIGHT
}

fn inner_height() -> f64 {
    HEIGHT - TOP - BOTTOM
}

fn line(class: &'static str, from: (f64, f64), to: (f64, f64)) -> Element {
    let line = element("line").class(class).with("x1", rounded(from.0)).with("y1", rounded(from.1));
    line.with("x2", rounded(to.0)).with("y2", rounded(to.1))
}

fn text(x: f64, y: f64, anchor: &'static str) -> Element {
    element("text").with("x", rounded(x)).with("y", rounded(y)).with("text-anchor", anchor)
}

/// A tenth of a pixel is finer than any screen, and reduces the file to a third.
fn rounded(pixels: f64) -> f64 {
    (pixels * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_has_its_marks_where_the_axes_say() {
        let plot = Plot::new("a diagonal", Axis::share("x"), Axis::share("y")).line("normal", [(0.0, 0.0), (1.0, 1.0)]);
        let svg = plot.svg();
        assert!(svg.as_str().contains("points=\"58,284 546,14\""), "{}", svg.as_str());
        assert!(svg.as_str().contains("aria-label=\"a diagonal\""));
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        let plot = Plot::new("empty", Axis::share("x"), Axis::share("y")).area("shade", &[]).line("normal", []);
        assert!(!plot.svg().as_str().contains("NaN"));
    }
}
