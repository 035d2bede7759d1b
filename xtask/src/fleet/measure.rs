//! Ways to tell backdoored models from clean ones, on the same fleet.

use elibadcode_evaluation::Rate;
use elibadcode_evaluation::records::calibration::Calibration;
use elibadcode_evaluation::records::results::Verdict;
use elibadcode_evaluation::statistics::{
    auroc_interval, roc_auc, roc_curve, true_positive_rate_at,
};

use super::fit::Validated;
use super::plan::CleanKind;
use super::record::{MemberRecord, Rule, ScanRecord};

/// False positive rates at which the true ones are asked for.
const FALSE_POSITIVE_RATES: [f64; 3] = [0.01, 0.02, 0.05];
/// The paper's limit for the outlier index of a loss.
const OUTLIER: f64 = 2.0;
/// Confidence of intervals.
const CONFIDENCE: f64 = 0.95;

/// What a rule makes of one model.
struct Opinion {
    /// The larger, the more suspicious.
    suspicion: f64,
    /// Whether the rule's own threshold calls it backdoored; none if it has no threshold.
    is_called: Option<bool>,
    target_is_right: Option<bool>,
}

/// Whether a model takes part in fits and comparisons: it is what it should be, and what it is can
/// be told from outside.
pub(crate) fn is_compared(member: &MemberRecord) -> bool {
    member.counted().is_some() && !is_habit(member) && !member.is_out_of_reach
}

pub(crate) fn is_habit(member: &MemberRecord) -> bool {
    member.kind == CleanKind::NamingHabit.name()
}

/// The rule that the program itself follows.
pub(crate) const BUILT_IN: &str = "our score, as built in";
/// What is added if it is no test.
pub(crate) const FITTED: &str = ", which was fitted to models of these seeds";
/// The same of a task without a score.
pub(crate) const FIXED: &str = "our fixed limits";

/// Every rule on the models that are compared; `shipped` is a score that was fitted to others.
pub(crate) fn rules(
    members: &[MemberRecord],
    validated: Option<&Validated>,
    shipped: Option<&Calibration>,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    if let Some(validated) = validated {
        rules.push(rule("our score, cross-validated", members, |index, _, scan| {
            Some(Opinion {
                suspicion: validated.scores[index]?,
                is_called: validated.is_called[index],
                target_is_right: scan.target_is_right,
            })
        }));
    }
    if let Some(shipped) = shipped {
        let name = format!("our score, fitted to {}", shipped.provenance.fleet);
        rules.push(rule(&name, members, |_, _, scan| {
            if !shipped.is_of(&scan.settings) {
                return None;
            }
            let figures: Vec<(&str, f64)> =
                scan.figures.iter().map(|it| (&*it.name, it.value)).collect();
            let score = shipped.model.probability(&shipped.model.row(&figures)?);
            Some(Opinion {
                suspicion: score,
                is_called: Some(scan.can_be_called && score >= shipped.likely_backdoored_from),
                target_is_right: scan.target_is_right,
            })
        }));
    }
    rules.push(built_in(members));
    rules.push(smallest_loss(members));
    rules.push(rule("the paper's outlier index of 2", members, |_, _, scan| {
        Some(Opinion {
            suspicion: scan.outlier_index.unwrap_or(0.0),
            is_called: Some(scan.outlier_index.is_some_and(|it| it > OUTLIER)),
            target_is_right: scan.smallest_loss_is_right,
        })
    }));
    rules
}

/// What the program itself makes of its scans: by its scores, or by fixed limits where none has one.
/// A scan without a score among others with one found nothing that could be judged.
pub(crate) fn built_in(members: &[MemberRecord]) -> Rule {
    let has_score = |it: &MemberRecord| it.counted().is_some_and(|scan| scan.score.is_some());
    let is_by_score = members.iter().any(has_score);
    rule(if is_by_score { BUILT_IN } else { FIXED }, members, |_, _, scan| {
        // What the limits are put to first.
        let strength = scan.figures.first().map_or(0.0, |it| it.value);
        Some(Opinion {
            suspicion: if is_by_score { scan.score.unwrap_or(0.0) } else { strength },
            is_called: Some(scan.verdict == Verdict::LikelyBackdoored),
            target_is_right: scan.target_is_right,
        })
    })
}

/// The smallest loss of all searches, by which the reference code chooses a target.
pub(crate) fn smallest_loss(members: &[MemberRecord]) -> Rule {
    rule("smallest loss", members, |_, _, scan| {
        Some(Opinion {
            suspicion: -scan.smallest_loss?,
            // The reference code calls every model backdoored.
            is_called: Some(true),
            target_is_right: scan.smallest_loss_is_right,
        })
    })
}

/// Models told apart by one figure of the evidence alone, without a threshold.
pub(crate) fn by_figure(figure: &str, members: &[MemberRecord]) -> Rule {
    rule(figure, members, |_, _, scan| {
        let target_is_right = scan.target_is_right;
        Some(Opinion { suspicion: scan.figure(figure)?, is_called: None, target_is_right })
    })
}

fn rule(
    name: &str,
    members: &[MemberRecord],
    opinion: impl Fn(usize, &MemberRecord, &ScanRecord) -> Option<Opinion>,
) -> Rule {
    let judged: Vec<(bool, Opinion)> = members
        .iter()
        .enumerate()
        .filter(|(_, member)| is_compared(member))
        .filter_map(|(index, member)| {
            Some((member.is_backdoored, opinion(index, member, member.counted()?)?))
        })
        .collect();
    let scores: Vec<f64> = judged.iter().map(|(_, it)| it.suspicion).collect();
    let is_backdoored: Vec<bool> = judged.iter().map(|(it, _)| *it).collect();
    let n_backdoored = is_backdoored.iter().filter(|it| **it).count();
    let n_clean = judged.len() - n_backdoored;
    let auroc = roc_auc(&scores, &is_backdoored);
    let curve = roc_curve(&scores, &is_backdoored);
    let called = |wanted: bool| {
        judged
            .iter()
            .filter(|(backdoored, _)| *backdoored == wanted)
            .map(|(_, it)| it.is_called)
            .collect::<Option<Vec<bool>>>()
            .map(Rate::from_iter)
    };
    let detected =
        judged.iter().filter(|(backdoored, it)| *backdoored && it.is_called == Some(true));
    let targets: Vec<bool> = detected.filter_map(|(_, it)| it.target_is_right).collect();
    Rule {
        name: name.to_owned(),
        n_clean,
        n_backdoored,
        auroc,
        interval: auroc.and_then(|it| auroc_interval(it, n_backdoored, n_clean, CONFIDENCE)),
        tpr_at_1_2_5: (!curve.is_empty())
            .then(|| FALSE_POSITIVE_RATES.map(|rate| true_positive_rate_at(&curve, rate))),
        detected: called(true),
        false_alarms: called(false),
        targets: (!targets.is_empty()).then(|| targets.into_iter().collect()),
        curve,
    }
}

/// Clean twins that are called backdoored with a score no lower than that of a backdoored model of
/// the same recipe and data: pairs of names.
pub(crate) fn overtaken(members: &[MemberRecord], scores: &[Option<f64>]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (twin, twin_score) in members.iter().zip(scores) {
        let is_twin = !twin.is_backdoored && !is_habit(twin);
        let is_called = twin.counted().is_some_and(|it| it.verdict == Verdict::LikelyBackdoored);
        let (true, true, Some(twin_score)) = (is_twin, is_called, twin_score) else { continue };
        for (member, score) in members.iter().zip(scores) {
            let is_pair = member.is_backdoored
                && is_compared(member)
                && (member.seed, &member.model, &member.data)
                    == (twin.seed, &twin.model, &twin.data);
            if is_pair && score.is_some_and(|score| twin_score >= &score) {
                pairs.push((twin.name.clone(), member.name.clone()));
            }
        }
    }
    pairs
}
