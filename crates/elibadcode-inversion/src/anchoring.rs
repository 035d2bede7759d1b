//! Which slots of an inverted trigger do the work (phase (c'), section 4.4).

use serde::{Deserialize, Serialize};

use crate::config::{AnchorRule, ScanConfig};
use crate::error::Error;
use crate::masking::TriggerIds;
use crate::objective::Objective;

/// The effective part of a trigger.
#[derive(Clone, Debug)]
pub struct Anchored {
    /// The slots that were kept.
    pub trigger: TriggerIds,
    /// Loss of the kept slots.
    pub loss: f64,
    /// For each slot of the whole trigger, what the loss becomes without it.
    pub loss_without: Vec<f64>,
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
    trigger: &TriggerIds,
    config: &ScanConfig,
) -> Result<Anchored, Error> {
    let all: Vec<usize> = (0..objective.samples().len()).collect();
    let losses_without = |trigger: &TriggerIds| {
        let shorter: Vec<TriggerIds> =
            (0..trigger.ids.len()).map(|slot| without_slot(trigger, slot)).collect();
        objective.losses(&shorter, &all)
    };
    let empty =
        Error::EmptyAnchor { n_slots: trigger.ids.len(), threshold: config.anchor_threshold };
    let whole_loss = objective.losses(std::slice::from_ref(trigger), &all)[0];
    let loss_without = losses_without(trigger);
    let mut kept = trigger.clone();
    let mut loss = whole_loss;
    match config.anchor_rule {
        AnchorRule::LeaveOneOut => {
            for slot in (0..trigger.ids.len()).rev() {
                if (loss_without[slot] - whole_loss).abs() <= config.anchor_threshold {
                    kept = without_slot(&kept, slot);
                }
            }
            if kept.ids.is_empty() {
                return Err(empty);
            }
            loss = objective.losses(std::slice::from_ref(&kept), &all)[0];
        }
        AnchorRule::BackwardElimination => {
            let mut losses = None;
            loop {
                let (slot, lowest) = losses
                    .as_ref()
                    .unwrap_or(&loss_without)
                    .iter()
                    .copied()
                    .enumerate()
                    .min_by(|(_, a), (_, b)| a.total_cmp(b))
                    .expect("a trigger has at least one slot");
                // The rise is measured from the whole trigger, so that small rises do not add up.
                if lowest - whole_loss > config.anchor_threshold {
                    break;
                }
                if kept.ids.len() == 1 {
                    return Err(empty);
                }
                kept = without_slot(&kept, slot);
                loss = lowest;
                losses = Some(losses_without(&kept));
            }
        }
    }
    Ok(Anchored { trigger: kept, loss, loss_without })
}

/// The trigger without one slot; without the first, it is appended to the identifier's own name.
fn without_slot(trigger: &TriggerIds, slot: usize) -> TriggerIds {
    let mut ids = trigger.ids.clone();
    ids.remove(slot);
    TriggerIds { ids, keeps_name: trigger.keeps_name || slot == 0 }
}
