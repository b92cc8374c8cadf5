//! docs/performance.md: what the command found, between two markers; the rest is written by hand.

use std::path::Path;

/// Everything between these lines is written by the command.
const BEGIN: &str = "<!-- written by tests/run speed: begin -->";
const END: &str = "<!-- written by tests/run speed: end -->";

/// One part of the page.
pub struct Section {
    title: &'static str,
    /// What is measured, in a sentence or two.
    what: String,
    /// Tables, and lists of what could not be measured.
    figures: String,
    /// File names and drawings.
    plots: Vec<(&'static str, String)>,
}

impl Section {
    /// A section with a table.
    pub fn new(title: &'static str, what: impl Into<String>, figures: String) -> Self {
        Self {
            title,
            what: what.into(),
            figures,
            plots: Vec::new(),
        }
    }

    /// Adds a drawing, in a file of this name without `.svg`.
    #[must_use]
    pub fn with_plot(mut self, name: &'static str, svg: String) -> Self {
        self.plots.push((name, svg));
        self
    }

    /// As Markdown, with drawings in `performance/` beside the page.
    pub fn text(&self) -> String {
        let plots = self.plots.iter();
        let plots: String = plots
            .map(|(name, _)| format!("\n![{name}](performance/{name}.svg)\n"))
            .collect();
        let parts = [self.what.as_str(), self.figures.trim_end()];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        let text: Vec<&str> = parts.collect();
        format!("## {}\n\n{}\n{plots}", self.title, text.join("\n\n"))
    }
}

/// Writes the page and its drawings into `directory`. A page that is not there has only this.
pub fn write(directory: &Path, sections: &[Section]) -> std::io::Result<()> {
    let file = directory.join("performance.md");
    let page = std::fs::read_to_string(&file).unwrap_or_else(|_| format!("{BEGIN}\n{END}\n"));
    let text: Vec<String> = sections.iter().map(Section::text).collect();
    let drawings = directory.join("performance");
    std::fs::create_dir_all(&drawings)?;
    for (name, svg) in sections.iter().flat_map(|section| &section.plots) {
        std::fs::write(drawings.join(format!("{name}.svg")), svg)?;
    }
    std::fs::write(&file, replaced(&page, &text.join("\n")))
}

fn replaced(page: &str, text: &str) -> String {
    let (before, rest) = page
        .split_once(BEGIN)
        .expect("the page has the first marker");
    let (_, after) = rest.split_once(END).expect("the page has the last marker");
    format!("{before}{BEGIN}\n\n{text}\n{END}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_by_hand_stays() {
        let page = format!("above\n{BEGIN}\nold\n{END}\nbelow\n");
        assert_eq!(
            replaced(&page, "new\n"),
            format!("above\n{BEGIN}\n\nnew\n\n{END}\nbelow\n")
        );
    }
}
