//! A poisoned sample's source with the trigger highlighted.

use std::fmt::Write as _;

use elibadcode_evaluation::report::escape_html;

use crate::detail::SampleView;

/// The source as preformatted text; what stood in the trigger's place is struck out before it.
pub(super) fn highlighted(sample: &SampleView) -> String {
    let SampleView { code, marks, .. } = sample;
    let mut html = String::from("<pre>");
    let mut end = 0;
    for mark in marks {
        // A bundle may come from elsewhere: places that are none are left out.
        let (Some(between), Some(trigger)) =
            (code.get(end..mark.start), code.get(mark.start..mark.end))
        else {
            continue;
        };
        html += &escape_html(between);
        if !mark.before.is_empty() {
            let _ = write!(html, "<del>{}</del>", escape_html(&mark.before));
        }
        let _ = write!(html, "<mark>{}</mark>", escape_html(trigger));
        end = mark.end;
    }
    html += &escape_html(code.get(end..).unwrap_or_default().trim_end());
    html + "</pre>"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detail::Mark;

    fn sample(code: &str, marks: &[(usize, usize, &str)]) -> SampleView {
        let marks = marks
            .iter()
            .map(|&(start, end, before)| Mark { start, end, before: before.to_owned() })
            .collect();
        SampleView { id: String::new(), code: code.to_owned(), marks, labels: None }
    }

    #[test]
    fn triggers_are_marked_and_markup_is_text() {
        let html = highlighted(&sample("int rb(a<b);\n", &[(4, 6, "<f>")]));
        assert_eq!(html, "<pre>int <del>&lt;f&gt;</del><mark>rb</mark>(a&lt;b);</pre>");
        let inserted = highlighted(&sample("{ x }", &[(2, 3, "")]));
        assert_eq!(inserted, "<pre>{ <mark>x</mark> }</pre>");
    }

    #[test]
    fn places_that_are_none_are_left_out() {
        let code = "größe";
        let html =
            highlighted(&sample(code, &[(3, 4, "a"), (0, 2, "b"), (1, 2, "c"), (9, 99, "d")]));
        assert_eq!(html, "<pre><del>b</del><mark>gr</mark>öße</pre>");
    }
}
