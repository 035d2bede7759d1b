//! `purify --task search`.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use elibadcode_corpus::Task;
use elibadcode_evaluation::escape_untrusted;
use elibadcode_inversion::InvertedTrigger;
use elibadcode_inversion::ranking::{RankingOutcome, TargetWord};
use elibadcode_models::LoadedModel;
use elibadcode_unlearning::{RankingChecks, Unlearned, UnlearningConfig, unlearn_search};
use serde_json::json;

use super::{
    check_subject, conclude, doubt, few_samples, hand_written_trigger, nothing_to_unlearn,
    read_scan, rounds, show,
};
use crate::args::PurifyArgs;
use crate::context::Context;

/// Repairs a search model; whether the repair was accepted.
pub(super) fn run(
    args: &PurifyArgs,
    config: &UnlearningConfig,
    context: &mut Context<'_>,
) -> Result<bool> {
    let (model, model_hash) = context.model_for(&args.model, Task::CodeSearch)?;
    let (clean, _) = context.queries(&args.data, args.input.language())?;
    let Found { triggers, words, doubt } = found(args, context, &model, &model_hash)?;
    let ids: Vec<Vec<u32>> =
        words.iter().map(|word| word.iter().map(|token| token.id).collect()).collect();
    let words = words.concat();
    let language = args.input.language();
    let seed = context.global.seed;
    let mut observe = |event| show(context, "unlearning", event);
    let result =
        unlearn_search(&model, &clean, language, &triggers, &ids, config, seed, &mut observe)?;
    let summary = summary(&result, &triggers, &words, args, config) + doubt;
    let unlearned = json!({ "triggers": triggers, "target_words": words });
    conclude(args, config, context, model, unlearned, result, &summary)
}

/// What is to be unlearned.
struct Found {
    triggers: Vec<InvertedTrigger>,
    /// Each of one token or several.
    words: Vec<Vec<TargetWord>>,
    /// What is to be said of the scan that found it.
    doubt: &'static str,
}

/// The triggers and target words, from a scan of this very model or by hand.
fn found(
    args: &PurifyArgs,
    context: &mut Context<'_>,
    model: &LoadedModel,
    model_hash: &str,
) -> Result<Found> {
    if let Some(trigger) = hand_written_trigger(args, model)? {
        let Some(word) = &args.target_word else {
            bail!("--trigger for --task search needs --target-word too");
        };
        if word.is_empty() || word.contains(char::is_whitespace) {
            bail!("--target-word `{word}`: expected one word");
        }
        let ids = model.tokenizer.word(word, true);
        let words = ids.iter().map(|&id| TargetWord { text: model.tokenizer.entry(id), id });
        return Ok(Found { triggers: vec![trigger], words: vec![words.collect()], doubt: "" });
    }
    let Some(path) = &args.scan else { bail!("--scan or --trigger is needed") };
    let scan: RankingOutcome = read_scan(context, path, args.input.task)?;
    let languages = (scan.language, args.input.language());
    let readings = (&scan.reading, &model.reading());
    check_subject(path, languages, readings, (&scan.model_hash, model_hash))?;
    if scan.triggers.is_empty() {
        bail!(nothing_to_unlearn(path, scan.verdict));
    }
    // Searches of one word each found alternatives, others a phrase.
    let words = match scan.config.target_len {
        1 => scan.target_words.into_iter().map(|word| vec![word]).collect(),
        _ => vec![scan.target_words],
    };
    Ok(Found { triggers: scan.triggers, words, doubt: doubt(scan.verdict) })
}

fn summary(
    result: &Unlearned<RankingChecks>,
    triggers: &[InvertedTrigger],
    words: &[TargetWord],
    args: &PurifyArgs,
    config: &UnlearningConfig,
) -> String {
    let mut text = String::new();
    let names: Vec<String> =
        triggers.iter().map(|it| format!("`{}`", escape_untrusted(&it.text))).collect();
    let words: Vec<String> =
        words.iter().map(|it| format!("`{}`", escape_untrusted(&it.text))).collect();
    let _ = writeln!(text, "unlearned: {} for queries with {}", names.join(", "), words.join(", "));
    let n_searched: usize = result.way().iter().map(|it| it.searched.len()).sum();
    if n_searched > 0 {
        let _ = writeln!(text, "and {n_searched} more that were searched for before the rounds");
    }
    let _ = writeln!(text, "{:<46}{:>8}{:>8}", "on clean samples kept aside", "before", "after");
    let after = result.decisive().map(|it| &it.after);
    let mut line = |name: &str, value: fn(&RankingChecks) -> String| {
        let after = after.map_or(String::new(), value);
        let _ = writeln!(text, "{name:<46}{:>8}{after:>8}", value(&result.before));
    };
    line("mean reciprocal rank", |it| format!("{:.3}", it.mrr));
    line("rank of code with the inverted trigger", |it| percent(it.normalized_rank));
    line("rank of code with random triggers there", |it| percent(it.control));
    line("rank of the same code without a trigger", |it| percent(it.without_trigger));
    line("queries that these ranks rest on", |it| it.n_ranked.to_string());
    if let Some(attempt) = result.decisive() {
        let _ = writeln!(
            text,
            "the mean reciprocal rank fell by {:.3} to {:.3} (90 % interval)",
            attempt.score_drop.low, attempt.score_drop.high
        );
        text.push_str(few_samples(&attempt.score_drop, config.limits.accuracy_drop));
    }
    text + &rounds(result, args, config)
}

fn percent(value: f64) -> String {
    format!("{:.1} %", 100.0 * value)
}
