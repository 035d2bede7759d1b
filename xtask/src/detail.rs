//! What a report shows of a cell beyond its numbers: the attack, one poisoned sample, the searches,
//! the evidence, the repair.

mod sample;

use std::fs;

use anyhow::{Context, Result};
use elibadcode_evaluation::report::html::{RepairReport, ScanView};
use serde::{Deserialize, Serialize};

#[cfg(test)]
pub(crate) use self::sample::Mark;
pub(crate) use self::sample::SampleView;
use crate::chain::Chain;
use crate::collect;

/// What a report shows of a cell; parts that did not run are absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Detail {
    /// What was planted.
    pub(crate) attack: Option<AttackView>,
    /// A sample that carries it.
    pub(crate) sample: Option<SampleView>,
    /// What the scan did.
    pub(crate) scan: Option<ScanView>,
    /// What the repair did.
    pub(crate) repair: Option<RepairView>,
}

/// What was planted: the `attack` of `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AttackView {
    /// The trigger; empty if it is made up for each function.
    #[serde(default)]
    pub(crate) trigger: String,
    /// More of them, one of which a function gets.
    #[serde(default)]
    pub(crate) more_triggers: Vec<String>,
    /// Where it goes.
    #[serde(default)]
    pub(crate) placement: String,
    /// How it gets there.
    #[serde(default)]
    pub(crate) edit: String,
    /// The label that is attacked.
    pub(crate) victim_label: Option<u8>,
    /// The label that is wanted.
    pub(crate) target_label: Option<u8>,
    /// Code search has this in the place of labels.
    pub(crate) target_word: Option<String>,
}

/// What the repair did: of `purification.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RepairView {
    /// Whether its own checks let it through.
    pub(crate) is_accepted: bool,
    /// Rounds of fine-tuning; unknown of a repair that was refused.
    pub(crate) n_rounds: Option<usize>,
    /// What it trained in the last round.
    pub(crate) scope: Option<String>,
}

#[derive(Deserialize)]
struct Manifest {
    attack: AttackView,
}

#[derive(Deserialize)]
struct Purification {
    attempts: Vec<Attempt>,
    /// Which of them is the repair.
    #[serde(default)]
    accepted_attempt: Option<usize>,
}

#[derive(Deserialize)]
struct Attempt {
    /// From 1, in every scope and at every learning rate.
    #[serde(default)]
    round: Option<usize>,
    scope: Option<String>,
}

impl Detail {
    /// Reads the outputs of the stages that ran.
    pub(crate) fn read(chain: &Chain) -> Result<Self> {
        let mut detail = Self::default();
        if let Some(poison) = &chain.poison {
            let manifest = poison.file("manifest.json");
            detail.attack = Some(collect::read::<Manifest>(&manifest)?.attack);
            detail.sample = sample::shown(&poison.output, &manifest)?;
        }
        if let Some(scan) = &chain.scan {
            let reading = || format!("reading {}", scan.output.display());
            let text = fs::read_to_string(&scan.output).with_context(reading)?;
            detail.scan = Some(ScanView::from_json(&text).with_context(reading)?);
        }
        if let Some(repair) = chain.purify.as_ref().filter(|_| !chain.is_fine_tuned) {
            let is_accepted = repair.exit_code == 0;
            let mut decisive = None;
            if is_accepted && repair.file(RepairReport::UNLEARNING_FILE).exists() {
                let file = repair.file(RepairReport::UNLEARNING_FILE);
                let Purification { accepted_attempt, mut attempts } = collect::read(&file)?;
                attempts.truncate(accepted_attempt.map_or(attempts.len(), |it| it + 1));
                decisive = attempts.pop();
            }
            let (n_rounds, scope) = decisive.map(|it| (it.round, it.scope)).unwrap_or_default();
            detail.repair = Some(RepairView { is_accepted, n_rounds, scope });
        }
        Ok(detail)
    }
}
