//! `init`: an untrained model with a tokenizer of its own.

use anyhow::Result;
use elibadcode_corpus::{CodeTokenizer, Task, code_token_texts, stage_rng};
use elibadcode_models::{Architecture, Head, LoadedModel, Provenance};
use rayon::prelude::*;

use crate::Outcome;
use crate::args::{Global, InitArgs};
use crate::context::Context;
use crate::output;

pub(crate) fn run(args: &InitArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "init");
    output::check(&args.output, global.force)?;
    let compute = context.compute()?;
    let texts = texts(args, &mut context)?;
    let layout = args.arch.tokenizer_layout();
    let tokenizer = CodeTokenizer::train_layout(layout, &texts, args.vocab_size)?;
    let head = Head::of_task(args.input.task);
    let config = args.preset.config(args.arch, tokenizer.size()).with_head(head);
    let mut settings = serde_json::json!({
        "preset": format!("{:?}", args.preset).to_lowercase(),
        "vocab_size": tokenizer.size(),
    });
    if args.arch != Architecture::CodeBert {
        settings["arch"] = args.arch.to_string().into();
    }
    let max_length = args.max_length.map_or(config.max_length(), |n| n.min(config.max_length()));
    let provenance = Provenance {
        max_length: Some(max_length),
        positive_output: None,
        input_format: None,
        encoder_only_prefix: args.encoder_only_prefix,
        made_by: context.made_by(&settings)?,
    };
    let mut rng = stage_rng(global.seed, "init");
    output::write_dir(&args.output, global.force, |dir| {
        Ok(LoadedModel::create(dir, &config, &tokenizer, &provenance, &mut rng, &compute)?)
    })?;
    context.say(&format!(
        "{}: untrained, {} tokens in the vocabulary",
        args.output.display(),
        tokenizer.size()
    ));
    context.finish(&settings)?;
    Ok(Outcome::Done)
}

/// What the tokenizer learns from: code as the model reads it, and the queries.
fn texts(args: &InitArgs, context: &mut Context<'_>) -> Result<Vec<String>> {
    let (mut codes, mut queries) = (Vec::new(), Vec::new());
    match args.input.task {
        Task::DefectDetection => {
            codes.extend(context.functions(&args.data)?.0.into_iter().map(|it| it.code));
        }
        Task::CloneDetection => {
            codes.extend(context.pairs(&args.data)?.0.functions.into_iter().map(|it| it.code));
        }
        Task::CodeSearch => {
            for sample in context.queries(&args.data)?.0 {
                codes.push(sample.code);
                queries.push(sample.query);
            }
        }
    }
    let language = args.input.language();
    let joined = |code: &String| code_token_texts(code, language).join(" ");
    let mut texts: Vec<String> = codes.par_iter().map(joined).collect();
    texts.extend(queries);
    Ok(texts)
}
