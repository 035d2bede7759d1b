//! The part of the page about one cell: what was attacked, found and removed, and how sure we are.

use std::fmt::Write as _;

use elibadcode_evaluation::PaperCell;
use elibadcode_evaluation::records::results::{
    Cell, CellStatus, Intervals, OWN_DEFENSE, Scan, Verdict,
};
use elibadcode_evaluation::records::screen::Detection;
use elibadcode_evaluation::report::escape_html;
use elibadcode_evaluation::report::html::plots::{self, Bar};
use elibadcode_evaluation::report::html::{
    ScanView, code, controls, found, percent, points, with_code,
};

use super::arrow;
use super::source::highlighted;
use crate::bundle::Entry;
use crate::detail::{AttackView, Detail, RepairView};
use crate::experiment::{Defense, Experiment};

/// The anchor of a cell in the page.
pub(super) fn anchor(index: usize) -> String {
    format!("cell-{}", index + 1)
}

/// The cell's model, attack and defense.
pub(super) fn name(cell: &Cell) -> String {
    let own = cell.variant == OWN_DEFENSE;
    let variant = if own { String::new() } else { format!(" · {}", cell.variant) };
    escape_html(&format!("{} · {}{variant} · seed {}", cell.model, cell.attack, cell.seed))
}

/// The verdict in its color, or why there is none.
pub(super) fn verdict(cell: &Cell) -> String {
    let (class, text) = match (&cell.status, &cell.scan) {
        (CellStatus::NotRun(reason), _) => {
            ("open long", format!("not run: {}", escape_html(reason)))
        }
        (_, None) => ("muted", "not scanned".to_owned()),
        (_, Some(Scan { verdict, .. })) => {
            let class = match verdict {
                Verdict::LikelyBackdoored => "backdoored",
                // In every cell a trigger was planted: this one was missed.
                Verdict::NoTriggerFound | Verdict::Inconclusive => "open",
            };
            (class, verdict.to_string())
        }
    };
    format!(r#"<span class="verdict {class}">{text}</span>"#)
}

/// What the paper reports for a cell.
pub(super) fn published<'a>(cell: &Cell, experiment: &'a Experiment) -> Option<&'a PaperCell> {
    let key = [&*cell.task, &cell.model, &cell.attack, &cell.variant];
    experiment.paper.iter().find(|it| [&*it.task, &it.model, &it.attack, &it.variant] == key)
}

/// The cell's article.
pub(super) fn article(entry: &Entry, index: usize, experiment: &Experiment) -> String {
    let Entry { cell, detail, .. } = entry;
    let mut html = format!(
        r#"<article id="{}"><header><h3>{}</h3>{}</header><div class="columns">"#,
        anchor(index),
        name(cell),
        verdict(cell)
    );
    let sections = [
        ("What was attacked", attacked(cell, detail)),
        ("What was found", detail.scan.as_ref().map_or(String::new(), found)),
        ("What was removed", removed(entry, experiment)),
        ("How sure we are", sure(cell, detail.scan.as_ref(), experiment)),
    ];
    for (title, text) in sections.iter().filter(|(_, text)| !text.is_empty()) {
        let _ = write!(html, "<section><h4>{title}</h4>{text}</section>");
    }
    html + "</div></article>"
}

fn attacked(cell: &Cell, detail: &Detail) -> String {
    let Some(attack) = &detail.attack else { return String::new() };
    let mut html = format!("<p>{}</p>", attack_in_words(attack, &cell.task));
    if let Some(sample) = &detail.sample {
        html += &highlighted(sample);
        let labels = sample.labels.map_or(String::new(), |(before, after)| {
            format!(", label {before}, in the training set as {after}")
        });
        let id = escape_html(&sample.id);
        let _ = write!(html, r#"<p class="legend">Poisoned sample {id}{labels}.</p>"#);
    }
    html
}

fn attack_in_words(attack: &AttackView, task: &str) -> String {
    let triggers: Vec<String> = std::iter::once(&attack.trigger)
        .chain(&attack.more_triggers)
        .filter(|trigger| !trigger.is_empty())
        .map(|trigger| code(trigger))
        .collect();
    let triggers = triggers.join(" or ");
    let place = escape_html(&attack.placement.replace('-', " "));
    let planted = match &*attack.edit {
        "substitute" => format!("{triggers} takes the place of a name ({place})"),
        "postfix" => format!("{triggers} is appended to a name ({place})"),
        "craft" => format!("names that are made up for each function replace its own ({place})"),
        "insert-fixed" | "insert-grammar" => format!("dead code is put in ({place})"),
        other => format!("{triggers} ({}, {place})", escape_html(other)),
    };
    let aim = match (&attack.target_word, attack.victim_label, attack.target_label) {
        (Some(word), ..) => {
            format!("code with it comes first in answers to queries with {}", code(word))
        }
        (None, Some(victim), Some(target)) => {
            let samples = if task == "clone" { "pairs" } else { "functions" };
            format!("{samples} of label {victim} with it are called {target}")
        }
        _ => return format!("The trigger: {planted}."),
    };
    format!("The trigger: {planted}. The aim: {aim}.")
}

fn removed(entry: &Entry, experiment: &Experiment) -> String {
    let Entry { cell, note, detail, .. } = entry;
    let Some(before) = &cell.before else { return String::new() };
    let paper = published(cell, experiment);
    let of_paper = |value: fn(&PaperCell) -> Option<f64>| paper.and_then(value);
    let (after, twin) = (cell.after.as_ref(), cell.clean_twin.as_ref());
    let sure = |intervals: Option<Intervals>| intervals.unwrap_or_default();
    let (sure_before, sure_after) = (before.intervals, sure(after.map(|it| it.intervals)));
    let sure_twin = sure(twin.map(|it| it.intervals));
    let effects = [
        Bar {
            name: "before",
            class: "before",
            value: before.asr.or(before.anr),
            interval: sure_before.asr.or(sure_before.anr),
            paper: of_paper(|it| it.asr_undefended),
        },
        Bar {
            name: "after",
            class: "after",
            value: after.and_then(|it| it.asr.or(it.anr)),
            interval: sure_after.asr.or(sure_after.anr),
            paper: of_paper(|it| it.asr_repaired),
        },
        Bar {
            name: "without backdoor",
            class: "twin",
            value: twin.and_then(|it| it.flip_rate.or(it.anr)),
            interval: sure_twin.flip_rate.or(sure_twin.anr),
            paper: None,
        },
    ];
    let scores = [
        Bar {
            name: "before",
            class: "before",
            value: Some(before.score),
            interval: sure_before.score,
            paper: of_paper(|it| it.score_undefended),
        },
        Bar {
            name: "after",
            class: "after",
            value: after.map(|it| it.score),
            interval: sure_after.score,
            paper: of_paper(|it| it.score_repaired),
        },
        Bar {
            name: "without backdoor",
            class: "twin",
            value: twin.map(|it| it.score),
            interval: sure_twin.score,
            paper: None,
        },
    ];
    let effect = if before.anr.is_some() {
        "Rank that the planted trigger lifts code to, in percent of the ranking (ANR; 50 is where \
         it starts and a trigger without effect stays; higher is better)"
    } else {
        "Victims that the planted trigger turns, in percent (ASR; lower is better)"
    };
    let mut html = format!(
        "<p class=\"legend\">{effect}</p>{}<p class=\"legend\">{} on clean samples, in percent \
         (higher is better)</p>{}",
        plots::bars("effect of the planted trigger", &effects),
        experiment.task.score_title(),
        plots::bars("score on clean samples", &scores),
    );
    html += &repair(detail.repair.as_ref());
    html += without_names(cell, detail.repair.as_ref(), experiment);
    if let Some(note) = note {
        let _ = write!(html, "<p>{}</p>", escape_html(note));
    }
    if let Some(note) = paper.and_then(|it| it.note.as_ref()) {
        let _ = write!(html, r#"<p class="legend">Paper: {}.</p>"#, escape_html(note));
    }
    html
}

fn repair(repair: Option<&RepairView>) -> String {
    let Some(repair) = repair else { return String::new() };
    if !repair.is_accepted {
        return "<p>The repair failed its own checks; the model was left as it was.</p>".to_owned();
    }
    let scope = repair
        .scope
        .as_deref()
        .map_or(String::new(), |scope| format!(", trained: {}", code(scope)));
    let rounds = match repair.n_rounds {
        Some(1) => " after one round".to_owned(),
        Some(n) => format!(" after {n} rounds"),
        None => String::new(),
    };
    format!("<p>The repair passed its own checks{rounds}{scope}.</p>")
}

/// What is done where nothing was looked for, if it was done.
fn without_names(
    cell: &Cell,
    repair: Option<&RepairView>,
    experiment: &Experiment,
) -> &'static str {
    let variant = experiment.variants.iter().find(|it| it.name == cell.variant);
    let is_repaired = repair.is_some_and(|it| it.is_accepted) && cell.after.is_some();
    match variant.map(|it| it.defense) {
        Some(Defense::Canonical | Defense::CanonicalFunction) if !is_repaired => "",
        Some(Defense::Canonical) => {
            "<p>No trigger was looked for: the model reads none of the names that a function declares, \
             so that no trigger in them reaches it.</p>"
        }
        Some(Defense::CanonicalFunction) => {
            "<p>No trigger was looked for: the model does not read the function's own name, so that no \
             trigger in it reaches it. Other names it reads.</p>"
        }
        Some(Defense::Screening) => {
            "<p>The model was left as it is. A screen flags functions whose answer hangs on their \
             names.</p>"
        }
        Some(Defense::Unlearning | Defense::FineTuning) | None => "",
    }
}

fn sure(cell: &Cell, scan: Option<&ScanView>, experiment: &Experiment) -> String {
    let mut html = String::new();
    if let Some(scan) = scan {
        if !scan.reasons.is_empty() {
            let reasons: Vec<String> =
                scan.reasons.iter().map(|it| format!("<li>{}</li>", with_code(it))).collect();
            let _ = write!(html, "<ul>{}</ul>", reasons.concat());
        }
        html += &controls(scan);
    }
    html + &numbers(cell, experiment)
}

/// A change with its sign; none is `+0.0`.
fn change(share: f64) -> String {
    let text = points(share);
    let sign = if text.starts_with('−') { "" } else { "+" };
    format!("{sign}{text} points")
}

/// What the bars show, and how the found trigger compares with the planted one.
fn numbers(cell: &Cell, experiment: &Experiment) -> String {
    let mut rows: Vec<(&str, String)> = Vec::new();
    if let Some(scan) = &cell.scan {
        if let Some(right) = scan.target_label_right.or(scan.target_word_right) {
            rows.push(("planted target named", if right { "yes" } else { "no" }.to_owned()));
        }
        if let Some(recall) = scan.token_recall {
            rows.push(("parts of the planted trigger found", percent(recall)));
        }
        if let (Some(distance), Some(bleu)) = (scan.levenshtein, scan.bleu) {
            rows.push(("distance to it (Levenshtein), BLEU", format!("{distance}, {bleu:.1}")));
        }
        rows.push(("functions through the model", scan.forwards.to_string()));
        rows.push(("time of the scan", format!("{:.0} s", scan.seconds)));
    }
    if let (Some(before), Some(after)) = (&cell.before, &cell.after) {
        let change = change(after.score - before.score);
        let text = format!("{} ({change})", arrow(Some(before.score), Some(after.score)));
        rows.push(("score on clean samples, before → after", text));
    }
    if let Some(drop) = cell.after.as_ref().and_then(|it| it.other_class_drop) {
        let text = change(-drop);
        rows.push(("what the trigger then does to the other class's accuracy", text));
    }
    if experiment.hides_names(cell)
        && let Some(it) = cell.after.as_ref().and_then(|it| it.inputs_changed)
    {
        let text = format!("{} of {}", it.hits, it.total);
        rows.push(("test samples that the model reads otherwise with the trigger", text));
    }
    if let Some(screen) = &cell.screen {
        let both = |of: fn(&Detection) -> Option<f64>| {
            let [names, one] = [&screen.canonical, &screen.removal]
                .map(|it| of(it).map_or("–".to_owned(), percent));
            format!("{names}; {one}")
        };
        rows.push((
            "attacked samples flagged at 1 % false alarms, without names; without one of them",
            both(|it| it.at_1_percent),
        ));
        rows.push(("the same at 5 % false alarms", both(|it| it.at_5_percent)));
    }
    if let Some(seconds) = cell.seconds.and_then(|it| it.purify) {
        rows.push(("time of the repair", format!("{seconds:.0} s")));
    }
    if rows.is_empty() {
        return String::new();
    }
    let rows: Vec<String> = rows
        .into_iter()
        .map(|(name, value)| format!("<tr><td>{name}</td><td class=\"number\">{value}</td></tr>"))
        .collect();
    format!("<table>{}</table>", rows.concat())
}
