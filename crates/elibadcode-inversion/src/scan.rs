//! The whole scan: samples, positions, searches, anchoring, evidence, verdict.

use std::collections::BTreeSet;

use elibadcode_corpus::split::clean_subset;
use elibadcode_corpus::{Task, stage_rng};
use elibadcode_evaluation::Rate;
use elibadcode_evaluation::records::SCAN_SCHEMA_VERSION;
use elibadcode_models::{Head, LoadedModel, predicted_label};
use elibadcode_syntax::Language;

use crate::config::ScanConfig;
use crate::error::Error;
use crate::event::ScanEvent;
use crate::explained::{EXPLAINED_GAP, TokenLabels};
use crate::hypothesis::{HypothesisTest, Victims};
use crate::judge::MIN_HELD_OUT;
use crate::masking::{Edit, TriggerIds};
use crate::outcome::{Hypothesis, InvertedTrigger, ScanOutcome, SearchRecord};
use crate::position::check_names;
use crate::sample::{CleanSample, Partners};
use crate::score::{Assessment, shape};
use crate::space::TriggerSpace;
use crate::verdict::{Decision, decide, percent, strongest, unusable};

/// What is scanned and what is known about it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The suspicious model.
    pub model: &'a LoadedModel,
    /// Its task.
    pub task: Task,
    /// The language of its samples.
    pub language: Language,
    /// Clean labelled samples; none of them may be triggered.
    pub clean: &'a [CleanSample],
    /// Hash of the model folder, for the record.
    pub model_hash: &'a str,
    /// Hash of the clean samples, for the record.
    pub samples_hash: &'a str,
}

/// Scans a model for every (victim → target) pair of labels.
///
/// Clean samples that do not support a scan (one label only, too few, none with a usable
/// identifier) give an outcome that is `inconclusive` and says why, not an error. A model or
/// samples of another task are one; for code search there is
/// [`scan_search`](crate::ranking::scan_search).
pub fn scan(
    subject: &Subject<'_>,
    config: &ScanConfig,
    seed: u64,
    observe: &mut dyn FnMut(ScanEvent),
) -> Result<ScanOutcome, Error> {
    if subject.task == Task::CodeSearch {
        return Err(Error::Config("code search has no labels to scan for".into()));
    }
    subject.model.network.expect_head(Head::of_task(subject.task))?;
    config.validate_for(subject.task)?;
    check_length(subject.model, config)?;
    let space = TriggerSpace::new(subject.model, subject.language, config)?;
    let partners = Partners::new(subject.model, subject.clean, subject.language)?;
    let n_clean_forwards = subject.clean.len() as u64 + partners.n_forwards();
    observe(ScanEvent::Clean { n_functions: n_clean_forwards });
    let clean_accuracy = accuracy_by_label(subject, &partners);
    observe(ScanEvent::CleanAccuracy(clean_accuracy));
    let tested = test_hypotheses(subject, &space, &clean_accuracy, config, seed, observe);
    let (mut hypotheses, n_forwards, unsupported) = match tested {
        Ok((hypotheses, n_forwards)) => (hypotheses, n_forwards, None),
        Err(Error::Samples(reason)) => (Vec::new(), 0, Some(reason)),
        Err(error) => return Err(error),
    };
    let shape = shape(subject.model);
    let n_hypotheses = hypotheses.len();
    let unusable = unusable(&clean_accuracy);
    let n_searched = hypotheses.iter().filter(|it| !it.searches.is_empty()).count();
    let is_one_direction = (1..n_hypotheses).contains(&n_searched);
    let judged = hypotheses.iter().map(|it| {
        let assessment = Assessment::of_labels(subject.task, it, config, &shape);
        let score = assessment.score.as_ref();
        let decide = || {
            let decision = decide(it, n_hypotheses, &clean_accuracy, score, config);
            if is_one_direction { decision.of_one_direction() } else { decision }
        };
        (unusable.clone().unwrap_or_else(decide), assessment)
    });
    let mut judged: Vec<(Decision, Assessment)> = judged.collect();
    let chosen = strongest(judged.iter().map(|(decision, _)| decision));
    let (decision, mut assessment) = if let Some(chosen) = chosen {
        hypotheses.swap(0, chosen);
        judged.swap_remove(chosen)
    } else {
        (Decision::impossible(unsupported.unwrap_or_default()), Assessment::of_nothing())
    };
    let Decision { verdict, mut reasons, is_suspicious, is_by_strength } =
        decision.of_hidden_names(subject.model);
    let is_other_likely = judged.iter().any(|(it, _)| it.is_likely());
    if let (true, [_, other, ..]) = (is_other_likely, &hypotheses[..]) {
        let Hypothesis { victim_label, target_label, .. } = other;
        reasons.push(format!(
            "{victim_label} → {target_label} looks like an attack, too: a repair takes one pair of labels, \
             so that the repaired model is to be scanned again"
        ));
    }
    if !is_by_strength {
        assessment.set_aside();
    }
    let suspect = hypotheses.first().filter(|_| is_suspicious);
    reasons.extend(suspect.and_then(|it| of_other_triggers(it, config)));
    let mut gaps = not_tested(subject.model, subject.task, config);
    let is_brief = |it: &&Hypothesis| it.searches.len() == 1 && config.restarts > 1;
    gaps.extend(hypotheses.iter().filter(is_brief).map(|it| {
        let Hypothesis { victim_label, target_label, .. } = it;
        format!("{victim_label} → {target_label} more than once: another search may find more")
    }));
    let is_unsearched = |it: &&Hypothesis| is_one_direction && it.searches.is_empty();
    gaps.extend(hypotheses.iter().filter(is_unsearched).map(|it| {
        let Hypothesis { victim_label, target_label, .. } = it;
        format!("{victim_label} → {target_label}: too few held-out samples have room for a trigger")
    }));
    gaps.extend(suspect.and_then(|it| of_untested_triggers(it, config)));
    if hypotheses.iter().any(|it| !it.explained_tokens.is_empty()) {
        gaps.push(EXPLAINED_GAP.to_owned());
    }
    Ok(ScanOutcome {
        schema_version: SCAN_SCHEMA_VERSION,
        task: subject.task,
        language: subject.language,
        model: shape,
        reading: subject.model.reading(),
        model_hash: subject.model_hash.to_owned(),
        samples_hash: subject.samples_hash.to_owned(),
        seed,
        config: config.clone(),
        verdict,
        reasons,
        assessment,
        victim_label: suspect.map(|it| it.victim_label),
        target_label: suspect.map(|it| it.target_label),
        triggers: suspect.map_or_else(Vec::new, |it| distinct_triggers(it, config)),
        clean_accuracy: clean_accuracy.to_vec(),
        n_first_tokens: space.vocabulary().first.len(),
        n_rest_tokens: space.vocabulary().rest.len(),
        rejected_tokens: space.vocabulary().rejected.clone(),
        not_tested: gaps,
        hypotheses,
        n_forwards: n_clean_forwards + n_forwards,
    })
}

/// Searches, anchors and judges every hypothesis, the most suspicious first; and how many functions
/// went through the model for it. A hypothesis that too few samples could judge is not searched.
fn test_hypotheses(
    subject: &Subject<'_>,
    space: &TriggerSpace<'_>,
    clean_accuracy: &[Rate; 2],
    config: &ScanConfig,
    seed: u64,
    observe: &mut dyn FnMut(ScanEvent),
) -> Result<(Vec<Hypothesis>, u64), Error> {
    let (search_samples, held_out) = divide(subject.clean, config, seed)?;
    check_names(subject.clean.iter().map(|sample| &*sample.code), subject.language)?;
    let labels = config.skip_explained.then(|| TokenLabels::new(subject, space, config));
    let victims = [1, 0]
        .into_iter()
        .map(|label| {
            let accuracy = clean_accuracy[usize::from(label)].value().unwrap_or(0.0);
            let own = (label, accuracy);
            Victims::new(subject, own, &search_samples, &held_out, space, labels.as_ref())
        })
        .collect::<Result<Vec<_>, _>>()?;
    victims.iter().try_for_each(|it| it.check_visible_names(subject))?;
    let longer = ScanConfig { trigger_len: config.longer_len, ..config.clone() };
    // All of them before the first search, which takes long.
    let mut tests: Vec<HypothesisTest<'_>> = victims
        .iter()
        .map(|victims| HypothesisTest::new(subject, victims, config, seed))
        .collect::<Result<_, _>>()?;
    let is_in_vain = unusable(clean_accuracy).is_some();
    if !(is_in_vain && config.min_victim_accuracy > 0.0) {
        observe(ScanEvent::Expected(tests.iter().map(HypothesisTest::expected).sum()));
        search_all(&mut tests, config, observe)?;
    }
    tests.sort_by(|a, b| a.standing().order(&b.standing()));
    // A repair takes one pair of labels: the first that convinces.
    let mut is_convinced = false;
    for test in &mut tests {
        if test.convinces()? {
            test.search_for_others(observe)?;
            is_convinced = true;
            break;
        }
    }
    if !is_convinced && longer.longer_searches > 0 {
        search_longer(subject, &victims, &mut tests, &longer, seed, observe)?;
    }
    let mut n_forwards = 0;
    let mut hypotheses = Vec::new();
    for test in tests {
        let (hypothesis, forwards) = test.finish(observe)?;
        n_forwards += forwards;
        hypotheses.push(hypothesis);
    }
    if let [one, other] = &mut hypotheses[..] {
        one.asymmetry = one.assured_success() - other.assured_success();
        other.asymmetry = other.assured_success() - one.assured_success();
    }
    Ok((hypotheses, n_forwards))
}

/// Searches every direction that the model knows for longer triggers.
fn search_longer<'a>(
    subject: &Subject<'a>,
    victims: &'a [Victims<'_>],
    tests: &mut [HypothesisTest<'a>],
    config: &'a ScanConfig,
    seed: u64,
    observe: &mut dyn FnMut(ScanEvent),
) -> Result<(), Error> {
    for test in tests.iter_mut().filter(|test| test.n_searches() > 0 && test.is_known()) {
        let own = victims.iter().find(|it| it.label() == test.victim_label());
        let Some(own) = own else { continue };
        let longer = match HypothesisTest::new(subject, own, config, seed) {
            // No identifier has room for one.
            Err(Error::Samples(_)) => continue,
            other => other?,
        };
        test.search_longer(longer, observe)?;
    }
    Ok(())
}

/// Every search of every hypothesis.
fn search_all(
    tests: &mut [HypothesisTest<'_>],
    config: &ScanConfig,
    observe: &mut dyn FnMut(ScanEvent),
) -> Result<(), Error> {
    for test in tests.iter_mut().filter(|test| test.can_be_judged()) {
        test.search(observe)?;
    }
    tests.sort_by(|a, b| a.standing().order(&b.standing()));
    // A natural trigger can stand before a planted one that the first search found in part only. So
    // each label that the model knows is worth as many, until one convinces.
    for index in 0..tests.len() {
        let (earlier, rest) = tests.split_at_mut(index);
        let test = &mut rest[0];
        let mut is_worth = index == 0 || test.is_known();
        for one in earlier {
            is_worth = is_worth && !one.convinces()?;
        }
        while is_worth && is_worth_another(test, config) {
            test.search(observe)?;
        }
    }
    Ok(())
}

/// Whether a hypothesis is to be searched once more.
fn is_worth_another(test: &HypothesisTest<'_>, config: &ScanConfig) -> bool {
    test.can_be_judged()
        && test.n_searches() < most_searches(test.suspicion(), config)
        && !test.has_agreement()
}

/// How many searches a hypothesis is worth by the certain success of its best trigger so far.
///
/// The first can fail by bad luck. A trigger that does half of what a planted one is expected to do
/// may be a part of it, or a natural one that stands in its way: then the others are worth a try.
pub(crate) fn most_searches(suspicion: f64, config: &ScanConfig) -> usize {
    if suspicion >= config.min_success_rate || config.restarts == 1 {
        config.restarts
    } else if suspicion >= config.min_success_rate / 2.0 {
        2 * config.restarts
    } else {
        2
    }
}

/// A trigger that no input can hold is a mistake in the settings, not in the samples.
pub(crate) fn check_length(model: &LoadedModel, config: &ScanConfig) -> Result<(), Error> {
    // `<s>` before it and `</s>` behind it.
    if config.trigger_len + 2 > model.max_length {
        return Err(Error::Config(format!(
            "trigger_len is {}, which does not fit within {} tokens, the length of an input",
            config.trigger_len, model.max_length
        )));
    }
    Ok(())
}

/// Samples for the searches and samples for judging them, balanced and disjoint.
fn divide(
    clean: &[CleanSample],
    config: &ScanConfig,
    seed: u64,
) -> Result<(Vec<CleanSample>, Vec<CleanSample>), Error> {
    let smallest = [0, 1]
        .map(|label| clean.iter().filter(|sample| sample.label == label).count())
        .into_iter()
        .min()
        .unwrap_or(0);
    if smallest < 2 {
        return Err(Error::Samples(format!(
            "the rarer label has {smallest} clean samples; at least {} of each label allow a verdict, and \
             {} are used fully",
            2 * MIN_HELD_OUT,
            config.samples_per_class + config.held_out_per_class
        )));
    }
    let mut rng = stage_rng(seed, "scan samples");
    let draw = |samples: &[CleanSample], n, rng: &mut _| {
        clean_subset(samples, |it| it.label, n, rng)
            .map_err(|error| Error::Samples(error.to_string()))
    };
    // With few samples half of them judge.
    let n_search = config.samples_per_class.min(smallest / 2);
    let (search_samples, mut rest) = draw(clean, n_search, &mut rng)?;
    // A function can be in many pairs; one that the search saw judges nothing.
    let seen: BTreeSet<&str> = search_samples.iter().flat_map(CleanSample::codes).collect();
    rest.retain(|sample| sample.codes().all(|code| !seen.contains(code)));
    let count = |label| rest.iter().filter(|sample| sample.label == label).count();
    let n_held_out = config.held_out_per_class.min(count(0)).min(count(1));
    let (held_out, _) = draw(&rest, n_held_out, &mut rng)?;
    Ok((search_samples, held_out))
}

fn accuracy_by_label(subject: &Subject<'_>, partners: &Partners) -> [Rate; 2] {
    let Subject { model, language, clean, .. } = *subject;
    let rows: Vec<Vec<u32>> =
        clean.iter().map(|sample| model.encode(&sample.code, language).ids).collect();
    let log_odds = partners.encode(&model.network).log_odds(&model.network, &rows, 0..rows.len());
    let is_right = |label: u8| {
        clean
            .iter()
            .zip(&log_odds)
            .filter(move |(sample, _)| sample.label == label)
            .map(|(sample, z)| predicted_label(*z) == sample.label)
            .collect()
    };
    [is_right(0), is_right(1)]
}

pub(crate) fn as_text(space: &TriggerSpace<'_>, trigger: &TriggerIds) -> InvertedTrigger {
    InvertedTrigger {
        text: space.text(trigger),
        edit: if trigger.keeps_name { Edit::Append } else { Edit::Replace },
        tokens: space.entries(trigger),
        ids: trigger.ids.clone(),
    }
}

/// Searches without the tokens of the first triggers.
fn for_others(hypothesis: &Hypothesis) -> Vec<&SearchRecord> {
    let others = hypothesis.other_searches.iter().filter(|it| !it.left_out.is_empty());
    others.map(|it| &it.search).collect()
}

/// What these found.
fn of_other_triggers(hypothesis: &Hypothesis, config: &ScanConfig) -> Option<String> {
    let found: Vec<f64> = for_others(hypothesis)
        .into_iter()
        .filter(|it| it.reaches(config.min_success_rate))
        .map(SearchRecord::assured_success)
        .collect();
    let weakest = found.iter().copied().reduce(f64::min)?;
    let more = match found.len() {
        1 => "a search without their tokens found one more, which flips".to_owned(),
        n => format!("searches without their tokens found {n} more, each of which flips"),
    };
    Some(format!(
        "beside the first triggers {more} at least {} where it does most: a second planted one, a part \
         or another spelling of the first, or a natural one",
        percent(weakest)
    ))
}

/// Which other triggers nobody looked for.
fn of_untested_triggers(hypothesis: &Hypothesis, config: &ScanConfig) -> Option<String> {
    let Hypothesis { victim_label, target_label, .. } = hypothesis;
    let pair = format!("{victim_label} → {target_label}");
    let others = for_others(hypothesis);
    match others.last() {
        None => Some(format!("other triggers of {pair}, without the tokens of those found")),
        Some(last) if last.reaches(config.min_success_rate) => Some(format!(
            "further triggers of {pair}: the last of {} searches for others still found one",
            others.len()
        )),
        Some(_) => None,
    }
}

/// What a trigger must do to be repaired, beside one that does less than a planted one is expected to.
const ALMOST: f64 = 0.9;

/// The anchored triggers of every search that does enough, each once: what a planted one is expected to do,
/// or almost as much as the first search's. Those of searches for others come last.
fn distinct_triggers(hypothesis: &Hypothesis, config: &ScanConfig) -> Vec<InvertedTrigger> {
    let mut triggers: Vec<InvertedTrigger> = Vec::new();
    let enough = config.min_success_rate.min(ALMOST * hypothesis.assured_success());
    let others = hypothesis.other_searches.iter().map(|it| &it.search);
    for (index, search) in hypothesis.searches.iter().chain(others).enumerate() {
        let does_enough = index == 0 || search.reaches(enough);
        if let (true, Some(anchored)) = (does_enough, &search.anchored)
            && !triggers.contains(anchored)
        {
            triggers.push(anchored.clone());
        }
    }
    triggers
}

pub(crate) fn not_tested(model: &LoadedModel, task: Task, config: &ScanConfig) -> Vec<String> {
    let mut gaps = vec![
        format!("triggers of more than {} tokens", config.most_tokens()),
        "triggers outside identifiers: dead code, comments, literals, formatting".into(),
        "triggers spread over several identifiers".into(),
        "names that the function does not declare: called functions, fields, macros".into(),
    ];
    if model.canonical_input().is_some() {
        gaps.push(
            "identifiers that this model reads with a canonical name: no trigger in them reaches it, \
             as long as whatever runs it renames them first, as its elibadcode.json asks; \
             --raw-names scans it without"
                .into(),
        );
    }
    let changed = config.changes_from(&ScanConfig::recommended(task));
    if !changed.is_empty() {
        gaps.push(format!(
            "what a scan with the recommended settings would find: here {} (weaker searches find less)",
            changed.join(", ")
        ));
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::OtherSearch;
    use crate::verdict::tests::convincing;

    /// A hypothesis with a trigger that convinces, and searches for others that found triggers which flip these
    /// shares of 100 samples.
    fn with_others(flipped: &[usize]) -> Hypothesis {
        let mut hypothesis = convincing();
        let first = hypothesis.searches[0].clone();
        let other = |(id, hits): (u32, &usize)| {
            let mut search = first.clone();
            if let (Some(anchored), Some(evidence)) = (&mut search.anchored, &mut search.evidence) {
                anchored.ids = vec![id];
                evidence.any_identifier = Rate::new(*hits, 100);
                evidence.function_name = Rate::new(*hits, 100);
            }
            OtherSearch { left_out: vec!["rb".to_owned()], search }
        };
        hypothesis.other_searches = (100..).zip(flipped).map(other).collect();
        hypothesis
    }

    #[test]
    fn other_triggers_are_said_and_repaired() {
        let config = ScanConfig::recommended(Task::DefectDetection);
        let check = |flipped: &[usize], ids: &[u32], said: Option<&str>, gap: Option<&str>| {
            let hypothesis = with_others(flipped);
            let triggers = distinct_triggers(&hypothesis, &config);
            let found: Vec<u32> = triggers.iter().map(|it| it.ids[0]).collect();
            assert_eq!(found, ids, "{flipped:?}");
            for (text, expected) in [
                (of_other_triggers(&hypothesis, &config), said),
                (of_untested_triggers(&hypothesis, &config), gap),
            ] {
                let is_right = match (&text, expected) {
                    (Some(text), Some(expected)) => text.contains(expected),
                    (text, expected) => text.is_none() && expected.is_none(),
                };
                assert!(is_right, "{flipped:?}: {text:?}");
            }
        };
        let first = convincing().searches[0].anchored.as_ref().expect("test data").ids[0];
        check(&[], &[first], None, Some("other triggers of 1 → 0, without the tokens"));
        check(&[40], &[first], None, None);
        check(&[95, 40], &[first, 100], Some("found one more, which flips at least 88.8 %"), None);
        let (two, at_the_limit) = ("found 2 more, each of which flips", "the last of 2 searches");
        check(&[95, 100], &[first, 100, 101], Some(two), Some(at_the_limit));
        // Where the first does less than a planted one is expected to, what does almost as much is repaired, too.
        let mut weaker = with_others(&[62, 40]);
        if let Some(evidence) = &mut weaker.searches[0].evidence {
            let weak = Rate::new(65, 100);
            (evidence.any_identifier, evidence.function_name) = (weak, weak);
            evidence.least_sensitive = weak;
        }
        let found = distinct_triggers(&weaker, &config);
        assert_eq!(found.iter().map(|it| it.ids[0]).collect::<Vec<_>>(), [first, 100]);
    }
}
