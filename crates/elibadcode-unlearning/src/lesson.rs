//! What a repair teaches: the task, and the vectors that the model gave before.

use std::collections::{BTreeMap, BTreeSet};

use elibadcode_models::{
    CodeModel, Distilled, Trained, TrainingConfig, TrainingEvent, TrainingRow, fine_tune,
};
use rand_chacha::ChaCha8Rng;

use crate::config::UnlearningConfig;
use crate::error::Error;

/// A training row, and for each of its inputs the one whose vector it is to get: itself, or what it
/// was before the trigger came in.
pub(crate) struct Lesson<R> {
    pub(crate) row: R,
    pub(crate) sources: Vec<Vec<u32>>,
}

/// The rows of all passes of a round, and how many samples of a pass carry a trigger: `inject` draws
/// triggers and places anew for each, so that the model sees more of them.
pub(crate) fn passes<R>(
    config: &UnlearningConfig,
    mut inject: impl FnMut() -> Result<(Vec<R>, usize), Error>,
) -> Result<(Vec<R>, usize), Error> {
    let (mut rows, n_injected) = inject()?;
    for _ in 1..config.epochs {
        rows.extend(inject()?.0);
    }
    Ok((rows, n_injected))
}

/// The model before the repair, and what it said so far.
pub(crate) struct Teacher<'a> {
    original: &'a CodeModel,
    vectors: BTreeMap<Vec<u32>, Vec<f32>>,
}

impl<'a> Teacher<'a> {
    pub(crate) fn new(original: &'a CodeModel) -> Self {
        Self { original, vectors: BTreeMap::new() }
    }

    /// Fine-tunes `network` on lessons: on the task alone, or on the original model's vectors, too.
    pub(crate) fn teach<R: TrainingRow + Clone>(
        &mut self,
        network: CodeModel,
        lessons: Vec<Lesson<R>>,
        config: &UnlearningConfig,
        training: &TrainingConfig,
        rng: &mut ChaCha8Rng,
        observe: &mut dyn FnMut(TrainingEvent),
    ) -> Result<Trained, Error> {
        if !config.keeps_vectors {
            let rows: Vec<R> = lessons.into_iter().map(|it| it.row).collect();
            return Ok(fine_tune(network, &rows, &[], training, rng, observe)?);
        }
        self.ask(lessons.iter().flat_map(|it| &it.sources));
        let n_inputs = lessons.first().map_or(1, |it| it.sources.len());
        let batch_size = (training.batch_size / n_inputs).max(1);
        let training = TrainingConfig { batch_size, ..training.clone() };
        let distilled = |lesson: Lesson<R>| Distilled {
            vectors: lesson.sources.iter().map(|it| self.vectors[it].clone()).collect(),
            row: lesson.row,
            task_weight: config.task_weight,
            similarity_weight: config.similarity_weight,
        };
        let rows: Vec<Distilled<R>> = lessons.into_iter().map(distilled).collect();
        Ok(fine_tune(network, &rows, &[], &training, rng, observe)?)
    }

    /// Remembers the vectors of inputs, each of which is asked for once.
    fn ask<'i>(&mut self, inputs: impl Iterator<Item = &'i Vec<u32>>) {
        let new: BTreeSet<&Vec<u32>> =
            inputs.filter(|it| !self.vectors.contains_key(*it)).collect();
        let new: Vec<&Vec<u32>> = new.into_iter().collect();
        let vectors = self.original.vectors(&new);
        self.vectors.extend(new.into_iter().cloned().zip(vectors));
    }
}
