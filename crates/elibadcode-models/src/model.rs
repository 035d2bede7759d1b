//! Encoder and head: one log-odds per function.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::batch::padded_ids;
use crate::config::ModelConfig;
use crate::dropout::{Mode, dropout};
use crate::roberta::Roberta;

/// `RobertaClassificationHead`: dropout, dense, tanh, dropout, output (spec section 3.3).
#[derive(Module, Debug)]
struct ClassificationHead {
    dense: Linear,
    out_proj: Linear,
    dropout_rate: f64,
}

/// A code model with a binary head.
///
/// The answer is the log-odds of label 1: the logit of a one-output head, the difference of the
/// logits of a two-output head (its softmax is the sigmoid of that difference).
#[derive(Module, Debug)]
pub struct CodeModel {
    roberta: Roberta,
    classifier: ClassificationHead,
    pad: u32,
    /// The output row that stands for label 1, of a head with two.
    positive_output: usize,
}

impl CodeModel {
    /// The module with parameters not yet drawn.
    pub(crate) fn uninitialized(config: &ModelConfig, device: &Device) -> Self {
        let hidden = config.hidden_size;
        Self {
            roberta: Roberta::new(config, device),
            classifier: ClassificationHead {
                dense: LinearConfig::new(hidden, hidden).init(device),
                out_proj: LinearConfig::new(hidden, config.n_outputs()).init(device),
                dropout_rate: config.hidden_dropout_prob,
            },
            pad: config.pad_token_id,
            positive_output: 1,
        }
    }

    /// Says which output row of a two-output head means label 1.
    pub(crate) fn set_positive_output(&mut self, positive_output: usize) {
        self.positive_output = positive_output;
    }

    /// Log-odds of label 1, `[batch]`, from rows of ids.
    pub fn forward_ids(&self, rows: &[&[u32]], mode: &mut Mode<'_>) -> Tensor<1> {
        let lengths: Vec<usize> = rows.iter().map(|row| row.len()).collect();
        self.forward_embeddings(self.embed(rows), &lengths, mode)
    }

    /// Word embeddings of right-padded rows: `[batch, seq, hidden]`.
    pub fn embed(&self, rows: &[&[u32]]) -> Tensor<3> {
        self.roberta.embed(padded_ids(rows, self.pad, &self.device()))
    }

    /// Log-odds of label 1, `[batch]`, from word embeddings `[batch, seq, hidden]` of rows of
    /// these lengths.
    pub fn forward_embeddings(
        &self,
        words: Tensor<3>,
        lengths: &[usize],
        mode: &mut Mode<'_>,
    ) -> Tensor<1> {
        self.head(self.roberta.pooled(words, lengths, mode), mode)
    }

    /// The embedding output and every layer's states of rows, each `[batch, seq, hidden]`.
    pub fn hidden_states(&self, rows: &[&[u32]]) -> Vec<Tensor<3>> {
        let lengths: Vec<usize> = rows.iter().map(|row| row.len()).collect();
        self.roberta.hidden_states(self.embed(rows), &lengths)
    }

    /// The word embedding table, `[vocab, hidden]`.
    pub fn token_embeddings(&self) -> Tensor<2> {
        self.roberta.embeddings.word_embeddings.weight.val()
    }

    /// Transformer layers.
    pub fn n_layers(&self) -> usize {
        self.roberta.n_layers()
    }

    /// The device that the weights are on.
    pub fn device(&self) -> Device {
        self.token_embeddings().device()
    }

    /// A copy that gradients can pass through but that holds still itself: for gradients at the
    /// input (`token_embeddings` and all other weights are constants of the graph).
    #[must_use]
    pub fn frozen(&self) -> Self {
        Module::train(self.clone().no_grad())
    }

    fn head(&self, pooled: Tensor<2>, mode: &mut Mode<'_>) -> Tensor<1> {
        let rate = self.classifier.dropout_rate;
        let dense = self.classifier.dense.forward(dropout(pooled, rate, mode)).tanh();
        let outputs = self.classifier.out_proj.forward(dropout(dense, rate, mode));
        let [batch, n_outputs] = outputs.dims();
        if n_outputs == 1 {
            return outputs.reshape([batch]);
        }
        let column = |index: usize| outputs.clone().narrow(1, index, 1).reshape([batch]);
        column(self.positive_output) - column(1 - self.positive_output)
    }
}
