//! `inspect` and `devices`: what is there.

use std::fmt::Write as _;

use anyhow::Result;
use elibadcode_corpus::CodeTokenizer;
use elibadcode_models::Compute;

use crate::Outcome;
use crate::args::{Global, InspectArgs};
use crate::context::Context;
use crate::output;

pub(crate) fn run(args: &InspectArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "inspect");
    let (model, hash) = context.model(&args.model)?;
    let (dir, _) = context.model_dir(&args.model)?;
    let config = &dir.config;
    let n_parameters: usize =
        dir.tensors()?.values().map(|shape| shape.iter().product::<usize>()).sum();
    let tokenizer = CodeTokenizer::open(&dir.path)?;
    let facts = serde_json::json!({
        "path": dir.path,
        "hash": hash,
        "architecture": config.architectures.first(),
        "model_type": config.model_type,
        "layers": config.num_hidden_layers,
        "hidden_size": config.hidden_size,
        "attention_heads": config.num_attention_heads,
        "feed_forward": config.intermediate_size,
        "parameters": n_parameters,
        "vocabulary": tokenizer.size(),
        "outputs": config.n_outputs(),
        "max_length": model.max_length,
        "tasks": ["defect"],
        "made_by": dir.provenance.made_by,
    });
    if args.json {
        context.print(&output::json(&facts)?)?;
        return Ok(Outcome::Done);
    }
    let mut text = String::new();
    if let serde_json::Value::Object(facts) = &facts {
        for (name, value) in facts.iter().filter(|(name, _)| *name != "made_by") {
            let value = match value {
                serde_json::Value::String(it) => elibadcode_evaluation::escape_untrusted(it),
                other => elibadcode_evaluation::escape_untrusted(&other.to_string()),
            };
            let _ = writeln!(text, "{:<16} {value}", name.replace('_', " "));
        }
    }
    context.print(&text)?;
    context.finish(&facts)?;
    Ok(Outcome::Done)
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
    context.print(&text)?;
    Ok(Outcome::Done)
}
