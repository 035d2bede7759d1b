//! Functions, pairs of them, or functions with queries, whatever their labels are.

use std::path::Path;

use anyhow::Result;
use elibadcode_corpus::{Task, read_unlabelled};
use elibadcode_syntax::Language;

use crate::context::Context;

/// What a model is asked about, and where each stands.
pub(crate) struct Unlabelled {
    /// One function each, or two of clone detection.
    pub(crate) codes: Vec<Vec<String>>,
    pub(crate) places: Vec<String>,
    /// Of code search only.
    pub(crate) queries: Vec<String>,
}

impl Unlabelled {
    pub(crate) fn read(
        (task, language): (Task, Language),
        path: &Path,
        context: &mut Context<'_>,
    ) -> Result<Self> {
        let mut queries = Vec::new();
        let (codes, places) = match task {
            Task::DefectDetection => {
                let functions = context.loaded(path, read_unlabelled(path)?);
                context.check_language(path, functions.iter().map(|it| &*it.code), language)?;
                context.note_file(path)?;
                let place = |line: usize| format!("line {line}");
                functions.into_iter().map(|it| (vec![it.code], place(it.line))).unzip()
            }
            Task::CloneDetection => {
                let (samples, _) = context.pairs(path, language)?;
                let functions = &samples.functions;
                let pairs = samples.pairs.iter().map(|pair| {
                    let (first, second) = (&functions[pair.first], &functions[pair.second]);
                    let codes = vec![first.code.clone(), second.code.clone()];
                    (codes, format!("{} with {}", first.id, second.id))
                });
                pairs.unzip()
            }
            Task::CodeSearch => {
                let (samples, _) = context.queries(path, language)?;
                queries = samples.iter().map(|it| it.query.clone()).collect();
                samples.into_iter().map(|it| (vec![it.code], it.id)).unzip()
            }
        };
        Ok(Self { codes, places, queries })
    }
}
