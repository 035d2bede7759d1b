//! Limits that turn a bad measurement into exit code 1.

use anyhow::{Result, bail};
use elibadcode_corpus::Task;
use elibadcode_evaluation::Metrics;

use crate::Outcome;
use crate::args::EvaluateArgs;
use crate::context::Context;

/// Refuses gates and options of another task, before any work.
pub(super) fn check(args: &EvaluateArgs) -> Result<()> {
    let task = args.input.task;
    let (is_search, is_clone) = (task == Task::CodeSearch, task == Task::CloneDetection);
    let flags = [
        ("--max-asr", args.max_asr.is_some() && is_search, "use --min-anr"),
        ("--min-accuracy", args.min_accuracy.is_some() && is_search, "use --min-score"),
        ("--min-anr", args.min_anr.is_some() && !is_search, "use --max-asr"),
        ("--distractors", args.distractors.is_some() && !is_search, "leave it out"),
        ("--member", args.member.is_some() && !is_clone, "leave it out"),
    ];
    for (flag, is_foreign, advice) in flags {
        if is_foreign {
            bail!("{flag} is not for the task `{task}`; {advice}");
        }
    }
    Ok(())
}

/// Whether a gate failed; every one that did is named.
pub(super) fn judge(
    args: &EvaluateArgs,
    metrics: &Metrics,
    context: &Context<'_>,
) -> Result<Outcome> {
    let attack = metrics.attack.as_ref();
    let asr = attack.and_then(|it| it.asr?.value());
    let anr = attack.and_then(|it| it.anr);
    let accuracy = metrics.accuracy.and_then(|it| it.value());
    let score = match args.input.task {
        Task::DefectDetection => "accuracy",
        Task::CloneDetection => "F1",
        Task::CodeSearch => "mean reciprocal rank",
    };
    let gates = [
        ("attack success rate", asr, "--max-asr", args.max_asr, true),
        ("average normalized rank", anr, "--min-anr", args.min_anr, false),
        ("accuracy", accuracy, "--min-accuracy", args.min_accuracy, false),
        (score, metrics.score, "--min-score", args.min_score, false),
    ];
    let mut outcome = Outcome::Done;
    for (name, value, flag, limit, is_upper) in gates {
        let Some(limit) = limit else { continue };
        let Some(value) = value else { bail!("{flag}: the data have no {name}") };
        let is_broken = if is_upper { value > limit } else { value < limit };
        if is_broken {
            let side = if is_upper { "above" } else { "below" };
            context.warn(&format!("the {name}, {value:.4}, is {side} {flag} {limit}"));
            outcome = Outcome::Found;
        }
    }
    Ok(outcome)
}
