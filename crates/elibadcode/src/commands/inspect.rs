//! `inspect` and `devices`: what is there.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail, ensure};
use elibadcode_corpus::Task;
use elibadcode_models::{Compute, Head, LoadedModel};
use serde_json::Value;

use crate::Outcome;
use crate::args::{Global, InspectArgs};
use crate::context::Context;
use crate::output;

pub(crate) fn run(args: &InspectArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "inspect");
    if let Some(output) = &args.convert {
        output::check_dir(output, global.force)?;
    }
    let dir = args.model.reading.open(&args.model.model_dir)?;
    let compute = context.compute()?;
    let weights = dir.weights(&compute)?;
    let hash = context.note_model(&args.model.model_dir, &dir)?;
    let (config, reading) = (&dir.config, dir.reading());
    let tokenizer = dir.tokenizer()?;
    let mut facts = serde_json::json!({
        "path": dir.path.display().to_string(),
        "hash": hash,
        "architecture": config.architectures.first(),
        "model_type": config.model_type(),
        "head": weights.head,
        "tasks": tasks(weights.head),
        "outputs": weights.n_outputs,
        "answers_by": answers_by(weights.head, config.model_type()),
        "layers": config.n_layers(),
        "hidden_size": config.hidden_size(),
        "attention_heads": config.n_heads(),
        "feed_forward": config.feed_forward_size(),
        "parameters": weights.n_parameters,
        "element_types": weights.element_types,
        "weight_files": weights.files,
        "vocabulary": tokenizer.size(),
        "embedding_rows": config.vocab_size(),
        "max_length": reading.max_length,
        "input_format": reading.input_format,
        "encoder_only_prefix": reading.encoder_only_prefix,
        "positive_output": (weights.n_outputs == Some(2)).then_some(reading.positive_output),
        "canonical_input": reading.canonical_input,
        "made_by": dir.provenance.made_by,
    });
    // The headers above say what a model should be; its values can still be none to compute with.
    let loaded = dir.load(&compute);
    facts["usable"] = loaded.is_ok().into();
    if let Ok(model) = &loaded {
        if let Some(path) = &args.rows {
            let rows: Vec<Vec<u32>> = context.json(path)?;
            facts["answers"] =
                answers(model, &rows).with_context(|| format!("reading {}", path.display()))?;
        }
        if let Some(output) = &args.convert {
            let made_by = match &dir.provenance.made_by {
                Value::Null => context.made_by(&serde_json::json!({}))?,
                known => known.clone(),
            };
            output::write_dir(output, global.force, |path| Ok(model.save(path, made_by)?))?;
            facts["converted"] = output.display().to_string().into();
        }
    }
    context.print(&if args.json { output::json(&facts)? } else { lines(&facts) })?;
    loaded?;
    context.finish(&facts)?;
    Ok(Outcome::Done)
}

/// One line per fact.
fn lines(facts: &Value) -> String {
    let mut text = String::new();
    if let Value::Object(facts) = &facts {
        for (name, value) in facts.iter().filter(|(name, it)| *name != "made_by" && !it.is_null()) {
            let words = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
            let value = match value {
                Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(", "),
                other => words(other),
            };
            let value = elibadcode_evaluation::escape_untrusted(&value);
            let _ = writeln!(text, "{:<16} {value}", name.replace('_', " "));
        }
    }
    text
}

/// What the model says about rows of ids, to be compared with what another program says.
fn answers(model: &LoadedModel, rows: &[Vec<u32>]) -> Result<Value> {
    let (longest, vocab) = (model.config.max_length(), model.config.vocab_size());
    for (index, row) in rows.iter().enumerate() {
        ensure!(
            (1..=longest).contains(&row.len()),
            "row {index} has {} ids, expected 1 to {longest}",
            row.len()
        );
        if let Some(id) = row.iter().find(|&&id| id as usize >= vocab) {
            bail!("row {index} has the id {id}, the vocabulary ends at {}", vocab - 1);
        }
    }
    let vectors = model.network.vectors(rows);
    let log_odds = match model.network.head() {
        Head::Classification => Some(model.network.log_odds(rows)),
        Head::Pair => {
            let first: Vec<&[f32]> = vectors.iter().map(Vec::as_slice).collect();
            let second: Vec<&[f32]> =
                first.iter().cycle().skip(1).take(first.len()).copied().collect();
            Some(model.network.pair_log_odds(&first, &second))
        }
        Head::Embedding => None,
    };
    Ok(serde_json::json!({ "vectors": vectors, "log_odds": log_odds }))
}

/// What an answer is made of: programs differ in it for the same tensors, and a folder does not say.
fn answers_by(head: Head, model_type: &str) -> String {
    let vector = match (model_type, head) {
        ("t5", _) => "the decoder's state at `</s>`",
        (_, Head::Embedding) => "the mean over the tokens",
        _ => "the state at `<s>`",
    };
    match head {
        Head::Classification => format!("two dense layers upon {vector}"),
        Head::Pair => format!("two dense layers upon {vector} of both functions"),
        Head::Embedding => format!("cosine, of {vector}"),
    }
}

/// The tasks that a head can serve.
fn tasks(head: Head) -> Vec<Task> {
    let all = [Task::DefectDetection, Task::CloneDetection, Task::CodeSearch];
    all.into_iter().filter(|&task| Head::of_task(task) == head).collect()
}

pub(crate) fn devices(global: &Global) -> Result<Outcome> {
    let context = Context::new(global, "devices");
    let mut text = String::new();
    for (name, device) in Compute::all() {
        let _ = match device {
            Ok(compute) => writeln!(text, "{name:<8} {}", compute.name),
            Err(error) => writeln!(text, "{name:<8} not available: {error}"),
        };
    }
    context.finish(&serde_json::json!({}))?;
    context.print(&text)?;
    Ok(Outcome::Done)
}
