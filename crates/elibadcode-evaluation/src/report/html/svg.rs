//! Just enough SVG for plots: shapes take their colors from the page's style sheet, by class.

use std::fmt::Write as _;

use crate::report::escape_html;

/// Where a text stands relative to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A drawing in user units, one of which is a CSS pixel at full width.
#[derive(Debug)]
pub(super) struct Svg {
    width: f64,
    height: f64,
    label: String,
    shapes: String,
}

impl Svg {
    /// An empty drawing; `label` says what it shows to those who cannot see it.
    pub(super) fn new(width: f64, height: f64, label: &str) -> Self {
        Self { width, height, label: label.to_owned(), shapes: String::new() }
    }

    pub(super) fn rect(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64) {
        let _ = write!(
            self.shapes,
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"/>"#
        );
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let _ = write!(
            self.shapes,
            r#"<line class="{class}" x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}"/>"#,
            from.0, from.1, to.0, to.1
        );
    }

    pub(super) fn circle(&mut self, class: &str, center: (f64, f64), radius: f64) {
        let _ = write!(
            self.shapes,
            r#"<circle class="{class}" cx="{:.1}" cy="{:.1}" r="{radius:.1}"/>"#,
            center.0, center.1
        );
    }

    /// A square that stands on a corner.
    pub(super) fn diamond(&mut self, class: &str, (x, y): (f64, f64), radius: f64) {
        let corners = [(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)];
        let _ = write!(self.shapes, r#"<polygon class="{class}" points="{}"/>"#, points(&corners));
    }

    pub(super) fn path(&mut self, class: &str, corners: &[(f64, f64)]) {
        let _ = write!(self.shapes, r#"<polyline class="{class}" points="{}"/>"#, points(corners));
    }

    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = write!(
            self.shapes,
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{}</text>"#,
            escape_html(text)
        );
    }

    /// The element.
    pub(super) fn finish(self) -> String {
        let Self { width, height, label, shapes } = self;
        format!(
            r#"<svg viewBox="0 0 {width:.0} {height:.0}" style="max-width:{width:.0}px" role="img" aria-label="{}">{shapes}</svg>"#,
            escape_html(&label)
        )
    }
}

fn points(corners: &[(f64, f64)]) -> String {
    let corners: Vec<String> = corners.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    corners.join(" ")
}

/// A text cut to a number of characters.
pub(super) fn cut(text: &str, n_characters: usize) -> String {
    if text.chars().count() <= n_characters {
        return text.to_owned();
    }
    text.chars().take(n_characters.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let mut svg = Svg::new(10.0, 20.0, "a < b");
        svg.text("value", (1.0, 2.0), Anchor::End, "</text><script>");
        svg.path("loss", &[(0.0, 1.0), (2.0, 3.26)]);
        assert_eq!(
            svg.finish(),
            "<svg viewBox=\"0 0 10 20\" style=\"max-width:10px\" role=\"img\" \
             aria-label=\"a &lt; b\"><text class=\"value\" x=\"1.0\" y=\"2.0\" \
             text-anchor=\"end\">&lt;/text&gt;&lt;script&gt;</text>\
             <polyline class=\"loss\" points=\"0.0,1.0 2.0,3.3\"/></svg>"
        );
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(cut("größe", 5), "größe");
        assert_eq!(cut("größer", 5), "größ…");
    }
}
