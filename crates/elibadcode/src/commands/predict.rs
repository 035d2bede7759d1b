//! `predict`: what a model answers, function by function.

use anyhow::{Result, bail};
use elibadcode_corpus::Task;
use elibadcode_evaluation::{inner_product, rank};
use elibadcode_models::{Head, LoadedModel, predicted_label};
use elibadcode_syntax::Language;
use rayon::prelude::*;
use serde::Serialize;

use crate::Outcome;
use crate::args::{Global, PredictArgs};
use crate::context::Context;
use crate::output;
use crate::unlabelled::Unlabelled;

/// Codes that a query finds first.
const N_FOUND: usize = 5;

/// A line of the output.
#[derive(Serialize)]
struct Line<'a> {
    /// The line of the file, the ids of the pair, or the id of the function.
    place: &'a str,
    #[serde(flatten)]
    answer: Answer<'a>,
    /// Tokens that the model reads of the function, or of each of the pair, special ones included.
    n_tokens: Vec<usize>,
    /// Whether there are more that it does not read.
    is_cut: bool,
    /// Whether some part is no code of the language.
    has_errors: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer<'a> {
    /// Defect and clone detection.
    Label {
        label: u8,
        /// Of label 1.
        probability: f64,
        /// Of label 1: the difference of two outputs, or the only one.
        log_odds: f32,
    },
    /// Code search: where a query finds its own code among all, 1 is best; ties count half.
    Found { query: &'a str, rank: f64, found: Vec<Hit<'a>> },
}

#[derive(Serialize)]
struct Hit<'a> {
    place: &'a str,
    /// The cosine of the two vectors.
    similarity: f32,
}

/// A function as the model reads it.
struct Read {
    ids: Vec<u32>,
    is_cut: bool,
    has_errors: bool,
}

impl Read {
    fn new(model: &LoadedModel, code: &str, language: Language) -> Self {
        let function = model.read(code, language);
        let encoded = model.encode_function(&function);
        Self { ids: encoded.ids, is_cut: encoded.truncated, has_errors: function.has_errors() }
    }
}

pub(crate) fn run(args: &PredictArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "predict");
    if let Some(path) = &args.output {
        output::check_file(path, global.force)?;
    }
    let (task, language) = (args.input.task, args.input.language());
    if args.n.is_some() && task != Task::CodeSearch {
        bail!("-n is not for the task `{task}`; leave it out");
    }
    let asked = Unlabelled::read((task, language), &args.data, &mut context)?;
    let (model, _) = context.model_for(&args.model, task)?;
    let read: Vec<Read> =
        asked.functions.par_iter().map(|code| Read::new(&model, code, language)).collect();
    context.say_cut(read.iter().filter(|it| it.is_cut).count(), read.len(), &model);
    let n_found = args.n.unwrap_or(N_FOUND);
    let answers = match model.network.head() {
        Head::Embedding => searched(&model, &asked, &read, n_found),
        Head::Classification | Head::Pair => labelled(&model, &asked, &read),
    };
    let mut text = String::new();
    for (subject, answer) in asked.asked.iter().zip(answers) {
        let members: Vec<&Read> = subject.members.iter().map(|&index| &read[index]).collect();
        let line = Line {
            place: &subject.place,
            answer,
            n_tokens: members.iter().map(|it| it.ids.len()).collect(),
            is_cut: members.iter().any(|it| it.is_cut),
            has_errors: members.iter().any(|it| it.has_errors),
        };
        text += &serde_json::to_string(&line)?;
        text.push('\n');
    }
    match &args.output {
        Some(path) => output::write_file(path, |out| Ok(out.write_all(text.as_bytes())?))?,
        None => context.print(&text)?,
    }
    context.finish(&serde_json::json!({ "task": task, "language": language, "n": args.n }))?;
    Ok(Outcome::Done)
}

/// The labels of functions, or of pairs.
fn labelled<'a>(model: &LoadedModel, asked: &Unlabelled, read: &[Read]) -> Vec<Answer<'a>> {
    let rows: Vec<&[u32]> = read.iter().map(|it| &*it.ids).collect();
    let log_odds = if model.network.head() == Head::Pair {
        let vectors = model.network.vectors(&rows);
        let member = |which: usize| -> Vec<&[f32]> {
            asked.asked.iter().map(|pair| &*vectors[pair.members[which]]).collect()
        };
        model.network.pair_log_odds(&member(0), &member(1))
    } else {
        model.network.log_odds(&rows)
    };
    let answer = |log_odds: f32| Answer::Label {
        label: predicted_label(log_odds),
        probability: 1.0 / (1.0 + (-f64::from(log_odds)).exp()),
        log_odds,
    };
    log_odds.into_iter().map(answer).collect()
}

/// The `n` codes that each query finds first, and where its own stands.
fn searched<'a>(
    model: &LoadedModel,
    asked: &'a Unlabelled,
    read: &[Read],
    n: usize,
) -> Vec<Answer<'a>> {
    let rows: Vec<&[u32]> = read.iter().map(|it| &*it.ids).collect();
    let codes = model.network.vectors(&rows);
    let queries: Vec<Vec<u32>> =
        asked.queries.par_iter().map(|query| model.encode_query(query)).collect();
    let queries = model.network.vectors(&queries);
    let answer = |(own, vector): (usize, &Vec<f32>)| {
        let scores: Vec<f32> = codes.iter().map(|code| inner_product(vector, code)).collect();
        let mut best: Vec<usize> = (0..scores.len()).collect();
        best.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let hit = |&code: &usize| Hit { place: &asked.asked[code].place, similarity: scores[code] };
        Answer::Found {
            query: &asked.queries[own],
            rank: rank(&scores, own),
            found: best.iter().take(n).map(hit).collect(),
        }
    };
    queries.par_iter().enumerate().map(answer).collect()
}
