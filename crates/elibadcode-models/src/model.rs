//! Encoder and head: a vector per row, and what the head says about it.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use crate::batch::padded_ids;
use crate::config::{EncoderConfig, ModelConfig};
use crate::dropout::Mode;
use crate::error::Error;
use crate::head::{DenseHead, Head};
use crate::parameters;
use crate::roberta::{Input, Roberta};
use crate::t5::T5;

/// Below this a vector is not scaled up to length 1.
const SHORTEST_VECTOR: f64 = 1e-12;

/// A RoBERTa and its head, with the field names of transformers' classes.
#[derive(Module, Debug)]
struct RobertaNetwork {
    roberta: Roberta,
    classifier: Option<DenseHead>,
}

/// A T5 and its head, with the field names of transformers' classes.
#[derive(Module, Debug)]
struct T5Network {
    transformer: T5,
    classification_head: Option<DenseHead>,
}

#[derive(Module, Debug)]
enum Network {
    Roberta(RobertaNetwork),
    T5(T5Network),
}

/// A code model with a head.
///
/// A row of token ids becomes a vector, and the head answers from one vector (classification),
/// from two (pairs), or not at all: then the vectors are the answer (embedding). An answer is the
/// log-odds of label 1: the logit of a one-output head, the difference of the logits of a
/// two-output head (its softmax is the sigmoid of that difference).
#[derive(Module, Debug)]
pub struct CodeModel {
    network: Network,
    #[module(skip)]
    head: Head,
    pad: u32,
    /// The output row that stands for label 1, of a head with two.
    positive_output: usize,
}

impl CodeModel {
    /// The module with parameters not yet drawn.
    pub(crate) fn uninitialized(config: &ModelConfig, head: Head, device: &Device) -> Self {
        let dense = DenseHead::new(head, config, device);
        let network = match &config.encoder {
            EncoderConfig::Roberta(it) => Network::Roberta(RobertaNetwork {
                roberta: Roberta::new(it, device),
                classifier: dense,
            }),
            EncoderConfig::T5(it) => Network::T5(T5Network {
                transformer: T5::new(it, device),
                classification_head: dense,
            }),
        };
        Self { network, head, pad: config.pad_token_id(), positive_output: 1 }
    }

    /// Says which output row of a two-output head means label 1.
    pub(crate) fn set_positive_output(&mut self, positive_output: usize) {
        self.positive_output = positive_output;
    }

    /// What the model does with the vector of a row.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Fails if the model has another head.
    pub fn expect_head(&self, expected: Head) -> Result<(), Error> {
        let found = self.head;
        if found == expected { Ok(()) } else { Err(Error::Head { found, expected }) }
    }

    /// Word embeddings of right-padded rows: `[batch, seq, hidden]`.
    pub fn embed(&self, rows: &[&[u32]]) -> Tensor<3> {
        let ids = padded_ids(rows, self.pad, &self.device());
        match &self.network {
            Network::Roberta(it) => it.roberta.embed(ids),
            Network::T5(it) => it.transformer.shared.forward(ids),
        }
    }

    /// The vector of each row, `[batch, hidden]`, from word embeddings `[batch, seq, hidden]` of
    /// rows of these lengths, which end with `</s>`.
    ///
    /// With [`Head::Embedding`] its length is 1; from RoBERTa it is then the mean over the row,
    /// otherwise the state of `<s>`; from T5 always the decoder's state at `</s>`.
    pub fn vectors_from_embeddings(
        &self,
        words: Tensor<3>,
        lengths: &[usize],
        mode: &mut Mode<'_>,
    ) -> Tensor<2> {
        let vectors = match &self.network {
            Network::Roberta(it) => self.pooled(&it.roberta, Input::Words(words), lengths, mode),
            Network::T5(it) => it.transformer.pooled(words, lengths, mode),
        };
        if self.head == Head::Embedding { normalized(vectors) } else { vectors }
    }

    /// RoBERTa's vector of each row, `[batch, hidden]`.
    fn pooled(
        &self,
        roberta: &Roberta,
        input: Input<'_>,
        lengths: &[usize],
        mode: &mut Mode<'_>,
    ) -> Tensor<2> {
        if self.head == Head::Embedding {
            let seq = input.seq();
            return mean_pooled(roberta.states(input, lengths, seq, mode), lengths);
        }
        let states = roberta.states(input, lengths, 1, mode);
        let [batch, _, hidden] = states.dims();
        states.reshape([batch, hidden])
    }

    /// Log-odds of label 1, `[batch]`, from vectors `[batch, hidden]`, of a model with
    /// [`Head::Classification`].
    pub fn classify(&self, vectors: Tensor<2>, mode: &mut Mode<'_>) -> Tensor<1> {
        assert_eq!(self.head, Head::Classification, "only such a head takes one vector");
        self.log_odds_of(vectors, mode)
    }

    /// Log-odds that the pairs are clones, `[batch]`, from the vectors of their members, each
    /// `[batch, hidden]`, of a model with [`Head::Pair`].
    pub fn classify_pair(
        &self,
        first: Tensor<2>,
        second: Tensor<2>,
        mode: &mut Mode<'_>,
    ) -> Tensor<1> {
        assert_eq!(self.head, Head::Pair, "only such a head takes two vectors");
        self.log_odds_of(Tensor::cat(vec![first, second], 1), mode)
    }

    /// Log-odds of label 1, `[batch]`, from rows of ids.
    pub fn forward_ids(&self, rows: &[&[u32]], mode: &mut Mode<'_>) -> Tensor<1> {
        self.classify(self.forward_vectors(rows, mode), mode)
    }

    /// Log-odds of label 1, `[batch]`, from word embeddings `[batch, seq, hidden]` of rows of
    /// these lengths.
    pub fn forward_embeddings(
        &self,
        words: Tensor<3>,
        lengths: &[usize],
        mode: &mut Mode<'_>,
    ) -> Tensor<1> {
        let vectors = self.vectors_from_embeddings(words, lengths, mode);
        self.classify(vectors, mode)
    }

    /// The vectors of rows of ids, `[batch, hidden]`; see [`CodeModel::vectors_from_embeddings`].
    pub fn forward_vectors(&self, rows: &[&[u32]], mode: &mut Mode<'_>) -> Tensor<2> {
        let lengths: Vec<usize> = rows.iter().map(|row| row.len()).collect();
        let Network::Roberta(it) = &self.network else {
            return self.vectors_from_embeddings(self.embed(rows), &lengths, mode);
        };
        let input = Input::Ids { rows, pad: self.pad };
        let vectors = self.pooled(&it.roberta, input, &lengths, mode);
        if self.head == Head::Embedding { normalized(vectors) } else { vectors }
    }

    /// The embedding output and every layer's states of rows, each `[batch, seq, hidden]`; of T5
    /// those of the encoder, then those of the decoder.
    pub fn hidden_states(&self, rows: &[&[u32]]) -> Vec<Tensor<3>> {
        let lengths: Vec<usize> = rows.iter().map(|row| row.len()).collect();
        let words = self.embed(rows);
        match &self.network {
            Network::Roberta(it) => it.roberta.hidden_states(words, &lengths),
            Network::T5(it) => it.transformer.hidden_states(words, &lengths),
        }
    }

    /// The word embedding table, `[vocab, hidden]`.
    pub fn token_embeddings(&self) -> Tensor<2> {
        match &self.network {
            Network::Roberta(it) => it.roberta.embeddings.word_embeddings.weight.val(),
            Network::T5(it) => it.transformer.shared.weight.val(),
        }
    }

    /// Transformer layers; of T5 those of encoder and decoder.
    pub fn n_layers(&self) -> usize {
        match &self.network {
            Network::Roberta(it) => it.roberta.n_layers(),
            Network::T5(it) => it.transformer.n_layers(),
        }
    }

    /// Layers of the encoder: the decoder's are counted after them.
    pub(crate) fn n_encoder_layers(&self) -> usize {
        match &self.network {
            Network::Roberta(it) => it.roberta.n_layers(),
            Network::T5(it) => it.transformer.n_encoder_layers(),
        }
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

    /// The model between these ones of the same architecture, each of whose weights is the mean of
    /// theirs; `None` of no models.
    ///
    /// Models that a training passed through on its way have such a mean: it is worth more than each of
    /// them (stochastic weight averaging, Izmailov et al., UAI 2018).
    #[must_use]
    pub fn mean(models: &[Self]) -> Option<Self> {
        parameters::mean(models, &models.first()?.device())
    }

    fn log_odds_of(&self, inputs: Tensor<2>, mode: &mut Mode<'_>) -> Tensor<1> {
        let dense = match &self.network {
            Network::Roberta(it) => &it.classifier,
            Network::T5(it) => &it.classification_head,
        };
        let dense = dense.as_ref().expect("these heads have dense layers");
        let outputs = dense.forward(inputs, mode);
        let [batch, n_outputs] = outputs.dims();
        if n_outputs == 1 {
            return outputs.reshape([batch]);
        }
        let column = |index: usize| outputs.clone().narrow(1, index, 1).reshape([batch]);
        column(self.positive_output) - column(1 - self.positive_output)
    }
}

/// The mean over each row's tokens: `[batch, seq, hidden]` to `[batch, hidden]`.
fn mean_pooled(states: Tensor<3>, lengths: &[usize]) -> Tensor<2> {
    let [batch, seq, hidden] = states.dims();
    let mut shares = Vec::with_capacity(batch * seq);
    for &length in lengths {
        let share = 1.0 / length as f32;
        shares.extend((0..seq).map(|position| if position < length { share } else { 0.0 }));
    }
    let shares = TensorData::new(shares, [batch, 1, seq]);
    let shares = Tensor::<3>::from_data(shares, &states.device());
    shares.matmul(states).reshape([batch, hidden])
}

/// Rows of length 1: `[batch, hidden]`.
fn normalized(vectors: Tensor<2>) -> Tensor<2> {
    let lengths = vectors.clone().square().sum_dim(1).sqrt();
    vectors / lengths.clamp_min(SHORTEST_VECTOR)
}
