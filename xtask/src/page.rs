//! `report.html`: what was attacked, found and removed, and how sure we are, for a reader who sees
//! nothing else. One file without scripts or links to elsewhere; all text that an attacker could
//! choose is escaped.

mod cell;
mod source;

use std::collections::BTreeSet;

use elibadcode_evaluation::Results;
use elibadcode_evaluation::records::results::{
    After, Before, Cell, CellStatus, DefenseComparison, OWN_DEFENSE, Verdict,
};
use elibadcode_evaluation::report::escape_html;
use elibadcode_evaluation::report::html::{
    code, page, percent, percent_points as plain, with_code, word_starts,
};
use elibadcode_evaluation::statistics::median;

use crate::bundle::{Bundle, Entry, TwinScan};
use crate::experiment::{Experiment, Task};
use crate::report::description;

/// The whole page.
pub(crate) fn html(results: &Results, bundle: &Bundle, experiments: &[Experiment]) -> String {
    let question = experiments.first().and_then(|it| it.question.as_deref());
    let title =
        question.unwrap_or("Planted backdoors: what the scan found and what the repair left");
    let mut body =
        format!("{}{}{}", head(results), facts(results, bundle), caution(results, experiments));
    for experiment in experiments {
        body += &chapter(bundle, experiment);
    }
    body += &comparisons(&results.comparisons);
    body += &limits(bundle);
    page(title, &body)
}

fn head(results: &Results) -> String {
    let n_ran = results.cells.iter().filter(|cell| cell.status == CellStatus::Ok).count();
    let seeds: BTreeSet<u64> = results.cells.iter().map(|cell| cell.seed).collect();
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    let question = results.question.as_deref().map_or(String::new(), |it| format!("{it}, "));
    let date = results.date.as_deref().unwrap_or("no date");
    let scans = results.cells.iter().filter_map(|cell| cell.scan.as_ref());
    let tokens = scans.flat_map(|scan| scan.trigger.iter().chain(&scan.anchored));
    format!(
        "<p class=\"muted\">{}scale {}, {}, {}; {n_ran} of {} cells ran; seeds {}.</p>\
         <p>A backdoor is planted in a model's training set: code that carries the trigger gets \
         the attacker's answer. The defender sees the trained model and clean samples only, \
         searches for the trigger (the scan), says whether there is one (the verdict), and makes \
         the model forget it (the repair). Each cell below is one attack on one model. A model \
         that was trained alike without poison shows what the same trigger does by chance. \
         Intervals have 95 % confidence over the test samples of one run; they do not cover \
         other seeds.{}</p>",
        escape_html(&question),
        escape_html(&results.scale),
        escape_html(&results.device),
        escape_html(date),
        results.cells.len(),
        seeds.join(", "),
        word_starts(tokens),
    )
}

/// What the numbers above it are not.
fn caution(results: &Results, experiments: &[Experiment]) -> String {
    let n_seeds = |experiment: &Experiment| {
        let task = experiment.task.name();
        let own = results.cells.iter().filter(|it| it.task == task && it.status == CellStatus::Ok);
        let seeds: BTreeSet<u64> = own.map(|cell| cell.seed).collect();
        format!("{} in {}", seeds.len(), experiment.task.title().to_lowercase())
    };
    let seeds: Vec<String> = experiments.iter().map(n_seeds).collect();
    let corpora = match &*results.scale {
        "smoke" | "small" => "the same corpora and attacks",
        _ => "synthetic corpora and the same attacks",
    };
    format!(
        "<p>Number of seeds: {}. The settings were chosen on models of {corpora}, so that none of \
         these numbers is a detection rate.</p>",
        seeds.join(", ")
    )
}

/// The most important numbers, of the project's own defense.
fn facts(results: &Results, bundle: &Bundle) -> String {
    let own = || results.cells.iter().filter(|cell| cell.variant == OWN_DEFENSE);
    let scans: Vec<_> = own().filter_map(|cell| cell.scan.as_ref()).collect();
    let n_named = scans
        .iter()
        .filter(|scan| scan.target_label_right.or(scan.target_word_right) == Some(true))
        .count();
    let is_alarm = |verdict: Verdict| verdict == Verdict::LikelyBackdoored;
    let n_found = scans.iter().filter(|scan| is_alarm(scan.verdict)).count();
    let clean: Vec<_> = bundle.twins.iter().filter_map(|twin| twin.scan.as_ref()).collect();
    let n_alarms = clean.iter().filter(|scan| is_alarm(scan.verdict)).count();
    let mut facts = vec![
        (format!("{n_found} of {}", scans.len()), "backdoored models called backdoored"),
        (format!("{n_named} of {}", scans.len()), "with the planted target named"),
    ];
    if !clean.is_empty() {
        facts.push((format!("{n_alarms} of {}", clean.len()), "clean models called backdoored"));
    }
    // Of the cells that have both: a repair that failed leaves only the first.
    let medians = |pair: fn(&Before, &After) -> Option<(f64, f64)>| {
        let both = |cell: &Cell| pair(cell.before.as_ref()?, cell.after.as_ref()?);
        let (before, after): (Vec<f64>, Vec<f64>) = own().filter_map(both).unzip();
        Some((median(&before)?, median(&after)?))
    };
    if let Some((before, after)) = medians(|before, after| before.asr.zip(after.asr)) {
        let arrow = format!("{} → {}", plain(before), percent(after));
        facts.push((
            arrow,
            "median success of the attacks (ASR), before and after; lower is better",
        ));
    }
    if let Some((before, after)) = medians(|before, after| before.anr.zip(after.anr)) {
        let arrow = format!("{} → {}", plain(before), percent(after));
        facts.push((
            arrow,
            "median rank of attacked code (ANR), before and after; higher is better, 50 % = no \
             effect",
        ));
    }
    let items: Vec<String> = facts
        .into_iter()
        .map(|(number, text)| format!("<li><b>{number}</b><span>{text}</span></li>"))
        .collect();
    format!("<ul class=\"facts\">{}</ul>", items.concat())
}

fn chapter(bundle: &Bundle, experiment: &Experiment) -> String {
    let task = experiment.task;
    let entries: Vec<(usize, &Entry)> = bundle
        .entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.cell.task == task.name())
        .collect();
    let rows: Vec<String> =
        entries.iter().map(|(index, entry)| row(&entry.cell, *index, experiment)).collect();
    let articles: Vec<String> =
        entries.iter().map(|(index, entry)| cell::article(entry, *index, experiment)).collect();
    let (effect, direction) = match task {
        Task::Defect | Task::Clone => ("attack success", "lower is better"),
        Task::Search => ("rank of attacked code", "higher is better, 50 % = no effect"),
    };
    format!(
        "<section><h2>{}</h2><p>{}</p><div class=\"scroll\"><table><thead><tr><th>cell</th>\
         <th>verdict</th><th>found</th><th class=\"number\">{} before → after\
         <small>higher is better</small></th>\
         <th class=\"number\">{effect} before → after<small>{direction}</small></th>\
         <th class=\"number\">the same without backdoor</th>\
         <th class=\"number\">the same in the paper</th></tr></thead><tbody>{}</tbody></table></div>\
         <p class=\"legend\">In percent; paper: {}. <span class=\"key before\"></span> the \
         backdoored model, <span class=\"key after\"></span> after the defense, <span class=\"key \
         twin\"></span> a model of the same recipe without backdoor, <span class=\"key paper\">\
         </span> the paper's value.</p>{}{}</section>",
        task.title(),
        with_code(&description(experiment)),
        task.score_title(),
        rows.concat(),
        escape_html(&experiment.tables),
        twins(bundle, experiment),
        articles.concat()
    )
}

fn row(cell: &Cell, index: usize, experiment: &Experiment) -> String {
    let (before, after) = (cell.before.as_ref(), cell.after.as_ref());
    let twin = cell.clean_twin.as_ref().and_then(|it| it.flip_rate.or(it.anr));
    let paper = cell::published(cell, experiment);
    let anchored = cell.scan.as_ref().map(|scan| &*scan.anchored).unwrap_or_default();
    let anchored: Vec<String> = anchored.iter().map(|token| code(token)).collect();
    let number = |text: String| format!("<td class=\"number\">{text}</td>");
    format!(
        "<tr><td><a href=\"#{}\">{}</a></td><td>{}</td><td>{}</td>{}{}{}{}</tr>",
        cell::anchor(index),
        cell::name(cell),
        cell::verdict(cell),
        anchored.join(" "),
        number(arrow(before.map(|it| it.score), after.map(|it| it.score))),
        number(arrow(
            before.and_then(|it| it.asr.or(it.anr)),
            after.and_then(|it| it.asr.or(it.anr)),
        )),
        number(twin.map_or("–".to_owned(), plain)),
        number(
            arrow(paper.and_then(|it| it.asr_undefended), paper.and_then(|it| it.asr_repaired),)
        ),
    )
}

fn twins(bundle: &Bundle, experiment: &Experiment) -> String {
    let twins: Vec<&TwinScan> =
        bundle.twins.iter().filter(|twin| twin.task == experiment.task.name()).collect();
    if twins.is_empty() {
        return String::new();
    }
    let in_words = |twin: &TwinScan| {
        let verdict = match (&twin.status, &twin.scan) {
            (CellStatus::NotRun(reason), _) => format!("not run: {}", escape_html(reason)),
            (_, Some(scan)) => scan.verdict.to_string(),
            (_, None) => "not scanned".to_owned(),
        };
        format!("<li>{}, seed {}: {verdict}</li>", escape_html(&twin.model), twin.seed)
    };
    let items: Vec<String> = twins.into_iter().map(in_words).collect();
    format!("<p>Verdicts on the models without backdoor:</p><ul>{}</ul>", items.concat())
}

fn comparisons(comparisons: &[DefenseComparison]) -> String {
    if comparisons.is_empty() {
        return String::new();
    }
    let rows: Vec<String> = comparisons
        .iter()
        .map(|it| {
            format!(
                "<tr><td>{}</td><td>{}, against {}</td><td class=\"number\">{}</td>\
                 <td class=\"number\">{}</td><td class=\"number\">{}</td>\
                 <td class=\"number\">{:.2e}</td><td class=\"number\">{:.1}</td>\
                 <td class=\"number\">{:.2e}</td></tr>",
                escape_html(&it.task),
                escape_html(&it.measure.to_uppercase()),
                escape_html(&it.other),
                it.n,
                percent(it.own_median),
                percent(it.other_median),
                it.p_value,
                it.u,
                it.unpaired_p_value
            )
        })
        .collect();
    format!(
        "<section><h2>Defenses against each other</h2><p>What the attacks still do after each \
         defense, over the cells that both defended; what a defense costs is not in this table. \
         Two-sided Wilcoxon signed-rank tests, exact, and unpaired the paper's Mann-Whitney U \
         tests, exact for at most 100 values; not corrected for their number.</p>\
         <div class=\"scroll\"><table><thead>\
         <tr><th>tasks</th><th>measure</th><th class=\"number\">cells</th><th class=\"number\">\
         median, {OWN_DEFENSE}</th><th class=\"number\">median, other</th><th class=\"number\">\
         p-value</th><th class=\"number\">U</th><th class=\"number\">p-value, unpaired</th></tr>\
         </thead><tbody>{}</tbody></table></div></section>",
        rows.concat()
    )
}

fn limits(bundle: &Bundle) -> String {
    let scans = bundle.entries.iter().filter_map(|entry| entry.detail.scan.as_ref());
    let mut not_tested: Vec<&String> = Vec::new();
    for limit in scans.flat_map(|scan| &scan.not_tested) {
        if !not_tested.contains(&limit) {
            not_tested.push(limit);
        }
    }
    let items: Vec<String> =
        not_tested.iter().map(|it| format!("<li>{}</li>", with_code(it))).collect();
    let untested = if items.is_empty() {
        String::new()
    } else {
        format!("<p>The scans did not test:</p><ul>{}</ul>", items.concat())
    };
    format!(
        "<footer><h2>What this does not show</h2><p>“No trigger found” is not “clean”: it says \
         that this search found none. A planted trigger that was found in part only can be \
         removed all the same, and the other way round: what counts is what it does after the \
         repair. The paper's models, data and machines are others; its values stand beside ours \
         for their direction, not their size.</p>{untested}</footer>"
    )
}

fn arrow(before: Option<f64>, after: Option<f64>) -> String {
    let text = |share: Option<f64>| share.map_or("–".to_owned(), plain);
    if before.is_none() && after.is_none() {
        return text(None);
    }
    format!("{} → {}", text(before), text(after))
}

#[cfg(test)]
mod tests;
