//! Byte-level BPE tokenizers of Hugging Face folders, opened or trained.

mod beside;
mod entries;
mod look;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use fs_err as fs;
use tokenizers::decoders::DecoderWrapper;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::PostProcessorWrapper;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::{AddedToken, Model, ModelWrapper, Tokenizer};

use crate::error::Error;

/// Ids of the special tokens, in RoBERTa's naming.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecialTokens {
    /// `<s>`.
    pub bos: u32,
    /// `<pad>`.
    pub pad: u32,
    /// `</s>`.
    pub eos: u32,
    /// `<unk>`.
    pub unk: u32,
}

/// Whose special tokens a new tokenizer gets, and in which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenizerLayout {
    /// `<s>` 0, `<pad>` 1, `</s>` 2, `<unk>` 3, `<mask>` 4.
    #[default]
    CodeBert,
    /// As `CodeBERT`, then the three mode tokens, of which `<encoder-only>` is one.
    UniXcoder,
    /// `<pad>` 0, `<s>` 1, `</s>` 2, `<unk>` 3, `<mask>` 4.
    CodeT5,
}

impl TokenizerLayout {
    /// The special tokens, by id.
    fn tokens(self) -> &'static [&'static str] {
        match self {
            Self::CodeBert => &["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
            Self::UniXcoder => {
                &["<s>", "<pad>", "</s>", "<unk>", "<mask>", MODES[0], MODES[1], MODES[2]]
            }
            Self::CodeT5 => &["<pad>", "<s>", "</s>", "<unk>", "<mask>"],
        }
    }

    fn added_tokens(self) -> Vec<AddedToken> {
        self.tokens().iter().map(|text| special_token(text)).collect()
    }
}

/// `UniXcoder`'s mode tokens; the encoder's is `<encoder-only>`.
const MODES: [&str; 3] = ["<encoder-decoder>", "<encoder-only>", "<decoder-only>"];
const ENCODER_ONLY: &str = MODES[1];

/// The ids of words met before.
type WordCache = RwLock<HashMap<Box<str>, Arc<[u32]>>>;
/// Bytes of the longest word that is kept: long literals do not come again.
const MAX_CACHED: usize = 64;

/// A tokenizer that encodes one code token at a time.
///
/// Joining code tokens by a space and encoding the whole gives the same ids, because byte-level
/// BPE never merges across a space; encoding word by word can be cached and keeps the position of
/// every code token.
#[derive(Clone, Debug)]
pub struct CodeTokenizer {
    inner: Tokenizer,
    special: SpecialTokens,
    /// What every input starts with: `<s>`, or `UniXcoder`'s longer prefix.
    prefix: Vec<u32>,
    /// Without and with a space before them.
    words: Arc<[WordCache; 2]>,
}

impl CodeTokenizer {
    /// Opens `tokenizer.json`, or else `vocab.json` with `merges.txt`, of a folder.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let (json, vocabulary) = (dir.join("tokenizer.json"), dir.join("vocab.json"));
        if json.exists() {
            look::look_at(&json).map_err(|text| problem(&json, text))?;
            let mut inner = Tokenizer::from_file(&json).map_err(|error| problem(&json, error))?;
            inner.with_truncation(None).map_err(|error| problem(&json, error))?;
            inner.with_padding(None);
            check_pipeline(&inner)
                .and_then(|()| entries::check_entries(&inner))
                .map_err(|text| problem(&json, text))?;
            beside::check_slow_files(&inner, dir)?;
            beside::check_named_tokens(&inner, dir)?;
            if let Some(&PreTokenizerWrapper::ByteLevel(it)) = inner.get_pre_tokenizer() {
                let adds_space = look::adds_space(dir)?.unwrap_or(it.add_prefix_space);
                inner.with_pre_tokenizer(Some(ByteLevel::new(adds_space, it.trim_offsets, true)));
            }
            return Self::new(inner, &json);
        }
        if vocabulary.exists() {
            let merges = dir.join("merges.txt");
            let model = BPE::from_file(&text_path(&vocabulary)?, &text_path(&merges)?)
                .unk_token("<unk>".into())
                .build()
                .map_err(|error| problem(&vocabulary, error))?;
            // The vocabulary says which ids these have; what it lacks is left out.
            let known = TokenizerLayout::UniXcoder.tokens().iter();
            let special: Vec<AddedToken> = known
                .filter(|text| model.token_to_id(text).is_some())
                .map(|text| special_token(text))
                .collect();
            let mut inner = pipeline(model, &special, look::adds_space(dir)?.unwrap_or(false));
            look::add_tokens(&mut inner, dir)?;
            entries::check_entries(&inner).map_err(|text| problem(dir, text))?;
            beside::check_named_tokens(&inner, dir)?;
            return Self::new(inner, &vocabulary);
        }
        Err(problem(dir, "has neither tokenizer.json nor vocab.json with merges.txt"))
    }

    /// Trains a byte-level BPE in `CodeBERT`'s layout on texts of space-joined code tokens.
    pub fn train(texts: &[String], vocab_size: usize) -> Result<Self, Error> {
        Self::train_layout(TokenizerLayout::CodeBert, texts, vocab_size)
    }

    /// Trains a byte-level BPE on texts of space-joined code tokens.
    pub fn train_layout(
        layout: TokenizerLayout,
        texts: &[String],
        vocab_size: usize,
    ) -> Result<Self, Error> {
        let training = |error| problem(Path::new("tokenizer training"), error);
        let mut inner = pipeline(BPE::default(), &layout.added_tokens(), false);
        let trainer = BpeTrainer::builder()
            .vocab_size(vocab_size)
            .min_frequency(2)
            .show_progress(false)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .special_tokens(layout.added_tokens())
            .build();
        let mut trainer = TrainerWrapper::from(trainer);
        inner.train(&mut trainer, texts.iter().map(String::as_str)).map_err(training)?;
        Self::new(inner, Path::new("trained tokenizer"))
    }

    fn new(inner: Tokenizer, path: &Path) -> Result<Self, Error> {
        let id = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| inner.token_to_id(name))
                .ok_or_else(|| problem(path, format!("has no special token `{}`", names[0])))
        };
        let special = SpecialTokens {
            bos: id(&["<s>", "[CLS]"])?,
            pad: id(&["<pad>", "[PAD]"])?,
            eos: id(&["</s>", "[SEP]"])?,
            unk: id(&["<unk>", "[UNK]"])?,
        };
        Ok(Self { inner, special, prefix: vec![special.bos], words: Arc::default() })
    }

    /// The tokenizer with inputs that start as `UniXcoder` was pre-trained: `<s> <encoder-only>
    /// </s> …`.
    ///
    /// Reference: left out, as here by default (spec section 3.2).
    pub fn with_encoder_only_prefix(mut self) -> Result<Self, Error> {
        let mode = self.inner.token_to_id(ENCODER_ONLY).ok_or_else(|| {
            problem(Path::new("tokenizer"), format!("has no special token `{ENCODER_ONLY}`"))
        })?;
        self.prefix = vec![self.special.bos, mode, self.special.eos];
        Ok(self)
    }

    /// What every input starts with.
    pub fn prefix(&self) -> &[u32] {
        &self.prefix
    }

    /// Writes `tokenizer.json` and the `tokenizer_config.json` that transformers wants beside it.
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        let path = dir.join("tokenizer.json");
        let text = self.inner.to_string(false).map_err(|error| problem(&path, error))?;
        fs::write(&path, text)?;
        let adds_space = matches!(
            self.inner.get_pre_tokenizer(),
            Some(PreTokenizerWrapper::ByteLevel(it)) if it.add_prefix_space
        );
        let [bos, eos, pad, unk] =
            [self.special.bos, self.special.eos, self.special.pad, self.special.unk]
                .map(|id| self.entry(id));
        let mut config = serde_json::json!({
            "tokenizer_class": "RobertaTokenizerFast",
            // It goes before what tokenizer.json says.
            "add_prefix_space": adds_space,
            "bos_token": bos, "eos_token": eos, "cls_token": bos, "sep_token": eos,
            "pad_token": pad, "unk_token": unk,
        });
        let masks = ["<mask>", "[MASK]"];
        if let Some(mask) = masks.iter().find(|it| self.inner.token_to_id(it).is_some()) {
            config["mask_token"] = (*mask).into();
        }
        fs::write(dir.join("tokenizer_config.json"), format!("{config:#}\n"))?;
        Ok(())
    }

    /// The special tokens.
    pub fn special(&self) -> SpecialTokens {
        self.special
    }

    /// One more than the largest id.
    pub fn size(&self) -> usize {
        self.inner.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1)
    }

    /// Every entry, by id, in the byte-level alphabet (`Ġtest` is ` test`).
    pub fn vocabulary(&self) -> BTreeMap<u32, String> {
        self.inner.get_vocab(true).into_iter().map(|(text, id)| (id, text)).collect()
    }

    /// Ids of the entries that are not text: `<s>`, `<mask>` and the like.
    pub fn special_ids(&self) -> std::collections::BTreeSet<u32> {
        self.inner
            .get_added_tokens_decoder()
            .into_iter()
            .filter_map(|(id, token)| token.special.then_some(id))
            .collect()
    }

    /// The ids of one code token, with or without a space before it.
    pub fn word(&self, text: &str, after_space: bool) -> Arc<[u32]> {
        let words = &self.words[usize::from(after_space)];
        if let Some(ids) = words.read().unwrap_or_else(PoisonError::into_inner).get(text) {
            return Arc::clone(ids);
        }
        let spaced = if after_space { format!(" {text}") } else { text.to_owned() };
        // BPE with a byte-level alphabet encodes any text; an error would mean a tokenizer without
        // an unknown token, whose words then have no ids.
        let encoding = self.inner.encode_fast(spaced, false);
        let ids: Arc<[u32]> = encoding.map_or_else(|_| Arc::from([]), |it| Arc::from(it.get_ids()));
        if text.len() <= MAX_CACHED {
            let mut words = words.write().unwrap_or_else(PoisonError::into_inner);
            words.insert(text.into(), Arc::clone(&ids));
        }
        ids
    }

    /// The ids of a whole text as the tokenizer itself gives them, special tokens not added.
    pub fn text_ids(&self, text: &str) -> Vec<u32> {
        self.inner.encode(text, false).map_or_else(|_| Vec::new(), |it| it.get_ids().to_vec())
    }

    /// Where in a text each of its ids ends, in bytes.
    pub(crate) fn text_ends(&self, text: &str) -> Vec<usize> {
        let ends =
            |it: tokenizers::Encoding| it.get_offsets().iter().map(|(_, end)| *end).collect();
        self.inner.encode(text, false).map_or_else(|_| Vec::new(), ends)
    }

    /// The text of some ids, a leading space kept.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.inner.decode(ids, false).unwrap_or_default()
    }

    /// The vocabulary entry of an id, in the byte-level alphabet.
    pub fn entry(&self, id: u32) -> String {
        self.inner.id_to_token(id).unwrap_or_else(|| format!("<{id}>"))
    }
}

/// The byte-level pipeline of RoBERTa's tokenizers around a model, with these special tokens.
fn pipeline(model: BPE, special: &[AddedToken], adds_space: bool) -> Tokenizer {
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(adds_space, true, true)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    tokenizer.add_special_tokens(special);
    let id = |text: &str| tokenizer.token_to_id(text).unwrap_or_default();
    let ends = RobertaProcessing::new(("</s>".into(), id("</s>")), ("<s>".into(), id("<s>")));
    tokenizer.with_post_processor(Some(ends.add_prefix_space(false)));
    tokenizer
}

/// `<mask>` takes the space before it along, as in RoBERTa's own tokenizer.
fn special_token(text: &str) -> AddedToken {
    AddedToken::from(text, true).lstrip(text == "<mask>")
}

fn text_path(path: &Path) -> Result<String, Error> {
    path.to_str().map(ToOwned::to_owned).ok_or_else(|| problem(path, "is not UTF-8"))
}

/// Fails unless the file is a byte-level BPE, as [`CodeTokenizer`] relies on; its normalizer was
/// [looked at](look::look_at) before. The library takes
/// pipelines of many other parts, with which words would get other ids than whole texts, and of which
/// some panic or multiply their input.
fn check_pipeline(tokenizer: &Tokenizer) -> Result<(), String> {
    let is_whole = |bpe: &BPE| bpe.dropout.is_none_or(|rate| rate == 0.0);
    let parts = [
        (
            "model",
            "BPE without dropout",
            matches!(tokenizer.get_model(), ModelWrapper::BPE(bpe) if is_whole(bpe)),
        ),
        (
            "pre_tokenizer",
            "ByteLevel with its own splits",
            matches!(
                tokenizer.get_pre_tokenizer(),
                Some(PreTokenizerWrapper::ByteLevel(it)) if it.use_regex
            ),
        ),
        (
            "post_processor",
            "none, RobertaProcessing or ByteLevel",
            matches!(
                tokenizer.get_post_processor(),
                None | Some(PostProcessorWrapper::Roberta(_) | PostProcessorWrapper::ByteLevel(_))
            ),
        ),
        (
            "decoder",
            "ByteLevel",
            matches!(tokenizer.get_decoder(), Some(DecoderWrapper::ByteLevel(_))),
        ),
    ];
    if let Some((part, expected, _)) = parts.iter().find(|(.., is_known)| !is_known) {
        return Err(look::other_kind(part, expected, None));
    }
    Ok(())
}

fn problem(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::Tokenizer { path: path.to_owned(), problem: error.to_string() }
}
