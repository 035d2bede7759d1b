//! T5's attention: no biases, no scale, and the position table in the first layer of a stack.

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::attention::{Scores, attention};
use crate::config::T5Config;
use crate::dropout::Mode;
use crate::linear::linear;
use crate::softmax::Visible;

/// Self-attention or cross-attention of one layer.
#[derive(Module, Debug)]
pub(super) struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    relative_attention_bias: Option<Embedding>,
    n_heads: usize,
    dropout_rate: f64,
}

impl Attention {
    pub(super) fn new(config: &T5Config, has_positions: bool, device: &Device) -> Self {
        let inner = config.num_heads * config.d_kv;
        let dense = |from, to| LinearConfig::new(from, to).with_bias(false).init(device);
        let table = EmbeddingConfig::new(config.relative_attention_num_buckets, config.num_heads);
        Self {
            q: dense(config.d_model, inner),
            k: dense(config.d_model, inner),
            v: dense(config.d_model, inner),
            o: dense(inner, config.d_model),
            relative_attention_bias: has_positions.then(|| table.init(device)),
            n_heads: config.num_heads,
            dropout_rate: config.dropout_rate,
        }
    }

    /// The biases of every bucket and head: `[buckets, heads]`.
    pub(super) fn position_table(&self) -> Tensor<2> {
        let table = self.relative_attention_bias.as_ref();
        table.expect("asked of the first layer only").weight.val()
    }

    /// `queries`: `[batch, rows, hidden]`, `sources`: `[batch, seq, hidden]`, `bias`: what is
    /// added to the scores, broadcast to `[batch, heads, rows, seq]`, `visible`: which sources
    /// each query attends to; gives `[batch, rows, hidden]`.
    pub(super) fn forward(
        &self,
        queries: Tensor<3>,
        sources: Tensor<3>,
        bias: Option<&Tensor<4>>,
        visible: &Visible,
        mode: &mut Mode<'_>,
    ) -> Tensor<3> {
        let query = linear(&self.q, queries);
        let (key, value) = (linear(&self.k, sources.clone()), linear(&self.v, sources));
        let (n_heads, dropout_rate) = (self.n_heads, self.dropout_rate);
        let scores = Scores { n_heads, scale: 1.0, bias: bias.cloned(), visible, dropout_rate };
        linear(&self.o, attention([query, key, value], scores, mode))
    }
}
