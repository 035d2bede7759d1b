//! Which head a folder holds: what `config.json` declares, and what the weights show.

use std::collections::BTreeMap;

use crate::config::ModelConfig;
use crate::head::Head;
use crate::weights::HEADS;

/// Whether a tensor is one of a head.
pub(crate) fn is_head(name: &str) -> bool {
    HEADS.iter().any(|head| name.starts_with(head))
}

/// Why tensors with the names of a head are none that we have.
pub(crate) fn head_problem(names: &BTreeMap<String, String>) -> Option<String> {
    let has = |end: &str| names.keys().any(|name| is_head(name) && name.ends_with(end));
    let (_, linear) = names
        .iter()
        .find(|(name, _)| HEADS.iter().any(|head| **name == format!("{head}weight")))?;
    (!has(".dense.weight")).then(|| {
        format!(
            "has a head of one linear layer (`{linear}`), which is not supported: expected two, \
             `dense` and `out_proj`"
        )
    })
}

/// The head that `config.json` and the weights show together.
///
/// `inputs` and `n_outputs` are those of the head's dense layers. A head for pairs is one whatever
/// the configuration says, and the reference code's folders have the configuration of the
/// pre-trained encoder, which says nothing of a head.
pub(crate) fn resolve_head(
    config: &ModelConfig,
    inputs: Option<usize>,
    n_outputs: Option<usize>,
) -> (ModelConfig, Head) {
    let declared = config.declared_head();
    let is_for_pairs = inputs == Some(2 * config.hidden_size());
    let head = match declared {
        Some(Head::Embedding) => Head::Embedding,
        _ if is_for_pairs => Head::Pair,
        Some(head) => head,
        None if inputs.is_some() => Head::Classification,
        None => Head::Embedding,
    };
    let mut config = config.clone();
    if head != Head::Embedding {
        if let Some(n_outputs @ (1 | 2)) = n_outputs
            && !config.says_n_outputs()
        {
            config.set_n_outputs(n_outputs);
        }
        if declared != Some(head) {
            // A new head would get the paper's outputs; this one has those that the file states.
            let is_stated = config.id2label.is_none() && config.says_n_outputs();
            let stated = is_stated.then(|| config.n_outputs());
            config = config.with_head(head);
            if let (Head::Classification, Some(n_outputs)) = (head, stated) {
                config.set_n_outputs(n_outputs);
            }
        }
    }
    (config, head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Architecture, Preset};

    #[test]
    fn the_head_follows_from_configuration_and_weights() {
        let check = |class: &str, inputs, expected, class_after: &str| {
            let mut config = Preset::Tiny.config(Architecture::CodeBert, 300);
            config.architectures = vec![class.to_owned()];
            let (config, head) = resolve_head(&config, inputs, None);
            assert_eq!((head, config.architectures[0].as_str()), (expected, class_after));
        };
        let (one, two) = (Some(128), Some(256));
        let (classification, pair) =
            ("RobertaForSequenceClassification", "RobertaForCloneDetection");
        check(classification, one, Head::Classification, classification);
        check(classification, None, Head::Classification, classification);
        check(classification, two, Head::Pair, pair);
        check(pair, two, Head::Pair, pair);
        check(pair, one, Head::Pair, pair);
        check("RobertaForCodeSearch", None, Head::Embedding, "RobertaForCodeSearch");
        check("RobertaModel", None, Head::Embedding, "RobertaModel");
        check("RobertaForMaskedLM", one, Head::Classification, classification);
        check("RobertaModel", two, Head::Pair, pair);
    }
}
