//! Drawings with two logarithmic axes, as SVG.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 60.0;
/// Told apart by people who see few colours too (Okabe, Ito).
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

/// Points that belong together.
pub struct Series {
    /// Stands at its right end.
    pub name: String,
    /// From left to right; all greater than zero.
    pub points: Vec<(f64, f64)>,
    /// Something to compare with, not a measurement: dashed.
    pub is_reference: bool,
}

/// One drawing.
pub struct Plot {
    /// Above it.
    pub title: &'static str,
    /// Below the axis, with what the figures count.
    pub x: &'static str,
    /// How its figures are written.
    pub x_figure: fn(f64) -> String,
    /// What is drawn; vertical is time in seconds.
    pub series: Vec<Series>,
}

/// Measured points.
pub fn measured(name: &str, points: &[(f64, f64)]) -> Series {
    Series {
        name: name.to_owned(),
        points: points.to_vec(),
        is_reference: false,
    }
}

/// What would grow as the horizontal axis does, through the last of these points.
pub fn proportional(points: &[(f64, f64)]) -> Series {
    let (x, y) = points[points.len() - 1];
    let at = |(each, _): &(f64, f64)| (*each, y * each / x);
    Series {
        name: "proportional".to_owned(),
        points: points.iter().map(at).collect(),
        is_reference: true,
    }
}

/// What does not grow.
pub fn constant(name: &str, y: f64, points: &[(f64, f64)]) -> Series {
    Series {
        name: name.to_owned(),
        points: points.iter().map(|(x, _)| (*x, y)).collect(),
        is_reference: true,
    }
}

impl Plot {
    /// The drawing.
    pub fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let x = Axis::over(points().map(|point| point.0), LEFT, WIDTH - RIGHT);
        let y = Axis::over(points().map(|point| point.1), HEIGHT - BOTTOM, TOP);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
             <text x=\"{LEFT}\" y=\"26\" font-size=\"16\">{}</text>\n",
            self.title
        );
        self.grid(&mut svg, &x, &y);
        let mut labels: Vec<(f64, &str, &str)> = Vec::new();
        let mut colours = COLOURS.iter();
        for series in &self.series {
            let (colour, dash) = match series.is_reference {
                true => ("#777", " stroke-dasharray=\"6 4\""),
                false => (*colours.next().expect("a colour for each series"), ""),
            };
            let at = series
                .points
                .iter()
                .map(|(a, b)| (x.place(*a), y.place(*b)));
            let at: Vec<(f64, f64)> = at.collect();
            let line: Vec<String> = at.iter().map(|(a, b)| format!("{a:.1},{b:.1}")).collect();
            let line = line.join(" ");
            writeln!(
                svg,
                "<polyline points=\"{line}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dash}/>"
            )
            .unwrap();
            for (a, b) in at.iter().filter(|_| !series.is_reference) {
                writeln!(
                    svg,
                    "<circle cx=\"{a:.1}\" cy=\"{b:.1}\" r=\"3.5\" fill=\"{colour}\"/>"
                )
                .unwrap();
            }
            labels.push((at[at.len() - 1].1, colour, &series.name));
        }
        for (height, colour, name) in apart(labels) {
            let x = WIDTH - RIGHT + 10.0;
            writeln!(
                svg,
                "<text x=\"{x}\" y=\"{height:.1}\" fill=\"{colour}\">{name}</text>"
            )
            .unwrap();
        }
        svg + "</svg>\n"
    }

    fn grid(&self, svg: &mut String, x: &Axis, y: &Axis) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for decade in x.decades() {
            let (at, figure) = (x.place(decade), (self.x_figure)(decade));
            let below = bottom + 20.0;
            writeln!(
                svg,
                "<path d=\"M{at:.1} {TOP}V{bottom}\" stroke=\"#ddd\"/>\
                 <text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{figure}</text>"
            )
            .unwrap();
        }
        for decade in y.decades() {
            let (at, figure) = (y.place(decade), time(decade));
            let (beside, middle) = (LEFT - 8.0, at + 4.0);
            writeln!(
                svg,
                "<path d=\"M{LEFT} {at:.1}H{right}\" stroke=\"#ddd\"/>\
                 <text x=\"{beside}\" y=\"{middle:.1}\" text-anchor=\"end\">{figure}</text>"
            )
            .unwrap();
        }
        let (middle, below) = ((LEFT + right) / 2.0, HEIGHT - 14.0);
        writeln!(
            svg,
            "<path d=\"M{LEFT} {TOP}V{bottom}H{right}\" stroke=\"black\" fill=\"none\"/>\n\
             <text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">{}</text>\n\
             <text transform=\"translate(18 {}) rotate(-90)\" text-anchor=\"middle\">median time</text>",
            self.x,
            (TOP + bottom) / 2.0
        )
        .unwrap();
    }
}

/// A whole number of decades, from one place to another.
struct Axis {
    first: i32,
    last: i32,
    from: f64,
    to: f64,
}

impl Axis {
    fn over(figures: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (least, most) = figures.fold((f64::MAX, f64::MIN_POSITIVE), |(least, most), figure| {
            (least.min(figure), most.max(figure))
        });
        // A hair's breadth, so that 1000 is in no decade above its own.
        let first = (least.log10() + 1e-9).floor() as i32;
        let last = ((most.log10() - 1e-9).ceil() as i32).max(first + 1);
        Self {
            first,
            last,
            from,
            to,
        }
    }

    fn place(&self, figure: f64) -> f64 {
        let part = (figure.log10() - f64::from(self.first)) / f64::from(self.last - self.first);
        self.from + (self.to - self.from) * part
    }

    fn decades(&self) -> impl Iterator<Item = f64> + use<> {
        (self.first..=self.last).map(|exponent| 10_f64.powi(exponent))
    }
}

/// A decade of seconds.
fn time(seconds: f64) -> String {
    let (figure, unit) = match seconds {
        s if s < 0.9e-6 => (s * 1e9, "ns"),
        s if s < 0.9e-3 => (s * 1e6, "µs"),
        s if s < 0.9 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    format!("{figure:.0} {unit}")
}

/// Names that would stand upon each other are moved down.
fn apart<'a>(mut labels: Vec<(f64, &'a str, &'a str)>) -> Vec<(f64, &'a str, &'a str)> {
    labels.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut lowest = f64::MIN;
    for label in &mut labels {
        label.0 = (label.0 + 4.0).max(lowest + 16.0);
        lowest = label.0;
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_whole_decades() {
        let axis = Axis::over([1.0, 1000.0].into_iter(), 0.0, 300.0);
        assert_eq!((axis.first, axis.last), (0, 3));
        assert!((axis.place(10.0) - 100.0).abs() < 1e-6);
    }

    #[test]
    fn names_do_not_overlap() {
        let labels = apart(vec![(10.0, "a", "a"), (12.0, "b", "b")]);
        assert!(labels[1].0 - labels[0].0 >= 16.0);
    }
}
