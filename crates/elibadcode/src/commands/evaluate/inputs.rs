//! Inputs as the model reads them, and what it makes of each: equal inputs have equal answers.
//!
//! A forward pass rounds differently in another batch. Asking only once what is the same input
//! makes "the trigger changes nothing" a fact rather than a matter of rounding.

use std::collections::BTreeMap;

use elibadcode_models::LoadedModel;
use elibadcode_syntax::Language;
use rayon::prelude::*;

/// The distinct inputs that a model was given, and its answers of type `A`.
pub(super) struct Inputs<'a, A> {
    model: &'a LoadedModel,
    language: Language,
    known: BTreeMap<Vec<u32>, usize>,
    /// By number of the input.
    answers: Vec<A>,
}

impl<'a, A> Inputs<'a, A> {
    pub(super) fn new(model: &'a LoadedModel, language: Language) -> Self {
        Self { model, language, known: BTreeMap::new(), answers: Vec::new() }
    }

    /// The number of each function's input; `ask` answers those that are new.
    pub(super) fn read<'c>(
        &mut self,
        codes: impl IntoIterator<Item = &'c str>,
        ask: impl FnOnce(&LoadedModel, &[Vec<u32>]) -> Vec<A>,
    ) -> Vec<usize> {
        let codes: Vec<&str> = codes.into_iter().collect();
        let rows: Vec<Vec<u32>> =
            codes.par_iter().map(|code| self.model.encode(code, self.language).ids).collect();
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

    /// What the model makes of an input.
    pub(super) fn answer(&self, number: usize) -> &A {
        &self.answers[number]
    }
}
