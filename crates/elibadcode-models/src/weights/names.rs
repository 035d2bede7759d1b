//! The names under which files keep an encoder and its head, and the ones that we use.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::{EncoderConfig, ModelConfig};

/// What the names of a head start with: RoBERTa's, T5's.
pub(crate) const HEADS: [&str; 2] = ["classifier.", "classification_head."];
/// What wrappers put before the names: data parallelism, then the reference code's models.
const WRAPPERS: [&str; 4] = ["", "module.", "encoder.", "module.encoder."];

/// The tensors of a file that we use.
#[derive(Debug, Default)]
pub(crate) struct Names<'a> {
    /// The file's name of each, by transformers' full name.
    pub(crate) canonical: BTreeMap<String, &'a str>,
    /// T5's word embedding under its other names, which have to hold the same: a program that loads
    /// the file puts all of them into one parameter.
    pub(crate) copies: Vec<&'a str>,
}

/// transformers' full name of each tensor that we use, with the name that a file has for it.
///
/// A file may hold the encoder bare (`embeddings.…`), under the name that a class with a head has
/// for it (`roberta.…`, `transformer.…`), or within the reference code's models (`encoder.…`, with
/// the head beside it). Buffers and the heads of other tasks are left out; what is not known keeps its
/// name. Two tensors of the file for one of ours are an error: transformers would load one of them, and
/// it need not be the one that we would choose. But the `model.bin` that a program of its own wrote
/// (`is_fine_tuned`) can hold an encoder within the class that it inherits one from, as `LineVul`'s does,
/// and answers by the inner one.
pub(crate) fn canonical_names<'a>(
    config: &ModelConfig,
    names: impl Iterator<Item = &'a String> + Clone,
    is_fine_tuned: bool,
) -> Result<Names<'a>, String> {
    let (own, head, roots): (&str, &str, &[&str]) = match &config.encoder {
        EncoderConfig::Roberta(_) => ("roberta.", HEADS[0], &["embeddings.word_embeddings.weight"]),
        EncoderConfig::T5(_) => {
            ("transformer.", HEADS[1], &["shared.weight", "encoder.embed_tokens.weight"])
        }
    };
    let mut prefixes = roots.iter().flat_map(|root| {
        WRAPPERS.iter().flat_map(move |wrapper| {
            ["", own].into_iter().map(move |it| (*root, format!("{wrapper}{it}")))
        })
    });
    let is_there = |(root, prefix): &(&str, String)| {
        names.clone().any(|name| name.strip_prefix(prefix.as_str()) == Some(root))
    };
    let found = prefixes.find(|it| is_there(it));
    let (root, mut prefix) = found.unwrap_or((roots[0], own.to_owned()));
    let mut outer = None;
    if let Some((_, inner)) = prefixes.find(|it| it.0 == root && is_there(it)) {
        let wrapper = prefix.strip_suffix(own).filter(|_| is_fine_tuned);
        if wrapper.map(|it| format!("{it}encoder.{own}")).as_ref() != Some(&inner) {
            return Err(format!(
                "holds two encoders, `{prefix}{root}` and `{inner}{root}`: which one is meant?"
            ));
        }
        outer = Some(std::mem::replace(&mut prefix, inner));
    }
    let is_of_outer = |name: &str| outer.as_ref().is_some_and(|it| name.starts_with(it));
    let mut found = Names::default();
    for name in names {
        let head_name = WRAPPERS.iter().find_map(|wrapper| {
            let inner = name.strip_prefix(wrapper)?;
            HEADS.iter().find_map(|head| inner.strip_prefix(head))
        });
        let full = if let Some(rest) = head_name {
            // The head beside the encoder goes before one within it.
            let full = format!("{head}{rest}");
            if found.canonical.contains_key(&full) && name.contains("encoder.") {
                continue;
            }
            full
        } else {
            match name.strip_prefix(prefix.as_str()) {
                Some(rest) if rest == root => format!("{own}{}", roots[0]),
                Some(rest) if is_copy(rest, config) => {
                    found.copies.push(name);
                    continue;
                }
                Some(rest) if is_unused(rest) => continue,
                Some(rest) => format!("{own}{rest}"),
                None if is_unused(name) || is_of_outer(name) => continue,
                None => name.clone(),
            }
        };
        if let Some(other) = found.canonical.insert(full, name.as_str()) {
            return Err(format!("`{other}` and `{name}` are the same tensor: which one is meant?"));
        }
    }
    Ok(found)
}

/// The name of an encoder's tensor in a file that holds the encoder bare.
pub(crate) fn bare_name(name: &str) -> String {
    let rest = name.strip_prefix("roberta.").or_else(|| name.strip_prefix("transformer."));
    rest.unwrap_or(name).to_owned()
}

/// Whether a tensor of an encoder is its word embedding once more.
fn is_copy(name: &str, config: &ModelConfig) -> bool {
    let EncoderConfig::T5(t5) = &config.encoder else { return false };
    let is_tied = t5.other.get("tie_word_embeddings").and_then(Value::as_bool).unwrap_or(true);
    matches!(name, "encoder.embed_tokens.weight" | "decoder.embed_tokens.weight")
        || (name == "lm_head.weight" && is_tied)
}

fn is_unused(name: &str) -> bool {
    name.ends_with("position_ids")
        || name.ends_with("embed_tokens.weight")
        || name.ends_with("EncDecAttention.relative_attention_bias.weight")
        || name.contains("pooler.")
        || name.contains("lm_head.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Architecture, Preset};

    #[track_caller]
    fn check(architecture: Architecture, names: &[&str], expected: &[&str]) {
        let config = Preset::Tiny.config(architecture, 300);
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let found = canonical_names(&config, names.iter(), false).expect("distinct tensors");
        assert_eq!(found.canonical.into_keys().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_layout_of_a_file_comes_to_the_same_names() {
        let word = "embeddings.word_embeddings.weight";
        let layer = "encoder.layer.0.output.dense.bias";
        let expected = [
            "classifier.dense.bias",
            "roberta.embeddings.word_embeddings.weight",
            "roberta.encoder.layer.0.output.dense.bias",
        ];
        for (prefix, head) in [
            ("", "classifier."),
            ("roberta.", "classifier."),
            ("encoder.", "classifier."),
            ("encoder.roberta.", "encoder.classifier."),
            ("module.encoder.", "module.classifier."),
        ] {
            let names = [word, layer].map(|name| format!("{prefix}{name}"));
            let (head, pooler) =
                (format!("{head}dense.bias"), format!("{prefix}pooler.dense.bias"));
            check(Architecture::CodeBert, &[&names[0], &names[1], &head, &pooler], &expected);
        }
        let block = "encoder.block.0.layer.0.SelfAttention.q.weight";
        let expected = [
            "classification_head.out_proj.weight",
            "transformer.encoder.block.0.layer.0.SelfAttention.q.weight",
            "transformer.shared.weight",
        ];
        for (prefix, head) in [
            ("", "classification_head."),
            ("transformer.", "classification_head."),
            ("encoder.", "classifier."),
            ("module.encoder.", "module.classifier."),
        ] {
            for word in ["shared.weight", "encoder.embed_tokens.weight"] {
                let names =
                    [block, word, "decoder.embed_tokens.weight"].map(|it| format!("{prefix}{it}"));
                let head = format!("{head}out_proj.weight");
                check(Architecture::CodeT5, &[&names[0], &names[1], &names[2], &head], &expected);
            }
        }
    }

    #[test]
    fn of_two_encoders_that_of_a_wrapping_program_is_the_inner_one() {
        let config = Preset::Tiny.config(Architecture::CodeBert, 300);
        let word = "roberta.embeddings.word_embeddings.weight";
        let names =
            ["classifier.dense.bias", "roberta.pooler.bias", word, "encoder."].map(|name| {
                if name == "encoder." { format!("encoder.{word}") } else { name.to_owned() }
            });
        let found = canonical_names(&config, names.iter(), true).expect("LineVul's");
        assert_eq!(
            found.canonical.values().copied().collect::<Vec<_>>(),
            ["classifier.dense.bias", &names[3]]
        );
        let error = canonical_names(&config, names.iter(), false).expect_err("ambiguous");
        assert!(error.starts_with("holds two encoders, `roberta.embeddings"), "{error}");
        let third = "module.roberta.embeddings.word_embeddings.weight".to_owned();
        let others = [word.to_owned(), third];
        assert!(canonical_names(&config, others.iter(), true).is_err());
    }

    #[test]
    fn other_names_of_an_embedding_are_told() {
        let mut config = Preset::Tiny.config(Architecture::CodeT5, 300);
        let names = ["shared.weight", "decoder.embed_tokens.weight", "lm_head.weight"]
            .map(|name| format!("encoder.{name}"));
        let copies = |config: &ModelConfig| {
            canonical_names(config, names.iter(), true).expect("distinct tensors").copies.len()
        };
        assert_eq!(copies(&config), 2);
        if let EncoderConfig::T5(t5) = &mut config.encoder {
            t5.other.insert("tie_word_embeddings".to_owned(), Value::from(false));
        }
        assert_eq!(copies(&config), 1);
    }
}
