//! Clean samples with room for a trigger: the identifier's places are holes between fixed ids.

use std::ops::Range;

use elibadcode_corpus::{CodeTokenizer, EncodedCode, InputFormat};
use elibadcode_models::{LoadedModel, ReadFunction};
use elibadcode_syntax::{Function, Identifier, Role};
use serde::{Deserialize, Serialize};

/// Which places of an identifier a trigger takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occurrences {
    /// All of them: the function with the identifier renamed, as an attacker would leave it.
    All,
    /// The first. Paper: "that one position" (section 4.3).
    First,
}

/// How a trigger enters an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edit {
    /// The identifier becomes the trigger.
    Replace,
    /// The trigger is appended to the identifier.
    Append,
}

/// Trigger ids and how they are placed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TriggerIds {
    /// One id per slot.
    pub ids: Vec<u32>,
    /// Whether the identifier's own ids stay before the trigger.
    pub keeps_name: bool,
}

impl TriggerIds {
    /// A trigger that takes the identifier's place.
    pub fn replacing(ids: Vec<u32>) -> Self {
        Self { ids, keeps_name: false }
    }
}

/// How much a model's answer depends on one identifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sensitivity {
    /// The identifier.
    pub identifier: String,
    /// What it names.
    pub role: Role,
    /// `|loss - loss without it|`, of the true label.
    pub loss_change: f64,
}

/// One clean sample in which one identifier can be exchanged.
#[derive(Clone, Debug)]
pub struct MaskedSample {
    /// Index among the samples it was made from.
    pub sample_index: usize,
    /// The identifier's own text.
    pub identifier: String,
    /// What the identifier names.
    pub role: Role,
    /// What masking each identifier that it was chosen among changes; empty if nobody looked.
    pub sensitivities: Vec<Sensitivity>,
    /// Ids before, between and behind the holes; `<s>` first, `</s>` not included.
    segments: Vec<Vec<u32>>,
    /// The identifier's own ids, after a space.
    name: Vec<u32>,
}

/// A sample with a trigger in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// `<s> … </s>`.
    pub ids: Vec<u32>,
    /// For each slot, where it stands in `ids`.
    pub slots: Vec<Vec<usize>>,
}

/// The identifiers of a function that a trigger of `n_slots` can take within the model's window:
/// of a model that reads canonical names, those that keep theirs.
pub fn maskable(
    model: &LoadedModel,
    function: &ReadFunction,
    sample_index: usize,
    occurrences: Occurrences,
    n_slots: usize,
) -> Vec<MaskedSample> {
    let (encoded, reach) = match model.input_format() {
        InputFormat::CodeTokens => {
            // A trigger can be shorter than the name: what comes behind the window then moves into
            // it.
            let encoded = model.tokenizer.encode(function, 2 * model.max_length);
            (Some(encoded), function.text().len())
        }
        InputFormat::Whitespace | InputFormat::Source => {
            (None, model.reach(function.text(), function.language()))
        }
    };
    // Source text is encoded anew up to each identifier: of one that is not read, all for nothing.
    let is_read = |it: &&Identifier| it.occurrences.first().is_some_and(|at| at.start < reach);
    function
        .visible_identifiers()
        .filter(is_read)
        .filter_map(|identifier| {
            let segments = match &encoded {
                Some(encoded) => segments(encoded, identifier, occurrences)?,
                None => pieces(model, function, identifier, occurrences)?,
            };
            // The first hole must hold the whole trigger within the window.
            let has_room = segments[0].len() + n_slots < model.max_length;
            has_room.then(|| MaskedSample {
                sample_index,
                identifier: identifier.text.clone(),
                role: identifier.role,
                sensitivities: Vec::new(),
                segments,
                name: model.tokenizer.word(&identifier.text, true).to_vec(),
            })
        })
        .collect()
}

/// The ids before, between and behind an identifier's occurrences.
fn segments(
    encoded: &EncodedCode,
    identifier: &Identifier,
    occurrences: Occurrences,
) -> Option<Vec<Vec<u32>>> {
    let mut holes = id_ranges(encoded, identifier);
    if occurrences == Occurrences::First {
        holes.truncate(1);
    }
    // A name at the very start has no space before it and would need other ids.
    if holes.first()?.start == encoded.spans.first()?.ids.start {
        return None;
    }
    let mut segments = Vec::with_capacity(holes.len() + 1);
    let mut from = 0;
    for hole in &holes {
        segments.push(encoded.ids[from..hole.start].to_vec());
        from = hole.end;
    }
    segments.push(encoded.ids[from..encoded.ids.len() - 1].to_vec());
    Some(segments)
}

/// The same for source text, where a space is put around every hole: the tokens of a name
/// would otherwise depend on the character before it.
fn pieces(
    model: &LoadedModel,
    function: &Function,
    identifier: &Identifier,
    occurrences: Occurrences,
) -> Option<Vec<Vec<u32>>> {
    let mut holes = &identifier.occurrences[..];
    if occurrences == Occurrences::First {
        holes = &holes[..1];
    }
    let code = function.text();
    let first = holes.first()?;
    let (tokenizer, room) = (&model.tokenizer, model.max_length);
    let collapses = model.input_format() == InputFormat::Whitespace;
    let before = &code[..first.start];
    let mut start = if collapses {
        tokenizer.encode_whitespace(before, room).ids
    } else {
        tokenizer.encode_text(before.trim_end_matches(' '), room).ids
    };
    if start.len() <= tokenizer.prefix().len() + 1 {
        return None;
    }
    start.pop();
    let mut n_ids = start.len();
    let mut segments = vec![start];
    for (index, hole) in holes.iter().enumerate() {
        // What follows the window is never read.
        if n_ids >= room {
            break;
        }
        let end = holes.get(index + 1).map_or(code.len(), |next| next.start);
        let behind = &code[hole.end..end];
        let piece = if collapses {
            tokenizer.piece_after_space(behind)
        } else {
            tokenizer.source_after_space(behind)
        };
        n_ids += piece.len();
        segments.push(piece);
    }
    Some(segments)
}

/// Where the identifier's occurrences stand among the ids.
fn id_ranges(encoded: &EncodedCode, identifier: &Identifier) -> Vec<Range<usize>> {
    // Spans ascend in the source. An occurrence in a literal, as in an f-string, has none of its own.
    let own_span = |occurrence: &Range<usize>| {
        let spans = &encoded.spans;
        let place = spans.binary_search_by_key(&occurrence.start, |span| span.source.start).ok()?;
        Some(&spans[place]).filter(|span| span.source == *occurrence)
    };
    identifier.occurrences.iter().filter_map(own_span).map(|span| span.ids.clone()).collect()
}

impl MaskedSample {
    /// The sample with `trigger` in every hole, cut to `max_length` ids.
    pub fn stamp(
        &self,
        trigger: &TriggerIds,
        tokenizer: &CodeTokenizer,
        max_length: usize,
    ) -> Stamped {
        let room = max_length - 1;
        let mut ids = self.segments[0].clone();
        let mut slots = vec![Vec::new(); trigger.ids.len()];
        for segment in &self.segments[1..] {
            if trigger.keeps_name {
                ids.extend(&self.name);
            }
            for (slot, &id) in trigger.ids.iter().enumerate() {
                if ids.len() < room {
                    slots[slot].push(ids.len());
                }
                ids.push(id);
            }
            ids.extend(segment);
        }
        ids.truncate(room);
        ids.push(tokenizer.special().eos);
        Stamped { ids, slots }
    }

    /// What the model reads where `trigger` is written into the source.
    ///
    /// The ids of a name with something behind it can be others than those of the name and of what is
    /// behind it. [`stamp`](Self::stamp) keeps both, because a gradient needs slots.
    pub fn with_trigger(
        &self,
        trigger: &TriggerIds,
        tokenizer: &CodeTokenizer,
        max_length: usize,
    ) -> Vec<u32> {
        if !trigger.keeps_name {
            return self.with_name(&trigger.ids, tokenizer, max_length);
        }
        let written = format!("{}{}", self.identifier, tokenizer.decode(&trigger.ids).trim_start());
        self.with_name(&tokenizer.word(&written, true), tokenizer, max_length)
    }

    /// The sample as it was, if `name` is its own, else with another text in its holes.
    pub fn with_name(
        &self,
        name: &[u32],
        tokenizer: &CodeTokenizer,
        max_length: usize,
    ) -> Vec<u32> {
        self.stamp(&TriggerIds::replacing(name.to_vec()), tokenizer, max_length).ids
    }

    /// The sample untouched.
    pub fn original(&self, tokenizer: &CodeTokenizer, max_length: usize) -> Vec<u32> {
        self.with_name(&self.name, tokenizer, max_length)
    }
}
