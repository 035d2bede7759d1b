//! The triggers that may be tried: legal identifiers in the model's own tokens (phase (a)).

use std::collections::BTreeSet;

use burn::tensor::{Int, Tensor, TensorData};
use elibadcode_models::LoadedModel;
use elibadcode_syntax::{Language, TriggerVocabulary, VocabularyRule};
use rand::{Rng, RngExt};

use crate::config::ScanConfig;
use crate::error::Error;
use crate::gradient::SlotGradient;
use crate::masking::TriggerIds;

/// Draws of a random trigger that shares nothing with another; of a vocabulary without such ones any will do.
const MAX_DRAWS_APART: usize = 100;
/// Draws of a random trigger before giving up.
const MAX_DRAWS: usize = 20_000;

/// The token ids of each slot, and which combinations of them are identifiers.
#[derive(Clone, Debug)]
pub struct TriggerSpace<'a> {
    model: &'a LoadedModel,
    language: Language,
    rule: VocabularyRule,
    retokenize: bool,
    vocabulary: TriggerVocabulary,
    /// What is left of the vocabulary for the first slot and for later ones.
    allowed: [Vec<u32>; 2],
    first_embeddings: Tensor<2>,
    rest_embeddings: Tensor<2>,
}

impl<'a> TriggerSpace<'a> {
    /// Filters the model's vocabulary by the naming rules of the language.
    pub fn new(
        model: &'a LoadedModel,
        language: Language,
        config: &ScanConfig,
    ) -> Result<Self, Error> {
        let tokens = model.tokenizer.vocabulary();
        let vocabulary = TriggerVocabulary::build(
            tokens.iter().map(|(id, text)| (*id, text.as_str())),
            &model.tokenizer.special_ids(),
            language,
            config.vocabulary_rule,
        );
        for (slots, ids) in
            [("the first slot", &vocabulary.first), ("later slots", &vocabulary.rest)]
        {
            if ids.is_empty() {
                return Err(Error::Vocabulary(format!(
                    "none of the {} tokens of the vocabulary may stand in {slots} of a {language} \
                     identifier",
                    tokens.len()
                )));
            }
        }
        let table = model.network.token_embeddings();
        let rows = |ids: &[u32]| {
            let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
            let n = ids.len();
            let index: Tensor<1, Int> =
                Tensor::from_data(TensorData::new(ids, [n]), &table.device());
            table.clone().select(0, index)
        };
        Ok(Self {
            model,
            language,
            rule: config.vocabulary_rule,
            retokenize: config.retokenize,
            first_embeddings: rows(&vocabulary.first),
            rest_embeddings: rows(&vocabulary.rest),
            allowed: [vocabulary.first.clone(), vocabulary.rest.clone()],
            vocabulary,
        })
    }

    /// The same space without some more tokens; none if no token is left for the first slot or for later ones.
    /// It shares the embeddings.
    pub fn without(&self, left_out: &BTreeSet<u32>) -> Option<Self> {
        let left = |ids: &[u32]| -> Vec<u32> {
            ids.iter().copied().filter(|id| !left_out.contains(id)).collect()
        };
        let allowed = [left(&self.allowed[0]), left(&self.allowed[1])];
        let is_left = allowed.iter().all(|ids| !ids.is_empty());
        is_left.then(|| Self { allowed, ..self.clone() })
    }

    /// The vocabulary filtered by naming rules.
    pub fn vocabulary(&self) -> &TriggerVocabulary {
        &self.vocabulary
    }

    /// The ids that slot `slot` of a trigger may hold, ascending.
    fn ids(&self, slot: usize, keeps_name: bool) -> &[u32] {
        &self.allowed[usize::from(slot > 0 || keeps_name)]
    }

    /// The source text of a trigger.
    pub fn text(&self, trigger: &TriggerIds) -> String {
        self.model.tokenizer.decode(&trigger.ids).trim_start().to_owned()
    }

    /// The vocabulary entries of a trigger.
    pub fn entries(&self, trigger: &TriggerIds) -> Vec<String> {
        trigger.ids.iter().map(|&id| self.model.tokenizer.entry(id)).collect()
    }

    /// What a token spells, whether a word begins there or goes on.
    fn letters(&self, id: u32) -> String {
        self.model.tokenizer.decode(&[id]).trim_start().to_owned()
    }

    /// What the tokens of a trigger spell.
    fn pieces(&self, trigger: &TriggerIds) -> BTreeSet<String> {
        trigger.ids.iter().map(|&id| self.letters(id)).collect()
    }

    /// All tokens of the vocabulary that spell what some of these triggers do.
    pub(crate) fn spelled_like(&self, triggers: &[TriggerIds]) -> BTreeSet<u32> {
        let own: BTreeSet<String> = triggers.iter().flat_map(|it| self.pieces(it)).collect();
        let all = self.vocabulary.first.iter().chain(&self.vocabulary.rest);
        all.copied().filter(|&id| own.contains(&self.letters(id))).collect()
    }

    /// Whether the trigger, written into source text, gives an identifier with these very ids.
    pub fn is_legal(&self, trigger: &TriggerIds) -> bool {
        if !self.retokenize {
            return true;
        }
        let text = self.text(trigger);
        let after_space = !trigger.keeps_name && self.rule == VocabularyRule::SlotAware;
        let tokenizer = &self.model.tokenizer;
        let is_exact = if !after_space && tokenizer.word("a", false) == tokenizer.word("a", true) {
            // This tokenizer puts a space before everything, so the text is tried behind a name.
            tokenizer.word(&format!("a_{text}"), true).ends_with(&trigger.ids)
        } else {
            tokenizer.word(&text, after_space)[..] == trigger.ids[..]
        };
        if !is_exact {
            return false;
        }
        if trigger.keeps_name {
            text.chars().all(|it| self.language.is_identifier_continue(it))
        } else {
            self.language.is_identifier(&text)
        }
    }

    /// Every token as a trigger of its own: in place of a name, or at its end.
    pub fn single_tokens(&self) -> Vec<TriggerIds> {
        let single = |keeps_name| move |&id: &u32| TriggerIds { ids: vec![id], keeps_name };
        let [first, rest] = &self.allowed;
        let all = first.iter().map(single(false)).chain(rest.iter().map(single(true)));
        all.filter(|trigger| self.is_legal(trigger)).collect()
    }

    /// How many tokens there are for a first slot and for the others, about as many as [`Self::single_tokens`]
    /// gives.
    pub(crate) fn n_tokens(&self) -> usize {
        self.allowed.iter().map(Vec::len).sum()
    }

    /// A random id for a slot.
    pub fn random_id(&self, slot: usize, keeps_name: bool, rng: &mut impl Rng) -> u32 {
        let ids = self.ids(slot, keeps_name);
        ids[rng.random_range(0..ids.len())]
    }

    /// A random legal trigger of `n` slots.
    pub fn random(
        &self,
        n: usize,
        keeps_name: bool,
        rng: &mut impl Rng,
    ) -> Result<TriggerIds, Error> {
        for _ in 0..MAX_DRAWS {
            let ids = (0..n).map(|slot| self.random_id(slot, keeps_name, rng)).collect();
            let trigger = TriggerIds { ids, keeps_name };
            if self.is_legal(&trigger) {
                return Ok(trigger);
            }
        }
        Err(Error::Vocabulary(format!(
            "no legal trigger of {n} tokens in {MAX_DRAWS} draws; try a shorter trigger"
        )))
    }

    /// A random legal trigger as long as this one, which enters an identifier in the same way and shares
    /// no token with it: one that does would do as much by right, and say nothing about random ones.
    pub fn random_apart(
        &self,
        trigger: &TriggerIds,
        rng: &mut impl Rng,
    ) -> Result<TriggerIds, Error> {
        let own = self.pieces(trigger);
        let mut random = self.random(trigger.ids.len(), trigger.keeps_name, rng)?;
        for _ in 0..MAX_DRAWS_APART {
            if own.is_disjoint(&self.pieces(&random)) {
                break;
            }
            random = self.random(trigger.ids.len(), trigger.keeps_name, rng)?;
        }
        Ok(random)
    }

    /// For each slot the `k` ids that lower the loss most to first order, best first
    /// (Algorithm 1, line 6).
    ///
    /// Only ids of this space that `is_allowed` are counted.
    pub fn top_tokens(
        &self,
        gradient: &SlotGradient,
        k: usize,
        is_allowed: impl Fn(u32) -> bool,
    ) -> Vec<Vec<u32>> {
        gradient
            .values
            .iter()
            .enumerate()
            .map(|(slot, values)| {
                let table = if slot == 0 { &self.first_embeddings } else { &self.rest_embeddings };
                // The rows of the table are those of the whole vocabulary.
                let rows = if slot == 0 { &self.vocabulary.first } else { &self.vocabulary.rest };
                let allowed = self.ids(slot, false);
                let order = lowest_scores(values, table).into_iter().map(|index| rows[index]);
                order
                    .filter(|&id| allowed.binary_search(&id).is_ok() && is_allowed(id))
                    .take(k)
                    .collect()
            })
            .collect()
    }
}

/// The rows of a table `[ids, hidden]`, those first that the gradient `values` `[hidden]` speaks for
/// most.
pub(crate) fn lowest_scores(values: &[f32], table: &Tensor<2>) -> Vec<usize> {
    let direction = TensorData::new(values.to_vec(), [1, values.len()]);
    let direction = Tensor::<2>::from_data(direction, &table.device());
    let scores = direction.matmul(table.clone().transpose()); // [1, ids]
    let scores: Vec<f32> = scores.into_data().iter::<f32>().collect();
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(a.cmp(&b)));
    order
}

#[cfg(test)]
mod tests {
    use elibadcode_corpus::Task;

    use super::*;
    use crate::gcg::tests::fixture;

    #[test]
    fn what_is_left_out_stays_out() {
        let model = fixture();
        let config = ScanConfig::recommended(Task::DefectDetection);
        let space = TriggerSpace::new(&model, Language::C, &config).expect("it has names");

        // A word that is a token at the start of a name and within one.
        let both = |id: &&u32| {
            let alike = space.spelled_like(&[TriggerIds::replacing(vec![**id])]);
            alike.len() == 2
        };
        let first = *space.ids(0, false).iter().find(both).expect("there is one");
        let alike = space.spelled_like(&[TriggerIds::replacing(vec![first])]);
        let letters = |id: u32| model.tokenizer.decode(&[id]).trim_start().to_owned();
        assert!(alike.contains(&first) && alike.iter().all(|&it| letters(it) == letters(first)));

        let other = *space.ids(1, false).iter().find(|id| !alike.contains(id)).expect("many");
        let without = space.without(&alike).expect("much is left");
        let without_both = without.without(&[other].into()).expect("much is left");
        let is_in = |space: &TriggerSpace<'_>, id: u32| {
            space.ids(0, false).contains(&id) || space.ids(1, false).contains(&id)
        };
        assert!(alike.iter().all(|&id| is_in(&space, id) && !is_in(&without, id)));
        assert!(is_in(&without, other));
        assert!(alike.iter().all(|&id| !is_in(&without_both, id)) && !is_in(&without_both, other));
        assert!(space.without(&space.ids(0, false).iter().copied().collect()).is_none());
    }
}
