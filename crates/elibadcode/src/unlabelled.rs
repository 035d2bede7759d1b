//! Functions, pairs of them, or functions with queries, whatever their labels are.

use std::path::Path;

use anyhow::Result;
use elibadcode_corpus::{Task, read_unlabelled};
use elibadcode_syntax::Language;

use crate::context::Context;

/// What a model is asked about.
pub(crate) struct Unlabelled {
    /// Each once, in however many pairs it is.
    pub(crate) functions: Vec<String>,
    pub(crate) asked: Vec<Asked>,
    /// Of code search only, one for each that is asked about.
    pub(crate) queries: Vec<String>,
}

/// A function, or a pair of clone detection.
pub(crate) struct Asked {
    /// Indices of the functions: one, or two.
    pub(crate) members: Vec<usize>,
    /// Where it stands in the file.
    pub(crate) place: String,
}

impl Unlabelled {
    pub(crate) fn read(
        (task, language): (Task, Language),
        path: &Path,
        context: &mut Context<'_>,
    ) -> Result<Self> {
        match task {
            Task::DefectDetection => {
                let functions = context.loaded(path, read_unlabelled(path)?);
                context.check_language(path, functions.iter().map(|it| &*it.code), language)?;
                context.note_file(path)?;
                Ok(Self::single(functions.into_iter().map(|it| {
                    let place = format!("line {}", it.line);
                    (it.code, place)
                })))
            }
            Task::CloneDetection => {
                let (samples, _) = context.pairs(path, language)?;
                let id = |index: usize| &samples.functions[index].id;
                let pairs = samples.pairs.iter().map(|pair| Asked {
                    members: vec![pair.first, pair.second],
                    place: format!("{} with {}", id(pair.first), id(pair.second)),
                });
                let asked = pairs.collect();
                let functions = samples.functions.into_iter().map(|it| it.code).collect();
                Ok(Self { functions, asked, queries: Vec::new() })
            }
            Task::CodeSearch => {
                let (samples, _) = context.queries(path, language)?;
                let queries = samples.iter().map(|it| it.query.clone()).collect();
                let own = Self::single(samples.into_iter().map(|it| (it.code, it.id)));
                Ok(Self { queries, ..own })
            }
        }
    }

    /// Functions with their places.
    fn single(functions: impl Iterator<Item = (String, String)>) -> Self {
        let (functions, asked) = functions
            .enumerate()
            .map(|(index, (code, place))| (code, Asked { members: vec![index], place }))
            .unzip();
        Self { functions, asked, queries: Vec::new() }
    }

    /// The functions of each that is asked about.
    pub(crate) fn codes(&self) -> Vec<Vec<&str>> {
        let code = |&index: &usize| &*self.functions[index];
        self.asked.iter().map(|asked| asked.members.iter().map(code).collect()).collect()
    }
}
