//! Inputs as the model reads them, and what it makes of each: equal inputs have equal answers.
//!
//! A forward pass rounds differently in another batch. Asking only once what is the same input
//! makes "the trigger changes nothing" a fact rather than a matter of rounding.

use std::collections::BTreeMap;

use elibadcode_corpus::EncodedCode;
use elibadcode_models::LoadedModel;
use elibadcode_syntax::Language;
use rayon::prelude::*;

use crate::context::Context;

/// The distinct inputs that a model was given, and its answers of type `A`.
pub(super) struct Inputs<'a, A> {
    model: &'a LoadedModel,
    language: Language,
    known: BTreeMap<Vec<u32>, usize>,
    /// By number of the input.
    answers: Vec<A>,
    /// Functions that were longer than what is read, of those asked about first, and how many these were.
    cut: Option<(usize, usize)>,
}

impl<'a, A> Inputs<'a, A> {
    pub(super) fn new(model: &'a LoadedModel, language: Language) -> Self {
        Self { model, language, known: BTreeMap::new(), answers: Vec::new(), cut: None }
    }

    /// The number of each function's input; `ask` answers those that are new.
    pub(super) fn read<'c>(
        &mut self,
        codes: impl IntoIterator<Item = &'c str>,
        ask: impl FnOnce(&LoadedModel, &[Vec<u32>]) -> Vec<A>,
    ) -> Vec<usize> {
        let codes: Vec<&str> = codes.into_iter().collect();
        let encoded: Vec<EncodedCode> =
            codes.par_iter().map(|code| self.model.encode(code, self.language)).collect();
        let n_cut = encoded.iter().filter(|it| it.truncated).count();
        self.cut.get_or_insert((n_cut, encoded.len()));
        let rows: Vec<Vec<u32>> = encoded.into_iter().map(|it| it.ids).collect();
        let mut new = Vec::new();
        let numbers = rows
            .into_iter()
            .map(|row| {
                let next = self.known.len();
                *self.known.entry(row).or_insert_with_key(|row| {
                    new.push(row.clone());
                    next
                })
            })
            .collect();
        if !new.is_empty() {
            self.answers.extend(ask(self.model, &new));
        }
        numbers
    }

    /// Says how many functions of the data are not read to their end, if any.
    pub(super) fn say_cut(&self, context: &Context<'_>) {
        let (n_cut, n) = self.cut.unwrap_or_default();
        context.say_cut(n_cut, n, self.model);
    }

    /// What the model makes of an input.
    pub(super) fn answer(&self, number: usize) -> &A {
        &self.answers[number]
    }
}
