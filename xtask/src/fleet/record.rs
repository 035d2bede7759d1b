//! `member.json` and `fleet.json`: what is kept of a fleet.

use std::collections::BTreeSet;

use elibadcode_evaluation::Rate;
use elibadcode_evaluation::records::calibration::ModelShape;
use elibadcode_evaluation::records::results::Verdict;
use elibadcode_evaluation::statistics::{Interval, RocPoint};
use serde::{Deserialize, Serialize};

use super::plan::Member;

/// Version of `fleet.json`.
pub(crate) const FLEET_SCHEMA_VERSION: u32 = 4;
/// A model that is counted.
pub(crate) const OK: &str = "ok";
/// How the status of a model that could not be made begins.
const NOT_RUN: &str = "not run: ";

/// One model: how it was made, what it is worth, and what the scan said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberRecord {
    /// Its folder below that of the fleet.
    pub(crate) name: String,
    /// The architecture.
    pub(crate) model: String,
    /// The master seed.
    pub(crate) seed: u64,
    /// The attack, or the kind of clean model.
    pub(crate) kind: String,
    /// Whether there is a backdoor in it.
    pub(crate) is_backdoored: bool,
    /// Whether the scan says itself that it does not test such an attack.
    pub(crate) is_out_of_reach: bool,
    /// The training data, of a backdoored model before the poison.
    pub(crate) data: String,
    /// What `poison --rate` got.
    pub(crate) rate: Option<f64>,
    /// `ok`, `not run: <reason>` or `not counted: <reason>`.
    pub(crate) status: String,
    /// Accuracy, F1 or mean reciprocal rank on test samples.
    pub(crate) score: Option<f64>,
    /// Success rate of the planted trigger.
    pub(crate) asr: Option<f64>,
    /// Mean normalised rank that the planted trigger lifts code to.
    pub(crate) anr: Option<f64>,
    /// What the scan said.
    pub(crate) scan: Option<ScanRecord>,
    /// Seconds of the training.
    pub(crate) train_seconds: Option<f64>,
    /// Seconds of the scan.
    pub(crate) scan_seconds: Option<f64>,
    /// A hash of the program that scanned it; records of an earlier version do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scanned_by: Option<String>,
    /// By which program and plan it was made; records of an earlier version do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fingerprints: Option<Fingerprints>,
}

/// What the stages of a model are known by, as in their `stage.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fingerprints {
    pub(crate) train: String,
    pub(crate) scan: String,
}

/// A scan of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScanRecord {
    pub(crate) verdict: Verdict,
    pub(crate) shape: ModelShape,
    /// Settings of the scan, as resolved.
    pub(crate) settings: serde_json::Value,
    /// The score of the program's own calibration, if it has one.
    pub(crate) score: Option<f64>,
    /// What a score is made of.
    pub(crate) figures: Vec<Figure>,
    /// The smallest loss of all searches.
    pub(crate) smallest_loss: Option<f64>,
    /// Whether that was toward the planted label, or word; records that an earlier version made of
    /// code search do not say.
    pub(crate) smallest_loss_is_right: Option<bool>,
    /// The largest distance of a hypothesis' loss from the median below it, in scaled median
    /// deviations; absent where the test is not applicable.
    pub(crate) outlier_index: Option<f64>,
    /// Whether the most suspicious hypothesis is the planted label, or word.
    pub(crate) target_is_right: Option<bool>,
    /// Whether the scan calls it backdoored if its score says so: random triggers do less, and the model
    /// knows the label. Records of an earlier version do not say.
    #[serde(default = "yes")]
    pub(crate) can_be_called: bool,
    /// The tokens of the best trigger.
    pub(crate) tokens: Vec<String>,
    /// Share of them that are part of a planted trigger.
    pub(crate) token_precision: Option<f64>,
    /// Share of the planted trigger's letters that they cover.
    pub(crate) letter_recall: Option<f64>,
    pub(crate) n_forwards: u64,
}

fn yes() -> bool {
    true
}

impl ScanRecord {
    /// A figure of the evidence.
    pub(crate) fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|it| it.name == name).map(|it| it.value)
    }
}

/// A number of the evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
}

impl MemberRecord {
    /// Whether it is the record of this member, on the same data at the same rate.
    pub(crate) fn is_of(&self, member: &Member) -> bool {
        self.data == member.data.name() && self.rate == member.kind.rate()
    }

    /// Whether another program or plan made it than the one with these fingerprints; a record that
    /// does not say is taken as it is.
    pub(crate) fn is_stale(&self, present: &Fingerprints) -> bool {
        self.fingerprints.as_ref().is_some_and(|it| it != present)
    }

    /// Whether the model could not be made.
    pub(crate) fn is_failure(&self) -> bool {
        self.status.starts_with(NOT_RUN)
    }

    /// Says that it could not be made.
    pub(crate) fn not_run(reason: &str) -> String {
        format!("{NOT_RUN}{reason}")
    }

    /// A model with a scan that counts.
    pub(crate) fn counted(&self) -> Option<&ScanRecord> {
        self.scan.as_ref().filter(|_| self.status == OK)
    }

    /// The figures by name, in order.
    pub(crate) fn row(&self) -> Option<(Vec<&str>, Vec<f64>)> {
        let figures = &self.counted()?.figures;
        (!figures.is_empty()).then(|| figures.iter().map(|it| (it.name.as_str(), it.value)).unzip())
    }
}

/// The whole of `fleet.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FleetDocument {
    pub(crate) schema_version: u32,
    /// The experiment file.
    pub(crate) fleet: String,
    pub(crate) task: String,
    /// Models of the whole fleet.
    pub(crate) n_planned: usize,
    /// Models that are there, but were made by another program or plan: they are left out.
    pub(crate) n_left_out: usize,
    /// Ways to decide.
    pub(crate) rules: Vec<Rule>,
    /// Every model that is there.
    pub(crate) members: Vec<MemberRecord>,
}

impl FleetDocument {
    /// How many programs scanned the models.
    pub(crate) fn n_programs(&self) -> usize {
        n_programs(&self.members)
    }
}

/// How many programs scanned models. One that a record does not name is another than those that are named.
pub(crate) fn n_programs(members: &[MemberRecord]) -> usize {
    members.iter().map(|it| it.scanned_by.as_deref()).collect::<BTreeSet<Option<&str>>>().len()
}

/// A way to tell backdoored models from clean ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) name: String,
    /// Clean models, without those that have a habit of naming.
    pub(crate) n_clean: usize,
    /// Backdoored models, without those of attacks out of reach.
    pub(crate) n_backdoored: usize,
    /// Area under the ROC curve; absent without one of the two.
    pub(crate) auroc: Option<f64>,
    /// Its 95 % interval.
    pub(crate) interval: Option<Interval>,
    /// True positive rates at false positive rates of at most 1, 2 and 5 %.
    pub(crate) tpr_at_1_2_5: Option<[f64; 3]>,
    /// Of the backdoored models that the rule's own threshold calls so.
    pub(crate) detected: Option<Rate>,
    /// Of the clean ones.
    pub(crate) false_alarms: Option<Rate>,
    /// Right target labels or words among the detected.
    pub(crate) targets: Option<Rate>,
    pub(crate) curve: Vec<RocPoint>,
}
