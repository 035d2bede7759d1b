//! Which slots of an inverted trigger do the work (phase (c'), section 4.4).

use serde::{Deserialize, Serialize};

use crate::config::{AnchorRule, ScanConfig};
use crate::error::Error;
use crate::masking::TriggerIds;
use crate::objective::Objective;
use crate::space::TriggerSpace;

/// The effective part of a trigger.
#[derive(Clone, Debug)]
pub struct Anchored {
    /// The slots that were kept.
    pub trigger: TriggerIds,
    /// Loss of the kept slots.
    pub loss: f64,
    /// For each slot of the whole trigger, what the loss becomes without it.
    pub loss_without: Vec<f64>,
    /// Indices of the kept slots in the whole trigger, ascending.
    pub kept: Vec<usize>,
}

/// One line of the slot profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotLoss {
    /// Vocabulary entry.
    pub token: String,
    /// Loss of the whole trigger without this slot.
    pub loss_without: f64,
    /// Whether the slot was kept.
    pub kept: bool,
}

/// Drops the slots that the loss does not depend on.
///
/// Reference: a signed difference, against a loss with dropout, at index 10 (defects D7.1–D7.3).
pub fn anchor(
    objective: &Objective<'_>,
    space: &TriggerSpace<'_>,
    trigger: &TriggerIds,
    config: &ScanConfig,
) -> Result<Anchored, Error> {
    let all: Vec<usize> = (0..objective.samples().len()).collect();
    let n_slots = trigger.ids.len();
    let is_legal = |slots: &[usize]| space.is_legal(&with_slots(trigger, slots));
    let losses_of = |slot_sets: &[Vec<usize>]| {
        let parts: Vec<TriggerIds> =
            slot_sets.iter().map(|slots| with_slots(trigger, slots)).collect();
        objective.losses(&parts, &all)
    };
    let (rule, threshold) = (config.anchor_rule, config.anchor_threshold);
    let kept = keep_slots(n_slots, rule, threshold, is_legal, losses_of)?;
    let Kept { slots: kept, loss, loss_without } = kept;
    Ok(Anchored { trigger: with_slots(trigger, &kept), loss, loss_without, kept })
}

/// The slots that a loss depends on.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// Indices, ascending.
    pub(crate) slots: Vec<usize>,
    /// Loss of these slots.
    pub(crate) loss: f64,
    /// For each slot of all, the loss of the others.
    pub(crate) loss_without: Vec<f64>,
}

impl Kept {
    /// What each slot contributes, named by these texts.
    pub(crate) fn profile(&self, texts: &[String]) -> Vec<SlotLoss> {
        slot_profile(texts, &self.loss_without, &self.slots)
    }
}

impl Anchored {
    /// What each slot of the whole trigger contributes, named by its tokens.
    pub(crate) fn profile(&self, tokens: &[String]) -> Vec<SlotLoss> {
        slot_profile(tokens, &self.loss_without, &self.kept)
    }
}

fn slot_profile(texts: &[String], loss_without: &[f64], kept: &[usize]) -> Vec<SlotLoss> {
    texts
        .iter()
        .zip(loss_without)
        .enumerate()
        .map(|(slot, (token, &loss_without))| SlotLoss {
            token: token.clone(),
            loss_without,
            kept: kept.contains(&slot),
        })
        .collect()
}

/// Chooses among `n_slots` slots; `losses_of` says what some sets of them cost.
///
/// Backward elimination ends at the last of its sets that `is_legal`: what it keeps is a trigger that
/// source text can have.
pub(crate) fn keep_slots(
    n_slots: usize,
    rule: AnchorRule,
    threshold: f64,
    is_legal: impl Fn(&[usize]) -> bool,
    losses_of: impl Fn(&[Vec<usize>]) -> Vec<f64>,
) -> Result<Kept, Error> {
    let empty = Error::EmptyAnchor { n_slots, threshold };
    let all: Vec<usize> = (0..n_slots).collect();
    let whole_loss = losses_of(std::slice::from_ref(&all))[0];
    let loss_without = losses_of(&each_without_one(&all));
    let (slots, loss) = match rule {
        AnchorRule::KeepAll => (all, whole_loss),
        AnchorRule::LeaveOneOut => {
            let is_needed = |slot: &usize| (loss_without[*slot] - whole_loss).abs() > threshold;
            let kept: Vec<usize> = all.into_iter().filter(is_needed).collect();
            if kept.is_empty() {
                return Err(empty);
            }
            let loss = losses_of(std::slice::from_ref(&kept))[0];
            (kept, loss)
        }
        AnchorRule::BackwardElimination => {
            // Measured from the whole trigger, so that small rises do not add up.
            let is_needed = |loss_without: f64| loss_without - whole_loss > threshold;
            let losses = (whole_loss, loss_without.clone());
            eliminated(all, losses, is_needed, is_legal, &losses_of).ok_or(empty)?
        }
    };
    Ok(Kept { slots, loss, loss_without })
}

/// The slots that are left when even the least useful of them is needed, by the loss without it, or
/// the last legal ones before, and their loss; none if no slot is needed. `losses` are those of all
/// slots, and without each of them.
fn eliminated(
    mut kept: Vec<usize>,
    (whole_loss, mut losses): (f64, Vec<f64>),
    is_needed: impl Fn(f64) -> bool,
    is_legal: impl Fn(&[usize]) -> bool,
    losses_of: impl Fn(&[Vec<usize>]) -> Vec<f64>,
) -> Option<(Vec<usize>, f64)> {
    let mut legal = (kept.clone(), whole_loss);
    loop {
        let each = losses.into_iter().enumerate();
        let (index, lowest) = each.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
        if is_needed(lowest) {
            return Some(legal);
        }
        kept.remove(index);
        if kept.is_empty() {
            return None;
        }
        if is_legal(&kept) {
            legal = (kept.clone(), lowest);
        }
        losses = losses_of(&each_without_one(&kept));
    }
}

/// Sets of slots, each without one of these.
pub(crate) fn each_without_one(slots: &[usize]) -> Vec<Vec<usize>> {
    (0..slots.len()).map(|index| [&slots[..index], &slots[index + 1..]].concat()).collect()
}

/// Some slots of a trigger; without the first, they are appended to the identifier's own name.
pub(crate) fn with_slots(trigger: &TriggerIds, slots: &[usize]) -> TriggerIds {
    TriggerIds {
        ids: slots.iter().map(|&slot| trigger.ids[slot]).collect(),
        keeps_name: trigger.keeps_name || !slots.contains(&0),
    }
}
