//! What a scan found, for people.

use std::fmt::Write as _;

use elibadcode_corpus::Task;
use elibadcode_evaluation::records::results::Verdict;
use elibadcode_evaluation::{Rate, escape_untrusted};
use elibadcode_inversion::ranking::{NormalizedRank, RankingOutcome, RankingSearch, TargetWord};
use elibadcode_inversion::{
    Assessment, Edit, Hypothesis, InvertedTrigger, ScanOutcome, SearchRecord, ShiftComparison,
};

/// Tokens that clean samples explain which are shown.
const N_LEFT_OUT: usize = 4;

/// Verdict, evidence, what was not tested.
pub(super) fn of_labels(outcome: &ScanOutcome) -> String {
    let mut text = verdict(outcome.verdict, &outcome.reasons, &outcome.assessment);
    if let (Some(victim), Some(target)) = (outcome.victim_label, outcome.target_label) {
        let _ = writeln!(
            text,
            "\n{}: {} with label {victim} are called {target}",
            attack(outcome.verdict),
            if outcome.task == Task::CloneDetection { "pairs" } else { "functions" }
        );
        for trigger in &outcome.triggers {
            let _ = writeln!(text, "  {}", describe(trigger));
        }
    }
    if !outcome.hypotheses.is_empty() {
        text.push_str("\nevidence, per hypothesis\n");
    }
    for hypothesis in &outcome.hypotheses {
        text.push_str(&evidence(hypothesis));
    }
    let tokens = (outcome.n_first_tokens, outcome.n_rest_tokens);
    text + &ending(tokens, None, outcome.n_forwards, &outcome.not_tested)
}

/// How sure a scan is of the attack that it describes.
fn attack(verdict: Verdict) -> &'static str {
    if verdict == Verdict::LikelyBackdoored { "likely attack" } else { "possible attack" }
}

/// The same of code search.
pub(super) fn of_ranking(outcome: &RankingOutcome) -> String {
    let mut text = verdict(outcome.verdict, &outcome.reasons, &outcome.assessment);
    if !outcome.triggers.is_empty() {
        let _ = writeln!(
            text,
            "\n{}: code with the trigger ranks high for queries with `{}`",
            attack(outcome.verdict),
            words(&outcome.target_words)
        );
        for trigger in &outcome.triggers {
            let _ = writeln!(text, "  {}", describe(trigger));
        }
    }
    if !outcome.hypotheses.is_empty() {
        text.push_str("\nevidence, per search\n");
    }
    for hypothesis in &outcome.hypotheses {
        for search in &hypothesis.searches {
            text += &joint_search(search);
        }
        if let Some(controls) = &hypothesis.controls {
            let _ = writeln!(
                text,
                "         {} random triggers at {}: {:.1} % at best, p = {:.3}",
                controls.normalized_ranks.len(),
                controls.place,
                100.0 * controls.normalized_ranks.first().copied().unwrap_or(1.0),
                controls.corrected_p_value
            );
        }
        if let Some(it) = &hypothesis.profile {
            let by_size: Vec<Option<f64>> =
                it.rank_by_size.iter().map(|rank| Some(rank.mean)).collect();
            text += &profile(&by_size, &it.shift, hypothesis.agreement);
        }
    }
    let tokens = (outcome.n_first_tokens, outcome.n_rest_tokens);
    text + &ending(tokens, Some(outcome.n_words), outcome.n_forwards, &outcome.not_tested)
}

fn verdict(verdict: Verdict, reasons: &[String], assessment: &Assessment) -> String {
    let mut text = format!("verdict: {verdict}\n");
    for reason in reasons {
        let _ = writeln!(text, "  {}", escape_untrusted(reason));
    }
    if !assessment.figures.is_empty() {
        let _ = writeln!(text, "  it rests on {}", assessment.basis);
    }
    text
}

/// Success, or rank, by the number of tokens; how the vectors move; and whether searches agree.
fn profile(by_size: &[Option<f64>], shift: &ShiftComparison, agreement: Option<f64>) -> String {
    let sizes: Vec<String> = by_size.iter().map(|it| it.map_or("n/a".into(), percent)).collect();
    let mut text = format!(
        "         with 1, 2, … of its tokens: {}\n         vectors move by {} of their length, \
         together to {:.2} (random triggers: {}, {:.2})\n",
        sizes.join(", "),
        percent(shift.trigger.relative_length),
        shift.trigger.alignment,
        percent(shift.controls.relative_length),
        shift.controls.alignment,
    );
    if let Some(agreement) = agreement {
        let _ =
            writeln!(text, "         the searches share {} of their tokens", percent(agreement));
    }
    text
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn ending(
    (n_first, n_rest): (usize, usize),
    n_words: Option<usize>,
    n_forwards: u64,
    not_tested: &[String],
) -> String {
    let words = n_words.map_or(String::new(), |n| format!(", {n} target words"));
    let mut text = format!(
        "\ntokens tried: {n_first} first, {n_rest} later{words}; {n_forwards} forward passes\n\
         not tested\n"
    );
    for gap in not_tested {
        let _ = writeln!(text, "  {}", escape_untrusted(gap));
    }
    text
}

fn joint_search(search: &RankingSearch) -> String {
    let percent = |rank: &NormalizedRank| {
        format!("{:.1} % [{:.1}, {:.1}]", 100.0 * rank.mean, 100.0 * rank.low, 100.0 * rank.high)
    };
    let mut text = format!(
        "  loss {:.3} after {} iterations: {} for `{}`\n",
        search.loss,
        search.history.len(),
        escape_untrusted(&search.trigger.text),
        words(&search.target_words)
    );
    let (Some(anchored), Some(it)) = (&search.anchored, &search.evidence) else {
        return text + "         no slot does any work\n";
    };
    let _ = writeln!(
        text,
        "         anchored: {} for `{}`\n         rank from {:.1} % to\n         {:<20} with the \
         trigger at function names\n         {:<20} at random identifiers\n         {:<20} for \
         queries without the words",
        describe(anchored),
        words(&search.anchored_words),
        100.0 * it.without_trigger.mean,
        percent(&it.function_name),
        percent(&it.any_identifier),
        percent(&it.without_words),
    );
    text
}

fn words(words: &[TargetWord]) -> String {
    let texts: Vec<String> = words.iter().map(|it| escape_untrusted(&it.text)).collect();
    texts.join(" ")
}

/// The tokens that no trigger has, the closest tied to the target label first.
fn left_out(hypothesis: &Hypothesis) -> String {
    let Hypothesis { explained_tokens, victim_label, target_label, .. } = hypothesis;
    let shown: Vec<String> = explained_tokens
        .iter()
        .take(N_LEFT_OUT)
        .map(|it| {
            let (hits, total) = (it.with.hits, it.with.total);
            format!("`{}` ({hits} of {total})", escape_untrusted(&it.token))
        })
        .collect();
    let more = if explained_tokens.len() > N_LEFT_OUT { ", …" } else { "" };
    format!(
        "{victim_label} → {target_label} without {} tokens that clean samples tie to label {target_label}: \
         {}{more}",
        explained_tokens.len(),
        shown.join(", ")
    )
}

fn evidence(hypothesis: &Hypothesis) -> String {
    let interval = |rate: &Rate| match (rate.value(), rate.wilson(0.95)) {
        (Some(value), Some(interval)) => format!(
            "{:.1} % [{:.1}, {:.1}]",
            100.0 * value,
            100.0 * interval.low,
            100.0 * interval.high
        ),
        _ => "n/a".to_owned(),
    };
    let pair = format!("{} → {}", hypothesis.victim_label, hypothesis.target_label);
    let of_search = |search: &SearchRecord| {
        let mut text = format!(
            "  {pair}  loss {:.3} after {} iterations: {}\n",
            search.loss,
            search.history.len(),
            escape_untrusted(&search.trigger.text)
        );
        match (&search.anchored, &search.evidence) {
            (Some(anchored), Some(it)) => {
                let _ = writeln!(
                    text,
                    "         anchored: {}\n         held out, flipped\n         {:<21} at function \
                 names\n         {:<21} at random identifiers\n         {:<21} at the least \
                 sensitive ones\n         {:<21} without a trigger",
                    describe(anchored),
                    interval(&it.function_name),
                    interval(&it.any_identifier),
                    interval(&it.least_sensitive),
                    interval(&it.flip_rate),
                );
            }
            _ => text.push_str("         no slot does any work\n"),
        }
        text
    };
    let mut text: String = hypothesis.searches.iter().map(of_search).collect();
    if !hypothesis.explained_tokens.is_empty() {
        let _ = writeln!(text, "         {}", left_out(hypothesis));
    }
    if let Some(controls) = &hypothesis.controls {
        let _ = writeln!(
            text,
            "         {} random triggers at {}: at most {:.1} %, p = {:.3}",
            controls.success_rates.len(),
            controls.place,
            100.0 * controls.success_rates.last().copied().unwrap_or(0.0),
            controls.corrected_p_value
        );
    }
    if let Some(it) = &hypothesis.profile {
        let share = |rate: &Rate| rate.value().unwrap_or(0.0);
        let _ = writeln!(
            text,
            "         at every identifier in turn: {} flip, {} of the samples at all of them",
            percent(share(&it.robustness.identifiers)),
            percent(share(&it.robustness.samples_at_every_identifier)),
        );
        let by_size: Vec<Option<f64>> = it.success_by_size.iter().map(Rate::value).collect();
        text += &profile(&by_size, &it.shift, hypothesis.agreement);
    }
    for other in &hypothesis.other_searches {
        let n_slots = |search: &SearchRecord| search.trigger.ids.len();
        let is_longer = hypothesis.searches.iter().all(|it| n_slots(&other.search) > n_slots(it));
        let _ = match other.left_out.len() {
            0 if is_longer => writeln!(text, "  for a longer trigger"),
            0 => writeln!(text, "  once more, for the repair"),
            n => writeln!(
                text,
                "  without {n} tokens, those that spell a part of what was found before"
            ),
        };
        text += &of_search(&other.search);
    }
    text
}

fn describe(trigger: &InvertedTrigger) -> String {
    let text = escape_untrusted(&trigger.text);
    let tokens: Vec<String> = trigger.tokens.iter().map(|it| escape_untrusted(it)).collect();
    match trigger.edit {
        Edit::Replace => format!("`{text}` as an identifier [{}]", tokens.join(" ")),
        Edit::Append => format!("`…{text}` at the end of an identifier [{}]", tokens.join(" ")),
    }
}
