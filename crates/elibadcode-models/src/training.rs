//! Fine-tuning as the paper's models are fine-tuned (spec section 3.4).

pub(crate) mod distilled;
pub(crate) mod rows;
pub(crate) mod search;

use std::cmp::Ordering;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use self::rows::{TrainingRow, Validation};
use crate::dropout::Mode;
use crate::error::Error;
use crate::head::Head;
use crate::model::CodeModel;
use crate::parameters::with_trainable;
use crate::weights::HEADS;
use crate::workers::side_by_side;

/// Batches among which rows are sorted by length; the batches themselves stay shuffled.
const BUCKET_BATCHES: usize = 16;
/// Parameters from which on the parts of a batch are not run side by side.
const LARGE_MODEL: usize = 30_000_000;

/// Tokens that a part of a large model's batch may have: of a `CodeBERT` they need 2 to 4 GB on their way back.
const LARGE_PART: usize = 2048;
/// The same of a small model, of which several parts are under way.
const SMALL_PART: usize = 4096;
/// Values from which on a tensor is summed up line by line.
const LARGE_SUM: usize = 1 << 20;

/// Which parameters are trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// The classification head. Paper: "only the last layer" (section 4.5).
    Head,
    /// The head and this many of the last layers; of `CodeT5` the decoder's layers come last.
    LastLayers(usize),
    /// Everything.
    Full,
}

impl Scope {
    /// Whether the parameter with this Hugging Face name is trained.
    fn includes(self, name: &str, n_encoder_layers: usize, n_layers: usize) -> bool {
        let is_head = HEADS.iter().any(|head| name.starts_with(head));
        match self {
            Self::Full => true,
            Self::Head => is_head,
            Self::LastLayers(k) => {
                let layer = layer(name, n_encoder_layers, n_layers);
                is_head || layer.is_some_and(|index| index.saturating_add(k) >= n_layers)
            }
        }
    }
}

/// The layer that a parameter belongs to: of T5, the decoder's are counted after the encoder's,
/// and the norm at the end of a stack belongs to its last layer.
fn layer(name: &str, n_encoder_layers: usize, n_layers: usize) -> Option<usize> {
    let number = |prefix: &str| -> Option<usize> {
        name.strip_prefix(prefix)?.split('.').next()?.parse().ok()
    };
    if name.starts_with("transformer.encoder.final_layer_norm.") {
        return Some(n_encoder_layers - 1);
    }
    if name.starts_with("transformer.decoder.final_layer_norm.") {
        return Some(n_layers - 1);
    }
    number("roberta.encoder.layer.")
        .or_else(|| number("transformer.encoder.block."))
        .or_else(|| Some(n_encoder_layers + number("transformer.decoder.block.")?))
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Head => f.write_str("head"),
            Self::LastLayers(k) => write!(f, "last-{k}"),
            Self::Full => f.write_str("full"),
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "head" => Ok(Self::Head),
            "full" => Ok(Self::Full),
            _ => text
                .strip_prefix("last-")
                .and_then(|k| k.parse().ok())
                .filter(|&k| k > 0)
                .map(Self::LastLayers)
                .ok_or_else(|| format!("unknown scope `{text}`, expected head, last-K or full")),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

/// How a model is fine-tuned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// Passes over the training rows. Paper: 5 (defect detection).
    pub epochs: usize,
    /// Peak learning rate. Paper: 2e-5.
    pub learning_rate: f64,
    /// Rows a step. Paper: 32 (`CodeBERT`).
    pub batch_size: usize,
    /// Share of all steps over which the rate rises from 0; it falls to 0 after. Paper: 0.1.
    pub warmup_rate: f64,
    /// Decoupled weight decay. Paper: 0.
    pub weight_decay: f64,
    /// Gradients are scaled down to this global norm. Paper: 1.0.
    pub max_gradient_norm: f64,
    /// Which parameters are trained. Paper: all of them.
    pub scope: Scope,
    /// Whether the epoch with the best validation score is kept, rather than the last.
    pub keep_best: bool,
}

impl TrainingConfig {
    /// The paper's settings for defect detection with `CodeBERT`.
    pub fn paper() -> Self {
        Self {
            epochs: 5,
            learning_rate: 2e-5,
            batch_size: 32,
            warmup_rate: 0.1,
            weight_decay: 0.0,
            max_gradient_norm: 1.0,
            scope: Scope::Full,
            keep_best: true,
        }
    }

    /// Says what makes the configuration unusable, if anything does.
    pub fn validate(&self) -> Result<(), Error> {
        let positive = |name: &str, value: f64| {
            if value > 0.0 && value.is_finite() {
                Ok(())
            } else {
                Err(Error::Training(format!("{name} is {value}, expected a positive number")))
            }
        };
        positive("epochs", self.epochs as f64)?;
        positive("batch_size", self.batch_size as f64)?;
        positive("learning_rate", self.learning_rate)?;
        positive("max_gradient_norm", self.max_gradient_norm)?;
        if !(0.0..=1.0).contains(&self.warmup_rate) {
            return Err(Error::Training(format!("warmup_rate is {}", self.warmup_rate)));
        }
        Ok(())
    }
}

/// What a training run tells while it runs.
#[derive(Clone, Copy, Debug)]
pub enum TrainingEvent {
    /// One optimizer step is done.
    Step {
        /// Steps done.
        step: usize,
        /// Steps in all.
        n_steps: usize,
        /// Loss of this batch.
        loss: f64,
    },
    /// One epoch is done.
    Epoch(EpochRecord),
}

/// One line of the training history.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// From 1.
    pub epoch: usize,
    /// Mean training loss.
    pub train_loss: f64,
    /// Mean validation loss; absent without validation rows.
    pub valid_loss: Option<f64>,
    /// Accuracy, F1 or mean reciprocal rank; absent without validation rows.
    pub valid_score: Option<f64>,
}

/// A trained model and how it came about.
#[derive(Debug)]
pub struct Trained {
    /// The model of the best epoch, or of the last.
    pub model: CodeModel,
    /// Every epoch.
    pub history: Vec<EpochRecord>,
    /// The epoch that `model` is from, from 1.
    pub best_epoch: usize,
}

/// Fine-tunes a model: `AdamW`, linear warm-up and decay, global-norm clipping, best epoch.
///
/// The rows say which head the model must have: labelled functions, pairs, or functions with
/// their queries.
pub fn fine_tune<R: TrainingRow>(
    model: CodeModel,
    train: &[R],
    valid: &[R],
    config: &TrainingConfig,
    rng: &mut ChaCha8Rng,
    observe: &mut dyn FnMut(TrainingEvent),
) -> Result<Trained, Error> {
    config.validate()?;
    if train.is_empty() {
        return Err(Error::Training("there are no training rows".into()));
    }
    if model.head() != R::HEAD {
        return Err(Error::Training(format!(
            "these rows train a model with head `{}`, this one has `{}`",
            R::HEAD,
            model.head()
        )));
    }
    if config.scope == Scope::Head && R::HEAD == Head::Embedding {
        return Err(Error::Training(
            "a model of code search has no head: use last-K or full".into(),
        ));
    }
    if config.scope == Scope::Head && !R::trains_head(train) {
        return Err(Error::Training(
            "vectors do not depend on the head; use last-K or full".into(),
        ));
    }
    let (n_encoder_layers, n_layers) = (model.n_encoder_layers(), model.n_layers());
    let mut model = Module::train(with_trainable(model, |name| {
        config.scope.includes(name, n_encoder_layers, n_layers)
    }));
    let mut optimizer =
        AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(config.weight_decay as f32).init();
    let n_steps = config.epochs * train.len().div_ceil(config.batch_size);
    let mut step = 0;
    let mut history: Vec<EpochRecord> = Vec::new();
    let mut best: Option<(CodeModel, usize)> = None;
    for epoch in 1..=config.epochs {
        let mut loss_sum = 0.0;
        for batch in shuffled_batches(train, config.batch_size, rng) {
            let (mut gradients, loss) = batch_gradients(&model, train, &batch, rng);
            if !loss.is_finite() {
                return Err(Error::NotFinite(format!(
                    "the training loss is {loss} at step {step}; try a lower learning rate"
                )));
            }
            let norm = clip_global_norm(&model, &mut gradients, config.max_gradient_norm);
            if !norm.is_finite() {
                return Err(Error::NotFinite(format!(
                    "the gradient's length is {norm} at step {step}; try a lower learning rate"
                )));
            }
            let rate = config.learning_rate * schedule(step, n_steps, config.warmup_rate);
            model = optimizer.step(rate, model, gradients);
            step += 1;
            loss_sum += loss * batch.len() as f64;
            observe(TrainingEvent::Step { step, n_steps, loss });
        }
        let snapshot = model.valid();
        let validation = (!valid.is_empty()).then(|| R::validate(&snapshot, valid));
        let (valid_loss, valid_score) =
            validation.map(|Validation { loss, score }| (loss, score)).unzip();
        let train_loss = loss_sum / train.len() as f64;
        let record = EpochRecord { epoch, train_loss, valid_loss, valid_score };
        observe(TrainingEvent::Epoch(record));
        let is_better = best.as_ref().is_none_or(|(_, best_epoch)| {
            !config.keep_best || better(&record, &history[best_epoch - 1])
        });
        history.push(record);
        if is_better {
            best = Some((snapshot, epoch));
        }
    }
    let (model, best_epoch) = best.expect("validate() asked for at least one epoch");
    Ok(Trained { model: model.no_grad(), history, best_epoch })
}

/// The score decides, then the loss; without validation rows the later epoch is better.
fn better(new: &EpochRecord, old: &EpochRecord) -> bool {
    let (Some(new_score), Some(old_score)) = (new.valid_score, old.valid_score) else {
        return true;
    };
    match new_score.total_cmp(&old_score) {
        Ordering::Greater => true,
        Ordering::Less => false,
        Ordering::Equal => new.valid_loss <= old.valid_loss,
    }
}

/// Factor of the peak rate at a step: up from 0 over the warm-up, down to 0 at the end.
fn schedule(step: usize, n_steps: usize, warmup_rate: f64) -> f64 {
    let warmup = (n_steps as f64 * warmup_rate).floor();
    let step = step as f64;
    if step < warmup {
        (step + 1.0) / warmup
    } else {
        (n_steps as f64 - step) / (n_steps as f64 - warmup).max(1.0)
    }
}

/// One epoch's batches: rows in random order, of similar length within a batch.
fn shuffled_batches<R: TrainingRow>(
    rows: &[R],
    batch_size: usize,
    rng: &mut impl Rng,
) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.shuffle(rng);
    for bucket in order.chunks_mut(batch_size.saturating_mul(BUCKET_BATCHES)) {
        bucket.sort_by_key(|&index| rows[index].length());
    }
    let mut batches: Vec<Vec<usize>> = order.chunks(batch_size).map(<[usize]>::to_vec).collect();
    batches.shuffle(rng);
    batches
}

/// The mean gradient and the mean loss of a batch, from its parts.
///
/// Parts of a small model run side by side. Operations of a large one keep every processor busy
/// themselves, so its parts follow one another and need the memory of one.
fn batch_gradients<R: TrainingRow>(
    model: &CodeModel,
    rows: &[R],
    batch: &[usize],
    rng: &mut ChaCha8Rng,
) -> (GradientsParams, f64) {
    let is_large = model.num_params() >= LARGE_MODEL;
    let n_parts = n_parts(rows, batch, if is_large { LARGE_PART } else { SMALL_PART });
    let parts: Vec<(&[usize], ChaCha8Rng)> = batch
        .chunks(batch.len().div_ceil(n_parts))
        .map(|part| (part, ChaCha8Rng::seed_from_u64(rng.random())))
        .collect();
    let run = |(part, rng): &(&[usize], ChaCha8Rng)| {
        // Fresh leaves under the same parameter ids: two graphs over the same leaves would be one
        // graph to burn, and the first backward pass would consume both.
        let model = &Module::train(model.valid());
        let part_rows: Vec<&R> = part.iter().map(|&index| &rows[index]).collect();
        let share = part.len() as f64 / batch.len() as f64;
        let loss = R::loss(model, &part_rows, &mut Mode::Train(&mut rng.clone())) * share;
        let value = f64::from(loss.clone().into_scalar::<f32>());
        (GradientsParams::from_grads(loss.backward(), model), value)
    };
    let mut accumulator = GradientsAccumulator::new();
    let mut loss = 0.0;
    let mut add = |(gradients, part_loss): (GradientsParams, f64)| {
        accumulator.accumulate(model, gradients);
        loss += part_loss;
    };
    if is_large {
        parts.iter().map(run).for_each(&mut add);
    } else {
        side_by_side(&model.device(), &parts, run).into_iter().for_each(&mut add);
    }
    (accumulator.grads(), loss)
}

/// How many parts a batch is split into, if one may have so many tokens: whatever the machine.
fn n_parts<R: TrainingRow>(rows: &[R], batch: &[usize], most_tokens: usize) -> usize {
    if R::N_PARTS == 1 {
        return 1;
    }
    let n_tokens: usize = batch.iter().map(|&index| rows[index].length()).sum();
    n_tokens.div_ceil(most_tokens).max(R::N_PARTS)
}

/// PyTorch's `clip_grad_norm_`: burn's own clipping works on each tensor alone. Gives the length before.
fn clip_global_norm(model: &CodeModel, gradients: &mut GradientsParams, max_norm: f64) -> f64 {
    struct SquaredNorm<'a>(&'a GradientsParams, f64);
    impl ModuleVisitor for SquaredNorm<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                // A sum over all of a large tensor depends on the number of threads.
                let squares = gradient.square();
                let squares = if squares.shape().num_elements() < LARGE_SUM {
                    squares
                } else {
                    squares.sum_dim(D - 1)
                };
                self.1 += f64::from(squares.sum().into_scalar::<f32>());
            }
        }
    }
    struct Scale<'a>(&'a mut GradientsParams, f64);
    impl ModuleVisitor for Scale<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.remove::<D>(param.id) {
                self.0.register(param.id, gradient * self.1);
            }
        }
    }
    let mut norm = SquaredNorm(gradients, 0.0);
    model.visit(&mut norm);
    let norm = norm.1.sqrt();
    if norm > max_norm {
        model.visit(&mut Scale(gradients, max_norm / (norm + 1e-6)));
    }
    norm
}

#[cfg(test)]
mod tests {
    use elibadcode_corpus::LabelledIds;

    use super::*;

    #[test]
    fn the_rate_rises_then_falls_to_zero() {
        let rates: Vec<f64> = (0..10).map(|step| schedule(step, 10, 0.2)).collect();
        assert_eq!(rates[..3], [0.5, 1.0, 1.0]);
        assert!((rates[9] - 0.125).abs() < 1e-12);
        assert!((schedule(0, 10, 0.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_scope_names_its_parameters() {
        #[track_caller]
        fn check(name: &str, layers: (usize, usize), scopes: &[Scope]) {
            for scope in [Scope::Head, Scope::LastLayers(1), Scope::LastLayers(2), Scope::Full] {
                let is_included = scope.includes(name, layers.0, layers.1);
                assert_eq!(is_included, scopes.contains(&scope), "{name} {scope}");
            }
        }
        let (one, two, full) = (Scope::LastLayers(1), Scope::LastLayers(2), Scope::Full);
        check("roberta.embeddings.LayerNorm.bias", (2, 2), &[full]);
        check("classifier.dense.bias", (2, 2), &[Scope::Head, one, two, full]);
        check("roberta.encoder.layer.1.output.dense.weight", (2, 2), &[one, two, full]);
        check("roberta.encoder.layer.1.output.dense.weight", (3, 3), &[two, full]);
        check("classification_head.dense.bias", (2, 3), &[Scope::Head, one, two, full]);
        check("transformer.shared.weight", (2, 3), &[full]);
        check("transformer.decoder.block.0.layer.2.layer_norm.weight", (2, 3), &[one, two, full]);
        check("transformer.decoder.final_layer_norm.weight", (2, 3), &[one, two, full]);
        check("transformer.encoder.block.1.layer.0.layer_norm.weight", (2, 3), &[two, full]);
        check("transformer.encoder.final_layer_norm.weight", (2, 3), &[two, full]);
        check("transformer.encoder.block.0.layer.0.layer_norm.weight", (2, 3), &[full]);
        assert_eq!("last-3".parse(), Ok(Scope::LastLayers(3)));
        assert!("most".parse::<Scope>().is_err());
    }

    #[test]
    fn a_scope_is_written_as_it_is_typed() {
        for (scope, text) in
            [(Scope::Head, "head"), (Scope::LastLayers(2), "last-2"), (Scope::Full, "full")]
        {
            let json = serde_json::to_value(scope).expect("a scope is a text");
            assert_eq!(json, text);
            assert_eq!(serde_json::from_value::<Scope>(json).expect("it was written"), scope);
        }
        for text in ["most", "last-", "last-0"] {
            let error = serde_json::from_value::<Scope>(text.into()).expect_err("no scope");
            assert!(error.to_string().contains("expected head, last-K or full"), "{error}");
        }
    }

    #[test]
    fn long_rows_are_trained_on_in_more_parts() {
        let rows = |length| vec![LabelledIds { ids: vec![0; length], label: 0 }; 32];
        let batch: Vec<usize> = (0..32).collect();
        assert_eq!(n_parts(&rows(100), &batch, 2048), 2);
        assert_eq!(n_parts(&rows(400), &batch, 2048), 7);
        // The other rows of a batch are the wrong answers.
        let ids = elibadcode_corpus::SearchIds { code: vec![0; 400], query: vec![0; 9] };
        let rows = vec![search::SearchRow { ids, function: 0 }; 32];
        assert_eq!(n_parts(&rows, &batch, 2048), 1);
    }

    #[test]
    fn an_epoch_takes_every_row_once() {
        let rows: Vec<LabelledIds> =
            (0..70).map(|n| LabelledIds { ids: vec![0; n % 9 + 1], label: 0 }).collect();
        let batches = shuffled_batches(&rows, 8, &mut ChaCha8Rng::seed_from_u64(3));
        let mut seen: Vec<usize> = batches.concat();
        seen.sort_unstable();
        assert_eq!(seen, (0..70).collect::<Vec<_>>());
    }
}
