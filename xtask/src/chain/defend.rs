//! What is done to an attacked model, by defense.

use anyhow::Result;
use elibadcode_evaluation::records::results::OWN_DEFENSE;

use super::{Attacked, Base, Chain, Corpus, Plan, Subject};
use crate::collect::{self, ScanDocument};
use crate::experiment::{Defense, Variant};
use crate::stage::{Done, Stage};

/// Exit codes of a purification: accepted, refused by its own checks.
const PURIFY_EXITS: &[i32] = &[0, 1];

/// A defense of an attacked model.
pub(super) struct Defended<'a> {
    pub(super) variant: &'a Variant,
    /// Index of the variant.
    pub(super) index: usize,
    /// The attack's folder.
    pub(super) folder: &'a str,
}

impl Defended<'_> {
    /// The name of one of its stages: those of the project's own defense stand beside the attack's.
    fn stage(&self, name: &str) -> String {
        match &*self.variant.name {
            OWN_DEFENSE => format!("{}/{name}", self.folder),
            variant => format!("{}/{variant}/{name}", self.folder),
        }
    }
}

impl Plan<'_> {
    /// Defends an attacked model, and measures what that gave.
    pub(super) fn defend(
        &self,
        defended: &Defended<'_>,
        subject: Subject<'_>,
        model: &Done,
        corpus: &Corpus,
        test: Attacked<'_>,
        chain: &mut Chain,
    ) -> Result<()> {
        let seed = subject.seed;
        let repaired = match defended.variant.defense {
            Defense::Screening => {
                let name = defended.stage("evaluate-screen");
                let stage = self.evaluate(name, seed, model, test).argument("--screen");
                chain.screen = Some(self.runner.run(stage.costs(self.costs.screen()))?);
                return Ok(());
            }
            Defense::Unlearning => self.unlearn(defended, seed, model, corpus, chain)?,
            Defense::FineTuning => {
                let training = self.experiment.training(subject.model);
                let base = Base::Made(model.clone());
                let (name, Corpus { clean, valid, .. }) = (defended.stage("train"), corpus);
                let tuned = self.train(&name, seed, &base, training, clean, valid)?;
                chain.is_fine_tuned = true;
                Some(chain.purify.insert(tuned).clone())
            }
            Defense::Canonical | Defense::CanonicalFunction => {
                let names = match defended.variant.defense {
                    Defense::CanonicalFunction => "function",
                    _ => "all",
                };
                let how = |stage: Stage| stage.argument(format!("--canonical={names}"));
                let stage = self.purify(defended, seed, model, corpus, how);
                self.repair(stage.costs(self.costs.canonical), chain)?
            }
        };
        chain.after = match repaired {
            Some(repaired) => {
                let name = defended.stage("evaluate-after");
                Some(self.runner.run(self.evaluate(name, seed, &repaired, test))?)
            }
            None => chain.before.clone(),
        };
        Ok(())
    }

    /// Scans, and unlearns what was found; none if the model stays as it is.
    fn unlearn(
        &self,
        defended: &Defended<'_>,
        seed: u64,
        model: &Done,
        corpus: &Corpus,
        chain: &mut Chain,
    ) -> Result<Option<Done>> {
        let name = defended.stage("scan");
        let scanned = self.scan(&name, seed, defended.index, model, &corpus.clean)?;
        let scan = &*chain.scan.insert(scanned);
        // A scan that would run may find something.
        let has_suspect = scan.finished.is_none()
            || collect::read::<ScanDocument>(&scan.output)?.has_suspect(self.experiment.task);
        if !has_suspect {
            return Ok(None);
        }
        let how = |stage: Stage| stage.flag("--scan", scan.output.display()).after(scan);
        let stage = self.purify(defended, seed, model, corpus, how);
        self.repair(stage, chain)
    }

    /// A repair of a model with the clean samples, of whatever kind.
    fn purify(
        &self,
        defended: &Defended<'_>,
        seed: u64,
        model: &Done,
        corpus: &Corpus,
        how: impl FnOnce(Stage) -> Stage,
    ) -> Stage {
        let clean = &corpus.clean;
        let stage = self
            .stage(defended.stage("purify"), "purify", "purified", seed)
            .argument(model.output.display())
            .after(model);
        how(stage)
            .flag("--data", clean.path.display())
            .costs(self.costs.purify)
            .exits(PURIFY_EXITS)
            .after(&clean.made_by)
            .settings(self.settings[defended.index].purify.as_deref())
    }

    /// Runs a repair; none if its checks refused it.
    fn repair(&self, stage: Stage, chain: &mut Chain) -> Result<Option<Done>> {
        let repair = &*chain.purify.insert(self.runner.run(stage)?);
        Ok((repair.exit_code == 0).then(|| repair.clone()))
    }
}
