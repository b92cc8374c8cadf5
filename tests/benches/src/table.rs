//! Tables in Markdown that can be read in a terminal too, and figures with units.

use std::fmt::Write;

/// A table with a head and rows of as many cells.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap()
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        for (cell, width) in cells.zip(&widths) {
            write!(text, "| {cell:<width$} ").unwrap();
        }
        text.push_str("|\n");
    };
    line(&mut head.iter().copied());
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    line(&mut rule.iter().map(String::as_str));
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

/// Seconds in a unit in which they can be read: `23.1 µs`, `1.20 ms`.
pub fn time(seconds: f64) -> String {
    let (figure, unit) = match seconds {
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    format!("{} {unit}", three_digits(figure))
}

/// Octets: `10 kB`, `25 MB`.
pub fn octets(octets: f64) -> String {
    let (figure, unit) = match octets {
        o if o < 1e6 => (o / 1e3, "kB"),
        o if o < 1e9 => (o / 1e6, "MB"),
        o => (o / 1e9, "GB"),
    };
    format!("{} {unit}", figure.round())
}

/// Operations in a second: `4120 /s`.
pub fn per_second(rate: f64) -> String {
    format!("{} /s", rate.round())
}

/// A ratio: `0.93`, `3.14`, `45.0`, `1200`.
pub fn times(ratio: f64) -> String {
    three_digits(ratio)
}

/// A part of a whole.
pub fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

fn three_digits(figure: f64) -> String {
    match figure {
        f if f < 10.0 => format!("{f:.2}"),
        f if f < 100.0 => format!("{f:.1}"),
        f => format!("{f:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["µs".to_owned(), "1".to_owned()]];
        assert_eq!(
            table(&["unit", "n"], &rows),
            "| unit | n |\n| ---- | - |\n| µs   | 1 |\n"
        );
    }

    #[test]
    fn figures_have_three_digits() {
        assert_eq!(time(23.14e-6), "23.1 µs");
        assert_eq!(time(1.2e-3), "1.20 ms");
        assert_eq!(octets(25e6), "25 MB");
        assert_eq!(times(1234.5), "1234");
    }
}
