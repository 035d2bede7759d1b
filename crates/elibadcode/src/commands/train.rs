//! `train`: fine-tune a model for a task.

use std::path::Path;

use anyhow::Result;
use elibadcode_corpus::{Task, stage_rng};
use elibadcode_models::{
    EpochRecord, Head, LoadedModel, ModelDir, Trained, TrainingConfig, TrainingEvent, TrainingRow,
    fine_tune,
};
use elibadcode_syntax::Language;

use crate::Outcome;
use crate::args::{Global, TrainArgs};
use crate::commands::rows;
use crate::context::Context;
use crate::output;

pub(crate) fn run(args: &TrainArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "train");
    output::check_dir(&args.output, global.force)?;
    let config = TrainingConfig {
        epochs: args.epochs,
        learning_rate: args.learning_rate,
        batch_size: args.batch_size,
        scope: args.scope,
        ..TrainingConfig::paper()
    };
    config.validate()?;
    let (model, trained) = match args.input.task {
        Task::DefectDetection => {
            let data = read(args, &mut context, Context::functions)?;
            fit(args, &mut context, &config, data, |model, samples, language| {
                rows::labelled(model, samples, language)
            })?
        }
        Task::CloneDetection => {
            let data = read(args, &mut context, Context::pairs)?;
            fit(args, &mut context, &config, data, rows::pairs)?
        }
        Task::CodeSearch => {
            let data = read(args, &mut context, Context::queries)?;
            fit(args, &mut context, &config, data, |model, samples, language| {
                rows::queries(model, samples, language)
            })?
        }
    };
    let made_by = serde_json::json!({
        "run": context.made_by(&config)?,
        "history": trained.history,
        "best_epoch": trained.best_epoch,
    });
    if ModelDir::open(&args.base_dir)?.reading().canonical_input != model.canonical_input() {
        context.warn(&format!(
            "{}: reads names as they are, though {} asks for canonical ones (--raw-names)",
            args.output.display(),
            args.base_dir.display()
        ));
    }
    let model = model.with_network(trained.model);
    output::write_dir(&args.output, global.force, |dir| Ok(model.save(dir, made_by)?))?;
    context.say(&format!("{}: epoch {} kept", args.output.display(), trained.best_epoch));
    context.finish(&config)?;
    Ok(Outcome::Done)
}

/// Training and validation samples.
struct Data<S> {
    train: S,
    valid: Option<S>,
}

fn read<'a, S>(
    args: &TrainArgs,
    context: &mut Context<'a>,
    read: impl Fn(&mut Context<'a>, &Path, Language) -> Result<(S, String)>,
) -> Result<Data<S>> {
    let language = args.input.language();
    let train = read(context, &args.data, language)?.0;
    let valid = args.valid.as_deref().map(|path| read(context, path, language)).transpose()?;
    Ok(Data { train, valid: valid.map(|(samples, _)| samples) })
}

/// Loads the base model, trains it, and shows how it goes.
fn fit<S, R: TrainingRow>(
    args: &TrainArgs,
    context: &mut Context<'_>,
    config: &TrainingConfig,
    data: Data<S>,
    encode: impl Fn(&LoadedModel, &S, Language) -> Vec<R>,
) -> Result<(LoadedModel, Trained)> {
    let (task, language, seed) = (args.input.task, args.input.language(), context.global.seed);
    let compute = context.compute()?;
    let dir = args.reading.open(&args.base_dir)?;
    let head = Head::of_task(task);
    let model = dir.load_for_training(&compute, head, &mut stage_rng(seed, "head"))?;
    context.note_model(&args.base_dir, &dir)?;
    let train = encode(&model, &data.train, language);
    let valid = data.valid.map_or_else(Vec::new, |valid| encode(&model, &valid, language));

    let progress = &context.progress;
    progress.start("training", config.epochs * train.len().div_ceil(config.batch_size));
    let trained = fine_tune(
        model.network.clone(),
        &train,
        &valid,
        config,
        &mut stage_rng(seed, "train"),
        &mut |event| match event {
            TrainingEvent::Step { step, loss, .. } => {
                progress.step(step, format!("loss {loss:.3}"));
            }
            TrainingEvent::Epoch(record) => {
                progress.line(&epoch_line(&record, config.epochs, task));
            }
        },
    )?;
    Ok((model, trained))
}

fn epoch_line(record: &EpochRecord, n_epochs: usize, task: Task) -> String {
    let valid = record.valid_score.map_or(String::new(), |score| match task {
        Task::DefectDetection => format!(", validation accuracy {:.1} %", 100.0 * score),
        Task::CloneDetection => format!(", validation F1 {:.1} %", 100.0 * score),
        Task::CodeSearch => format!(", validation MRR {score:.3}"),
    });
    format!("epoch {}/{n_epochs}: loss {:.3}{valid}", record.epoch, record.train_loss)
}
