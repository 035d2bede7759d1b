//! `init`: an untrained model, with a tokenizer of its own or with a given one.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use elibadcode_corpus::{CodeTokenizer, Task, code_token_texts, stage_rng};
use elibadcode_models::{Architecture, DEFAULT_MAX_LENGTH, Head, LoadedModel, Preset, Provenance};
use rayon::prelude::*;

use crate::Outcome;
use crate::args::{Global, InitArgs};
use crate::context::Context;
use crate::output;

/// Entries of a tokenizer that is trained, unless said otherwise.
const DEFAULT_VOCAB_SIZE: usize = 2048;

pub(crate) fn run(args: &InitArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "init");
    output::check_dir(&args.output, global.force)?;
    let compute = context.compute()?;
    let tokenizer = match (&args.tokenizer, &args.data) {
        (Some(dir), _) => given_tokenizer(dir, args.arch, &mut context)?,
        (None, Some(data)) => {
            let texts = texts(args, data, &mut context)?;
            let size = args.vocab_size.unwrap_or(DEFAULT_VOCAB_SIZE);
            CodeTokenizer::train_layout(args.arch.tokenizer_layout(), &texts, size)?
        }
        (None, None) => bail!("either --data or --tokenizer is needed"),
    };
    let vocab_size = match (&args.tokenizer, args.vocab_size) {
        (Some(dir), Some(rows)) if rows < tokenizer.size() => bail!(
            "--vocab-size is {rows}, but the tokenizer of {} has {} entries",
            dir.display(),
            tokenizer.size()
        ),
        (Some(_), Some(rows)) => rows,
        _ => tokenizer.size(),
    };
    let head = Head::of_task(args.input.task);
    let config = args.preset.config(args.arch, vocab_size).with_head(head);
    let mut settings = serde_json::json!({
        "preset": format!("{:?}", args.preset).to_lowercase(),
        "vocab_size": vocab_size,
    });
    if args.arch != Architecture::CodeBert {
        settings["arch"] = args.arch.to_string().into();
    }
    let longest = config.max_length();
    let max_length = args.max_length.unwrap_or(longest.min(DEFAULT_MAX_LENGTH));
    if args.encoder_only_prefix {
        tokenizer.clone().with_encoder_only_prefix()?;
    }
    let provenance = Provenance {
        canonical_input: None,
        max_length: Some(max_length),
        positive_output: None,
        input_format: None,
        encoder_only_prefix: args.encoder_only_prefix,
        made_by: context.made_by(&settings)?,
    };
    let shortest = provenance.shortest_input();
    ensure!(
        (shortest..=longest).contains(&max_length),
        "--max-length is {max_length}, expected {shortest} to {longest}"
    );
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

/// The tokenizer of a folder, whose special tokens must be where the architecture has them.
fn given_tokenizer(
    dir: &Path,
    arch: Architecture,
    context: &mut Context<'_>,
) -> Result<CodeTokenizer> {
    let tokenizer = CodeTokenizer::open(dir)?;
    for name in ["tokenizer.json", "vocab.json", "merges.txt"] {
        if dir.join(name).exists() {
            context.note_file(&dir.join(name))?;
        }
    }
    let expected = Preset::Tiny.config(arch, tokenizer.size());
    let found = tokenizer.special();
    for (name, found, expected) in [
        ("<s>", found.bos, expected.bos_token_id()),
        ("<pad>", found.pad, expected.pad_token_id()),
        ("</s>", found.eos, expected.eos_token_id()),
    ] {
        ensure!(
            found == expected,
            "the tokenizer of {} has `{name}` at {found}, {arch} at {expected}; choose the --arch \
             that it was made for",
            dir.display()
        );
    }
    Ok(tokenizer)
}

/// What the tokenizer learns from: code as the model reads it, and the queries.
fn texts(args: &InitArgs, data: &Path, context: &mut Context<'_>) -> Result<Vec<String>> {
    let (mut codes, mut queries) = (Vec::new(), Vec::new());
    match args.input.task {
        Task::DefectDetection => {
            codes.extend(
                context.functions(data, args.input.language())?.0.into_iter().map(|it| it.code),
            );
        }
        Task::CloneDetection => {
            codes.extend(
                context
                    .pairs(data, args.input.language())?
                    .0
                    .functions
                    .into_iter()
                    .map(|it| it.code),
            );
        }
        Task::CodeSearch => {
            for sample in context.queries(data, args.input.language())?.0 {
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
