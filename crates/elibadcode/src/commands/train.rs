//! `init` and `train`: models to work on.

use anyhow::{Result, bail};
use elibadcode_corpus::{CodeTokenizer, DefectSample, LabelledIds, code_token_texts, stage_rng};
use elibadcode_models::{
    Architecture, Head, LoadedModel, ModelDir, Provenance, TrainingConfig, TrainingEvent, fine_tune,
};
use elibadcode_syntax::Language;

use crate::Outcome;
use crate::args::{Global, InitArgs, TrainArgs};
use crate::context::Context;
use crate::output;

pub(crate) fn init(args: &InitArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "init");
    output::check(&args.output, global.force)?;
    let compute = context.compute()?;
    let (samples, _) = context.samples(&args.input, &args.data)?;
    let language = args.input.language();
    let texts: Vec<String> =
        samples.iter().map(|sample| code_token_texts(&sample.code, language).join(" ")).collect();
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

pub(crate) fn run(args: &TrainArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "train");
    output::check(&args.output, global.force)?;
    let config = TrainingConfig {
        epochs: args.epochs,
        learning_rate: args.learning_rate,
        batch_size: args.batch_size,
        scope: args.scope,
        ..TrainingConfig::paper()
    };
    config.validate()?;
    let compute = context.compute()?;
    let (train, _) = context.samples(&args.input, &args.data)?;
    let valid = match &args.valid {
        Some(path) => context.samples(&args.input, path)?.0,
        None => Vec::new(),
    };
    let dir = ModelDir::open(&args.base_dir)?.with_input(
        args.max_length,
        args.positive_output.map(usize::from),
        args.input_format,
    )?;
    let head = Head::of_task(args.input.task);
    let model = dir.load_for_training(&compute, head, &mut stage_rng(global.seed, "head"))?;
    let language = args.input.language();
    let (train, valid) = (encode(&model, &train, language), encode(&model, &valid, language));

    let progress = &context.progress;
    progress.start("training", config.epochs * train.len().div_ceil(config.batch_size));
    let trained = fine_tune(
        model.network.clone(),
        &train,
        &valid,
        &config,
        &mut stage_rng(global.seed, "train"),
        &mut |event| match event {
            TrainingEvent::Step { step, loss, .. } => {
                progress.step(step, format!("loss {loss:.3}"));
            }
            TrainingEvent::Epoch(record) => {
                let valid = record.valid_score.map_or(String::new(), |it| {
                    format!(", validation accuracy {:.1} %", 100.0 * it)
                });
                progress.line(&format!(
                    "epoch {}/{}: loss {:.3}{valid}",
                    record.epoch, config.epochs, record.train_loss
                ));
            }
        },
    )?;
    if trained.history.iter().any(|epoch| !epoch.train_loss.is_finite()) {
        bail!("training diverged");
    }
    let made_by = serde_json::json!({
        "run": context.made_by(&config)?,
        "history": trained.history,
        "best_epoch": trained.best_epoch,
    });
    let model = model.with_network(trained.model);
    output::write_dir(&args.output, global.force, |dir| Ok(model.save(dir, made_by)?))?;
    context.say(&format!("{}: epoch {} kept", args.output.display(), trained.best_epoch));
    context.finish(&config)?;
    Ok(Outcome::Done)
}

/// Samples as the model reads them.
pub(crate) fn encode(
    model: &LoadedModel,
    samples: &[DefectSample],
    language: Language,
) -> Vec<LabelledIds> {
    samples
        .iter()
        .map(|sample| LabelledIds {
            ids: model.encode(&sample.code, language).ids,
            label: sample.label,
        })
        .collect()
}
