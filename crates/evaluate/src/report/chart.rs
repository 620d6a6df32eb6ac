//! Drawings as SVG. Colours are the page's, so they follow light and dark.

use maud::{Markup, html};

use crate::bootstrap::Interval;

/// Size of a drawing in its own units, and the room around the plot for axes.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;

/// How values lie along an axis.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// Evenly from the first to the second.
    Linear(f64, f64),
    /// Each tenfold takes the same room, from the first to the second; what is smaller lies at the first.
    Log(f64, f64),
}

impl Scale {
    /// Where a value lies. Range: 0..=1.
    fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear(low, high) => ((value - low) / (high - low)).clamp(0.0, 1.0),
            Self::Log(low, high) => {
                ((value.max(low).log10() - low.log10()) / (high.log10() - low.log10())).clamp(0.0, 1.0)
            }
        }
    }

    fn ticks(self) -> Vec<(f64, String)> {
        match self {
            Self::Linear(low, high) => {
                let step = nice((high - low) / 5.0);
                let first = (low / step).ceil() as i64;
                let last = (high / step + 1e-9).floor() as i64;
                (first..=last).map(|number| (number as f64 * step, short(number as f64 * step))).collect()
            }
            Self::Log(low, high) => {
                let (first, last) = (low.log10().ceil() as i32, high.log10().floor() as i32);
                (first..=last).map(|power| (10_f64.powi(power), short(10_f64.powi(power)))).collect()
            }
        }
    }
}

/// The least of 1, 2, 5 times a power of ten that is at least so large.
fn nice(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|factor| factor * power).find(|nice| *nice >= step * 0.999).unwrap_or(10.0 * power)
}

fn short(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        // Only powers of ten are so small: 10 and a raised exponent.
        value if value < 0.001 => {
            let digits = (-value.log10()).round().to_string();
            let raised = digits.chars().filter_map(|digit| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(digit.to_digit(10)? as usize));
            format!("10⁻{}", raised.collect::<String>())
        }
        value => format!("{}", (value * 1e6).round() / 1e6),
    }
}

/// A drawing's axes.
pub(super) struct Axes<'a> {
    pub(super) title: &'a str,
    pub(super) x: (&'a str, Scale),
    pub(super) y: (&'a str, Scale),
}

/// A line of a drawing.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    pub(super) points: &'a [(f64, f64)],
    /// Number of its colour.
    pub(super) colour: usize,
    /// Whether each point is marked.
    pub(super) marked: bool,
    /// Whether it goes across to the next point before it goes up or down.
    pub(super) stepped: bool,
}

/// An area around a line.
pub(super) struct Band<'a> {
    /// Places along x, and where the area begins and ends there.
    pub(super) points: &'a [(f64, Interval)],
    /// Number of its colour.
    pub(super) colour: usize,
}

impl Axes<'_> {
    fn x(&self, value: f64) -> f64 {
        LEFT + self.x.1.place(value) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.1.place(value) * (HEIGHT - TOP - BOTTOM)
    }

    fn frame(&self) -> Markup {
        let (left, right, top, bottom) = (LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM);
        html! {
            @for (value, text) in self.x.1.ticks() {
                line class="grid" x1=(n(self.x(value))) x2=(n(self.x(value))) y1=(n(top)) y2=(n(bottom)) {}
                text class="tick" x=(n(self.x(value))) y=(n(bottom + 16.0)) text-anchor="middle" { (text) }
            }
            @for (value, text) in self.y.1.ticks() {
                line class="grid" x1=(n(left)) x2=(n(right)) y1=(n(self.y(value))) y2=(n(self.y(value))) {}
                text class="tick" x=(n(left - 6.0)) y=(n(self.y(value) + 4.0)) text-anchor="end" { (text) }
            }
            line class="axis" x1=(n(left)) x2=(n(right)) y1=(n(bottom)) y2=(n(bottom)) {}
            line class="axis" x1=(n(left)) x2=(n(left)) y1=(n(top)) y2=(n(bottom)) {}
            text class="label" x=(n((left + right) / 2.0)) y=(n(HEIGHT - 8.0)) text-anchor="middle" { (self.x.0) }
            text class="label" text-anchor="middle" transform={ "translate(13," (n((top + bottom) / 2.0)) ") rotate(-90)" } {
                (self.y.0)
            }
        }
    }

    /// Draws lines over the axes; `diagonal` is what a coin, or a perfect promise, would draw.
    pub(super) fn lines(&self, lines: &[Line<'_>], band: Option<&Band<'_>>, diagonal: bool) -> Markup {
        let ends = |scale: Scale| match scale {
            Scale::Linear(low, high) | Scale::Log(low, high) => (low, high),
        };
        let ((left, right), (low, high)) = (ends(self.x.1), ends(self.y.1));
        let (from, to) = (left.max(low), right.min(high));
        self.drawing(&html! {
            @if diagonal {
                line class="chance" x1=(n(self.x(from))) y1=(n(self.y(from))) x2=(n(self.x(to))) y2=(n(self.y(to))) {}
            }
            @if let Some(band) = band.filter(|band| !band.points.is_empty()) {
                path class={ "band s" (band.colour) } d=(self.area(band)) {}
            }
            @for line in lines {
                path class={ "line s" (line.colour) } d=(self.path(line)) { title { (line.name) } }
                @if line.marked {
                    @for (x, y) in line.points {
                        circle class={ "dot s" (line.colour) } cx=(n(self.x(*x))) cy=(n(self.y(*y))) r="2.5" {}
                    }
                }
            }
        })
    }

    fn path(&self, line: &Line<'_>) -> String {
        let mut path = String::new();
        for (index, (x, y)) in line.points.iter().enumerate() {
            let (x, y) = (n(self.x(*x)), n(self.y(*y)));
            match (index, line.stepped) {
                (0, _) => path.push_str(&format!("M{x} {y}")),
                (_, true) => path.push_str(&format!("H{x}V{y}")),
                (_, false) => path.push_str(&format!("L{x} {y}")),
            }
        }
        path
    }

    /// Along the upper ends and back along the lower ones.
    fn area(&self, band: &Band<'_>) -> String {
        let upper = band.points.iter().map(|(x, ends)| (*x, ends.high));
        let lower = band.points.iter().rev().map(|(x, ends)| (*x, ends.low));
        let corners = upper.chain(lower).map(|(x, y)| format!("{} {}", n(self.x(x)), n(self.y(y))));
        format!("M{}Z", corners.collect::<Vec<_>>().join("L"))
    }

    /// Draws two rows of bars over each other; both have the same number of values.
    pub(super) fn bars(&self, groups: [&[f64]; 2], x_max: f64) -> Markup {
        let bar = x_max / groups[0].len().max(1) as f64;
        let bottom = HEIGHT - BOTTOM;
        self.drawing(&html! {
            @for (colour, values) in groups.iter().enumerate() {
                @for (index, value) in values.iter().enumerate().filter(|(_, value)| **value > 0.0) {
                    @let (left, right) = (self.x(index as f64 * bar), self.x((index + 1) as f64 * bar));
                    @let height = (bottom - self.y(*value)).max(1.5);
                    rect class={ "bar b" (colour) } x=(n(left)) y=(n(bottom - height)) width=(n((right - left - 0.6).max(0.6)))
                        height=(n(height)) {}
                }
            }
        })
    }

    fn drawing(&self, content: &Markup) -> Markup {
        html! {
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(self.title) {
                (self.frame()) (content)
            }
        }
    }
}

/// A number with one digit behind the point: finer cannot be seen.
fn n(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers_within_the_axis() {
        let shown = |scale: Scale| scale.ticks().into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(shown(Scale::Linear(0.0, 1.0)), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(shown(Scale::Linear(0.0, 27.6)), ["0", "10", "20"]);
        assert_eq!(shown(Scale::Log(1e-4, 1.0)), ["10⁻⁴", "0.001", "0.01", "0.1", "1"]);
    }

    #[test]
    fn values_outside_an_axis_lie_at_its_end() {
        assert_eq!(Scale::Log(1e-3, 1.0).place(0.0), 0.0);
        assert_eq!(Scale::Log(1e-2, 1.0).place(0.1), 0.5);
        assert_eq!(Scale::Linear(0.0, 2.0).place(3.0), 1.0);
    }
}
