//! The names under which files keep an encoder and its head, and the ones that we use.

use std::collections::BTreeMap;

use crate::config::EncoderConfig;

/// What the names of a head start with: RoBERTa's, T5's.
pub(crate) const HEADS: [&str; 2] = ["classifier.", "classification_head."];
/// What wrappers put before the names: data parallelism, then the reference code's models.
const WRAPPERS: [&str; 4] = ["", "module.", "encoder.", "module.encoder."];

/// transformers' full name of each tensor that we use, with the name that a file has for it.
///
/// A file may hold the encoder bare (`embeddings.…`), under the name that a class with a head has
/// for it (`roberta.…`, `transformer.…`), or within the reference code's models (`encoder.…`, with
/// the head beside it). Tied copies, buffers and the heads of other tasks are left out; what is
/// not known keeps its name. Two tensors of the file for one of ours are an error: transformers would
/// load one of them, and it need not be the one that we would choose.
pub(crate) fn canonical_names<'a>(
    encoder: &EncoderConfig,
    names: impl Iterator<Item = &'a String> + Clone,
) -> Result<BTreeMap<String, &'a str>, String> {
    let (own, head, roots): (&str, &str, &[&str]) = match encoder {
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
    let found = prefixes.find(|(root, prefix)| {
        names.clone().any(|name| name.strip_prefix(prefix.as_str()) == Some(root))
    });
    let (root, prefix) = found.unwrap_or((roots[0], own.to_owned()));
    let mut canonical = BTreeMap::new();
    for name in names {
        let head_name = WRAPPERS.iter().find_map(|wrapper| {
            let inner = name.strip_prefix(wrapper)?;
            HEADS.iter().find_map(|head| inner.strip_prefix(head))
        });
        let full = if let Some(rest) = head_name {
            // The head beside the encoder goes before one within it.
            let full = format!("{head}{rest}");
            if canonical.contains_key(&full) && name.contains("encoder.") {
                continue;
            }
            full
        } else {
            match name.strip_prefix(prefix.as_str()) {
                Some(rest) if rest == root => format!("{own}{}", roots[0]),
                Some(rest) if is_unused(rest) => continue,
                Some(rest) => format!("{own}{rest}"),
                None if is_unused(name) => continue,
                None => name.clone(),
            }
        };
        if let Some(other) = canonical.insert(full, name.as_str()) {
            return Err(format!("`{other}` and `{name}` are the same tensor: which one is meant?"));
        }
    }
    Ok(canonical)
}

/// The name of an encoder's tensor in a file that holds the encoder bare.
pub(crate) fn bare_name(name: &str) -> String {
    let rest = name.strip_prefix("roberta.").or_else(|| name.strip_prefix("transformer."));
    rest.unwrap_or(name).to_owned()
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
        let encoder = Preset::Tiny.config(architecture, 300).encoder;
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let canonical = canonical_names(&encoder, names.iter()).expect("distinct tensors");
        assert_eq!(canonical.into_keys().collect::<Vec<_>>(), expected);
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
}
