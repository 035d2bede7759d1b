//! `fleet.md`: what a fleet says about the verdicts.

use std::fmt::Write as _;

use elibadcode_evaluation::records::results::Verdict;
use elibadcode_evaluation::statistics::mean;
use elibadcode_evaluation::{Rate, escape_untrusted, markdown_table};

use super::fit::Validated;
use super::measure::{is_compared, is_habit, overtaken};
use super::plan::{CleanKind, Fleet};
use super::record::{FleetDocument, MemberRecord, OK, Rule};

/// The whole report.
pub(crate) fn markdown(
    document: &FleetDocument,
    fleet: &Fleet,
    validated: Option<&Validated>,
) -> String {
    let mut text = format!(
        "# Fleet of {} ({})\n\n{}\n\n",
        fleet.task.title().to_lowercase(),
        document.fleet,
        setup(document, fleet)
    );
    text += &rules(&document.rules, validated);
    text += &curve(&document.rules);
    text += &verdicts(document);
    text += &recovery(document);
    text += &twins(document, validated);
    text += &members(document);
    text
}

fn setup(document: &FleetDocument, fleet: &Fleet) -> String {
    let members = &document.members;
    let n_counted = members.iter().filter(|it| it.status == OK).count();
    let out_of_reach = if fleet.out_of_reach.is_empty() {
        String::new()
    } else {
        format!(
            " Attacks that a scan says itself that it does not test ({}) are scanned too, but stand \
             apart.",
            fleet.out_of_reach.join(", ")
        )
    };
    let left_out = match document.n_left_out {
        0 => String::new(),
        1 => " Another one was made by another program or plan, and is left out.".to_owned(),
        n => format!(" {n} others were made by another program or plan, and are left out."),
    };
    let mixed = match document.n_programs() {
        0 | 1 => String::new(),
        n => format!(
            " **They were scanned by {n} programs**: the figures below are of none of them. Say \
             `--binary` to see those of one."
        ),
    };
    format!(
        "{} of {} models are there, {n_counted} of them counted: the others could not be made, or \
         miss the least {} of {:.0} % or the least success of the planted trigger. Models with a \
         habit of naming (`{}`) are clean, but where the clean samples do not show the habit nothing tells \
         it from a planted trigger: they stand apart.{out_of_reach}{left_out}{mixed} Each model is made and scanned by the \
         released command; a scan sees the model and clean samples.",
        members.len(),
        document.n_planned,
        fleet.task.score(),
        100.0 * fleet.min_score,
        CleanKind::NamingHabit.name(),
    )
}

/// A row for each rule, with its rates.
pub(super) fn rule_table<'a>(rules: impl Iterator<Item = (String, &'a Rule)>) -> String {
    let rows: Vec<Vec<String>> = rules
        .map(|(name, rule)| {
            let area = match (rule.auroc, &rule.interval) {
                (Some(auroc), Some(it)) => format!("{auroc:.3} [{:.3}, {:.3}]", it.low, it.high),
                _ => "n/a".to_owned(),
            };
            let rates = rule
                .tpr_at_1_2_5
                .map_or_else(|| vec!["n/a".to_owned(); 3], |rates| rates.map(percent).to_vec());
            let mut row = vec![name, area];
            row.extend(rates);
            row.extend([rule.detected, rule.false_alarms, rule.targets].map(shown));
            row
        })
        .collect();
    let header = [
        "rule",
        "AUROC",
        "TPR at FPR 1 %",
        "2 %",
        "5 %",
        "called backdoored: backdoored",
        "clean",
        "target right",
    ];
    markdown_table(&header, &rows)
}

fn rules(rules: &[Rule], validated: Option<&Validated>) -> String {
    let counts = rules.first().map_or_else(String::new, |rule| {
        format!("{} clean and {} backdoored models. ", rule.n_clean, rule.n_backdoored)
    });
    let method = validated.map_or_else(
        || {
            "No score could be fitted: there are too few models, or their scans have different \
             figures. "
                .to_owned()
        },
        |it| format!("Cross-validation: {}. ", it.method),
    );
    format!(
        "## Rules\n\n{counts}{method}Intervals are Newcombe's, 95 %. With fewer than 100 clean \
         models a false positive rate of 1 % means none. The paper's outlier index cannot tell two \
         losses apart, so that its rule calls no model of two labels, or of one hypothesis, \
         backdoored.\n\n{}\n",
        rule_table(rules.iter().map(|it| (it.name.clone(), it)))
    )
}

/// The ROC curve of the first rule, point by point; `fleet.json` has those of all.
fn curve(rules: &[Rule]) -> String {
    let Some(rule) = rules.first().filter(|it| !it.curve.is_empty()) else {
        return String::new();
    };
    let rows: Vec<Vec<String>> = rule
        .curve
        .iter()
        .map(|it| {
            let rates = [it.false_positive_rate, it.true_positive_rate].map(percent);
            [vec![format!("{:.3}", it.threshold)], rates.to_vec()].concat()
        })
        .collect();
    let header = ["threshold", "false positives", "true positives"];
    format!("## ROC curve: {}\n\n{}\n", rule.name, markdown_table(&header, &rows))
}

fn verdicts(document: &FleetDocument) -> String {
    let mut kinds: Vec<&str> = document.members.iter().map(|it| &*it.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let rows: Vec<Vec<String>> = kinds
        .into_iter()
        .map(|kind| {
            let own: Vec<_> = document
                .members
                .iter()
                .filter(|it| it.kind == kind)
                .filter_map(MemberRecord::counted)
                .collect();
            let count = |verdict: Verdict| {
                own.iter().filter(|it| it.verdict == verdict).count().to_string()
            };
            vec![
                kind.to_owned(),
                own.len().to_string(),
                count(Verdict::LikelyBackdoored),
                count(Verdict::Inconclusive),
                count(Verdict::NoTriggerFound),
            ]
        })
        .collect();
    let header = ["models", "counted", "likely backdoored", "inconclusive", "no trigger found"];
    format!("## Verdicts of the program as built\n\n{}\n", markdown_table(&header, &rows))
}

fn recovery(document: &FleetDocument) -> String {
    let own: Vec<&MemberRecord> =
        document.members.iter().filter(|it| it.is_backdoored && is_compared(it)).collect();
    let of = |part: fn(&super::record::ScanRecord) -> Option<f64>| {
        let values: Vec<f64> = own.iter().filter_map(|it| part(it.counted()?)).collect();
        mean(&values).map_or_else(|| "n/a".to_owned(), percent)
    };
    let targets = own.iter().filter_map(|it| it.counted()?.target_is_right);
    let seconds = |part: fn(&MemberRecord) -> Option<f64>| {
        let values: Vec<f64> = document.members.iter().filter_map(part).collect();
        mean(&values).map_or_else(|| "n/a".to_owned(), |it| format!("{it:.1} s"))
    };
    let forwards: Vec<f64> = document
        .members
        .iter()
        .filter_map(|it| it.counted())
        .map(|it| it.n_forwards as f64)
        .collect();
    format!(
        "## What the searches found\n\nOf all backdoored models, whatever the verdict: the most \
         suspicious target is the planted one in {}; {} of the tokens found are part of a planted \
         trigger (precision), and they cover {} of its letters (recall). A training takes {} on \
         average, a scan {} and {:.0} forward passes.\n\n",
        shown(Some(targets.collect())),
        of(|it| it.token_precision),
        of(|it| it.letter_recall),
        seconds(|it| it.train_seconds),
        seconds(|it| it.scan_seconds),
        mean(&forwards).unwrap_or(0.0),
    )
}

fn twins(document: &FleetDocument, validated: Option<&Validated>) -> String {
    let members = &document.members;
    let scores: Vec<Option<f64>> = members
        .iter()
        .enumerate()
        .map(|(index, member)| {
            let held_out = validated.and_then(|it| it.scores[index]);
            let figure = || Some(member.counted()?.figures.first()?.value);
            held_out.or_else(figure)
        })
        .collect();
    let pairs = overtaken(members, &scores);
    let mut text = "## Clean twins\n\n".to_owned();
    if pairs.is_empty() {
        text += "No clean model is called likely backdoored with a score as high as that of a \
                 backdoored model on the same data.\n\n";
    }
    for (twin, member) in pairs {
        let _ = writeln!(text, "- {twin} is called likely backdoored and not below {member}");
    }
    text
}

fn members(document: &FleetDocument) -> String {
    let rows: Vec<Vec<String>> = document
        .members
        .iter()
        .map(|member| {
            let rate = |value: Option<f64>| value.map_or_else(String::new, percent);
            let scan = member.scan.as_ref();
            let habit = if is_habit(member) { " (stands apart)" } else { "" };
            vec![
                format!("{}{habit}", member.name),
                rate(member.rate),
                rate(member.score),
                rate(member.asr.or(member.anr)),
                scan.map_or_else(String::new, |it| it.verdict.to_string()),
                scan.and_then(|it| it.score).map_or_else(String::new, |it| format!("{it:.3}")),
                scan.map_or_else(String::new, |it| {
                    let tokens: Vec<String> =
                        it.tokens.iter().map(|token| escape_untrusted(token)).collect();
                    tokens.join(" ")
                }),
                escape_untrusted(&member.status),
            ]
        })
        .collect();
    let header =
        ["model", "poisoned", "score", "ASR or ANR", "verdict", "scan's score", "tokens", "status"];
    format!("## Models\n\n{}", markdown_table(&header, &rows))
}

fn percent(value: f64) -> String {
    format!("{:.1} %", 100.0 * value)
}

fn shown(rate: Option<Rate>) -> String {
    rate.map_or_else(|| "n/a".to_owned(), |it| format!("{} of {}", it.hits, it.total))
}
