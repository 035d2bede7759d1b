//! Plots: SVG elements for a page of [`super::page`].

use super::scan_view::{ControlsView, PositionView, ScoreView, SearchView, SlotView};
use super::svg::{Anchor, Svg, cut};
use crate::statistics::Interval;

const WIDTH: f64 = 420.0;
/// Room for the names of rows.
const NAMES: f64 = 118.0;
/// Room for the numbers behind bars.
const NUMBERS: f64 = 54.0;

/// A row of a bar plot; fractions in `0..=1`.
#[derive(Clone, Copy, Debug)]
pub struct Bar<'a> {
    /// What stands beside it.
    pub name: &'a str,
    /// Its color: `before`, `after` or `twin`.
    pub class: &'static str,
    /// Its length; absent of what was not measured.
    pub value: Option<f64>,
    /// Its whisker.
    pub interval: Option<Interval>,
    /// What the paper has for it.
    pub paper: Option<f64>,
}

/// Shares as bars with their intervals, and the paper's values as diamonds.
pub fn bars(label: &str, rows: &[Bar<'_>]) -> String {
    const ROW: f64 = 24.0;
    let height = ROW * rows.len() as f64 + 20.0;
    let x = |share: f64| NAMES + share.clamp(0.0, 1.0) * (WIDTH - NAMES - NUMBERS);
    let values: Vec<String> = rows
        .iter()
        .filter_map(|row| Some(format!("{} {:.1} %", row.name, 100.0 * row.value?)))
        .collect();
    let mut svg = Svg::new(WIDTH, height, &format!("{label}: {}", values.join(", ")));
    share_axis(&mut svg, height - 16.0, x);
    for (row, index) in rows.iter().zip(0..) {
        let middle = ROW * f64::from(index) + ROW / 2.0;
        svg.text("name", (NAMES - 8.0, middle + 4.0), Anchor::End, row.name);
        let Some(value) = row.value else {
            svg.text("muted", (x(0.0) + 4.0, middle + 4.0), Anchor::Start, "not measured");
            continue;
        };
        svg.rect(row.class, x(0.0), middle - 7.0, x(value) - x(0.0), 14.0);
        if let Some(Interval { low, high }) = row.interval {
            svg.line("whisker", (x(low), middle), (x(high), middle));
            for end in [low, high] {
                svg.line("whisker", (x(end), middle - 4.0), (x(end), middle + 4.0));
            }
        }
        if let Some(paper) = row.paper {
            svg.diamond("paper", (x(paper), middle), 5.0);
        }
        svg.text("value", (WIDTH, middle + 4.0), Anchor::End, &format!("{:.1} %", 100.0 * value));
    }
    svg.finish()
}

/// A score on its scale, with the zones of the three verdicts.
pub fn score(score: &ScoreView) -> String {
    const HEIGHT: f64 = 74.0;
    const TOP: f64 = 22.0;
    const THICK: f64 = 16.0;
    let x = |score: f64| 6.0 + score.clamp(0.0, 1.0) * (WIDTH - 12.0);
    let (low, high) = (score.no_trigger_below, score.likely_backdoored_from);
    let label = format!(
        "score {:.3}; no trigger found below {low:.2}, likely backdoored from {high:.2} on",
        score.value
    );
    let mut svg = Svg::new(WIDTH, HEIGHT, &label);
    let zones = [
        ("zone after", 0.0, low, "no trigger found"),
        ("zone twin", low, high, ""),
        ("zone before", high, 1.0, "likely backdoored"),
    ];
    for (class, from, to, name) in zones {
        svg.rect(class, x(from), TOP, (x(to) - x(from)).max(0.0), THICK);
        // A name needs a quarter of the scale.
        if to - from > 0.25 {
            svg.text("tick", (f64::midpoint(x(from), x(to)), TOP + 46.0), Anchor::Middle, name);
        }
    }
    let are_apart = x(high) - x(low) > 4.0;
    let ends = [(low, Anchor::End, 2.0), (high, Anchor::Start, -2.0)];
    let both = [(high, Anchor::Middle, 0.0)];
    for &(limit, anchor, shift) in if are_apart { &ends[..] } else { &both[..] } {
        svg.text("tick", (x(limit) + shift, TOP + 30.0), anchor, &format!("{limit:.2}"));
    }
    svg.line("found", (x(score.value), TOP - 5.0), (x(score.value), TOP + THICK + 5.0));
    let anchor = match score.value {
        value if value > 0.9 => Anchor::End,
        value if value < 0.1 => Anchor::Start,
        _ => Anchor::Middle,
    };
    svg.text("value", (x(score.value), TOP - 9.0), anchor, &format!("{:.3}", score.value));
    svg.finish()
}

/// Lines at every quarter, with their percentages below.
fn share_axis(svg: &mut Svg, bottom: f64, x: impl Fn(f64) -> f64) {
    for quarter in 0..=4 {
        let share = f64::from(quarter) / 4.0;
        svg.line("grid", (x(share), 0.0), (x(share), bottom));
        let text = format!("{:.0}", 100.0 * share);
        svg.text("tick", (x(share), bottom + 13.0), Anchor::Middle, &text);
    }
}

/// The loss of the best candidate per iteration, a line per search.
pub fn losses(searches: &[SearchView]) -> Option<String> {
    const HEIGHT: f64 = 170.0;
    const LEFT: f64 = 34.0;
    let (right, bottom) = (WIDTH - 8.0, HEIGHT - 30.0);
    let n_iterations = searches.iter().map(|it| it.history.len()).max()?;
    let finite = |it: &SearchView| {
        it.history.iter().copied().filter(|loss| loss.is_finite()).max_by(f64::total_cmp)
    };
    let top_loss = nice_above(searches.iter().filter_map(finite).max_by(f64::total_cmp)?);
    let x = |iteration: usize| {
        let share = iteration as f64 / n_iterations.saturating_sub(1).max(1) as f64;
        LEFT + share * (right - LEFT)
    };
    let y = |loss: f64| bottom - (loss / top_loss).clamp(0.0, 1.0) * (bottom - 8.0);
    let mut svg = Svg::new(WIDTH, HEIGHT, "loss of the best candidate in every iteration");
    for step in 0..=2 {
        let loss = top_loss * f64::from(step) / 2.0;
        svg.line("grid", (LEFT, y(loss)), (right, y(loss)));
        svg.text("tick", (LEFT - 5.0, y(loss) + 4.0), Anchor::End, &short(loss));
    }
    for (iteration, anchor) in [(1, Anchor::Start), (n_iterations, Anchor::End)] {
        svg.text("tick", (x(iteration - 1), bottom + 13.0), anchor, &iteration.to_string());
    }
    svg.text("tick", (f64::midpoint(LEFT, right), HEIGHT - 3.0), Anchor::Middle, "iteration");
    // Those of the suspected pair lie on top.
    for is_first in [false, true] {
        for search in searches.iter().filter(|it| it.is_first == is_first) {
            let corners: Vec<(f64, f64)> = search
                .history
                .iter()
                .enumerate()
                .filter(|(_, loss)| loss.is_finite())
                .map(|(iteration, &loss)| (x(iteration), y(loss)))
                .collect();
            svg.path(if is_first { "loss first" } else { "loss" }, &corners);
            if let Some(&end) = corners.last() {
                svg.circle(if is_first { "end first" } else { "end" }, end, 2.5);
            }
        }
    }
    Some(svg.finish())
}

/// The found trigger among random ones: a dot per random one, stacked where they are close.
pub fn controls(controls: &ControlsView) -> String {
    const HEIGHT: f64 = 108.0;
    const BINS: usize = 50;
    let bottom = HEIGHT - 18.0;
    let x = |share: f64| 12.0 + share.clamp(0.0, 1.0) * (WIDTH - 24.0);
    let mut svg = Svg::new(WIDTH, HEIGHT, "the found trigger among random ones");
    share_axis(&mut svg, bottom, x);
    let mut heights = [0_usize; BINS + 1];
    let bin = |share: f64| (share.clamp(0.0, 1.0) * BINS as f64).round() as usize;
    let tallest = (0..=BINS)
        .map(|wanted| controls.random.iter().filter(|&&share| bin(share) == wanted).count())
        .max();
    let step = ((bottom - 24.0) / tallest.unwrap_or(1).max(1) as f64).min(7.0);
    for &share in &controls.random {
        let bin = bin(share);
        let y = bottom - 4.0 - step * heights[bin] as f64;
        heights[bin] += 1;
        svg.circle("random", (x(bin as f64 / BINS as f64), y), 3.0);
    }
    let (value, low, high) = controls.found;
    svg.line("found", (x(value), 16.0), (x(value), bottom));
    svg.line("whisker", (x(low), 16.0), (x(high), 16.0));
    for end in [low, high] {
        svg.line("whisker", (x(end), 12.0), (x(end), 20.0));
    }
    let anchor = if value > 0.5 { Anchor::End } else { Anchor::Start };
    svg.text("value", (x(if value > 0.5 { high } else { low }), 9.0), anchor, "found");
    svg.finish()
}

/// What the loss becomes without each slot of the trigger.
pub fn slots(slots: &[SlotView]) -> Option<String> {
    let rows = slots.iter().map(|slot| {
        let class = if slot.kept { "before" } else { "twin" };
        (slot.token.as_str(), slot.loss_without, class)
    });
    amounts("loss of the trigger without each of its tokens", &rows.collect::<Vec<_>>())
}

/// What masking each identifier of a sample changes, the least first.
pub fn positions(position: &PositionView) -> Option<String> {
    const N_SHOWN: usize = 8;
    let mut sensitivities: Vec<_> = position.sensitivities.iter().collect();
    sensitivities.sort_by(|one, next| one.loss_change.total_cmp(&next.loss_change));
    let rows = sensitivities.into_iter().take(N_SHOWN).map(|it| {
        let class = if it.identifier == position.chosen { "after" } else { "twin" };
        (it.identifier.as_str(), it.loss_change, class)
    });
    amounts("change of the loss when an identifier is masked", &rows.collect::<Vec<_>>())
}

/// Amounts from 0 as bars.
fn amounts(label: &str, rows: &[(&str, f64, &str)]) -> Option<String> {
    const ROW: f64 = 19.0;
    let finite = rows.iter().map(|(_, amount, _)| *amount).filter(|amount| amount.is_finite());
    let largest = finite.max_by(f64::total_cmp)?.max(1e-9);
    let x =
        |amount: f64| NAMES + (amount / largest).clamp(0.0, 1.0) * (WIDTH - NAMES - NUMBERS - 6.0);
    let mut svg = Svg::new(WIDTH, ROW * rows.len() as f64 + 2.0, label);
    for (&(name, amount, class), index) in rows.iter().zip(0..) {
        let middle = ROW * f64::from(index) + ROW / 2.0;
        svg.text("name code", (NAMES - 8.0, middle + 4.0), Anchor::End, &cut(name, 16));
        svg.rect(class, NAMES, middle - 5.5, (x(amount) - NAMES).max(1.0), 11.0);
        svg.text("value", (x(amount) + 6.0, middle + 4.0), Anchor::Start, &short(amount));
    }
    Some(svg.finish())
}

/// The next of 1, 2, 5, 10, 20, … from a value on.
fn nice_above(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1e-3).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= value).unwrap_or(steps[3])
}

/// A number with few digits.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1e5 => format!("{value:.0e}"),
        size if size >= 10.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.1}"),
        size if size >= 0.01 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.0e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_draw() {
        assert_eq!(losses(&[]), None);
        let title = "1 → 0".to_owned();
        let empty = SearchView { title, history: Vec::new(), is_first: true };
        assert_eq!(losses(std::slice::from_ref(&empty)), None);
        let nan = SearchView { history: vec![f64::NAN], ..empty };
        assert_eq!(losses(&[nan]), None);
        assert_eq!(slots(&[]), None);
    }

    #[test]
    fn values_outside_stay_inside() {
        let bar = Bar {
            name: "attack",
            class: "before",
            value: Some(7.0),
            interval: None,
            paper: Some(-1.0),
        };
        let svg = bars("test", &[bar]);
        assert!(svg.contains(&format!("width=\"{:.1}\"", WIDTH - NAMES - NUMBERS)), "{svg}");
        assert!(svg.contains("700.0 %"), "{svg}");
        let one = |history: Vec<f64>| {
            losses(&[SearchView { title: String::new(), history, is_first: true }])
        };
        assert!(!one(vec![1.0]).expect("a point").contains("NaN"));
        assert!(!one(vec![0.0, 0.0]).expect("zeros").contains("NaN"));
    }

    #[test]
    fn a_score_shows_its_limits() {
        let at = |value: f64, low: f64, high: f64| {
            score(&ScoreView { value, likely_backdoored_from: high, no_trigger_below: low })
        };
        let apart = at(0.93, 0.4, 0.6);
        for part in ["0.930", "0.40", "0.60", ">no trigger found<", ">likely backdoored<"] {
            assert!(apart.contains(part), "{part} is not in {apart}");
        }
        assert_eq!(at(0.5, 0.55, 0.55).matches(">0.55<").count(), 1);
        assert!(!at(0.5, 0.03, 0.97).contains(">no trigger found<"));
    }

    #[test]
    fn axes_end_at_round_numbers() {
        let check = |value: f64, expected: f64| {
            assert!((nice_above(value) - expected).abs() < 1e-9, "{value}: {}", nice_above(value));
        };
        check(0.7, 1.0);
        check(1.0, 1.0);
        check(2.3, 5.0);
        check(13.0, 20.0);
        check(0.0, 1e-3);
        assert_eq!(
            [0.0, 0.004, 0.5, 2.25, 31.4, 1e9].map(short),
            ["0.00", "4e-3", "0.50", "2.2", "31", "1e9"]
        );
    }
}
