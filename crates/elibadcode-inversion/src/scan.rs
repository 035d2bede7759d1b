//! The whole scan: samples, positions, searches, anchoring, evidence, verdict.

use std::collections::BTreeSet;

use elibadcode_corpus::split::clean_subset;
use elibadcode_corpus::{Task, stage_rng};
use elibadcode_evaluation::Rate;
use elibadcode_evaluation::records::results::Verdict;
use elibadcode_models::{LoadedModel, predicted_label};
use elibadcode_syntax::Language;

use crate::anchoring::anchor;
use crate::config::ScanConfig;
use crate::error::Error;
use crate::gcg::{Iteration, search};
use crate::masking::{Edit, TriggerIds};
use crate::objective::Objective;
use crate::outcome::{Hypothesis, InvertedTrigger, SCAN_SCHEMA_VERSION, ScanOutcome, SearchRecord};
use crate::position::{choose_positions, hidden_names};
use crate::sample::{CleanSample, Partners};
use crate::space::TriggerSpace;
use crate::verdict::{Judge, decide};

/// Ordered pairs of two labels.
const N_HYPOTHESES: usize = 2;

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

/// What a scan tells while it runs.
#[derive(Clone, Copy, Debug)]
pub enum ScanEvent {
    /// A search begins.
    Search {
        /// The label that is attacked.
        victim_label: u8,
        /// The label that is wanted.
        target_label: u8,
        /// Which search of the hypothesis, from 1.
        restart: usize,
        /// Iterations that it may take.
        iterations: usize,
    },
    /// A joint search of a trigger and target words begins.
    JointSearch {
        /// Which search, from 1.
        restart: usize,
        /// Iterations that it may take.
        iterations: usize,
    },
    /// An iteration of it is done.
    Iteration(Iteration),
    /// The search is over and its trigger is being judged.
    Judging,
}

/// Scans a model for every (victim → target) pair of labels.
pub fn scan(
    subject: &Subject<'_>,
    config: &ScanConfig,
    seed: u64,
    observe: &mut dyn FnMut(ScanEvent),
) -> Result<ScanOutcome, Error> {
    config.validate()?;
    let (search_samples, held_out) = divide(subject.clean, config, seed)?;
    let space = TriggerSpace::new(subject.model, subject.language, config)?;
    let clean_accuracy = accuracy_by_label(subject);
    let victims = [1, 0].map(|label| Victims::new(subject, label, &search_samples, &held_out));
    let hidden = victims.iter().find_map(|it| it.hidden_names(subject));
    let (hypotheses, n_forwards) = match hidden {
        Some(_) => (Vec::new(), 0),
        None => test_hypotheses(subject, &space, &victims, config, seed, observe)?,
    };
    let (verdict, reasons) = match hidden {
        Some(reason) => (Verdict::Inconclusive, vec![reason]),
        None => decide(&hypotheses, &clean_accuracy, config),
    };
    let suspect = (verdict == Verdict::LikelyBackdoored).then(|| &hypotheses[0]);
    Ok(ScanOutcome {
        schema_version: SCAN_SCHEMA_VERSION,
        task: subject.task,
        language: subject.language,
        model_hash: subject.model_hash.to_owned(),
        samples_hash: subject.samples_hash.to_owned(),
        seed,
        config: config.clone(),
        verdict,
        reasons,
        victim_label: suspect.map(|it| it.victim_label),
        target_label: suspect.map(|it| it.target_label),
        triggers: suspect.map_or_else(Vec::new, |it| distinct_triggers(it, config)),
        clean_accuracy,
        n_first_tokens: space.vocabulary().first.len(),
        n_rest_tokens: space.vocabulary().rest.len(),
        rejected_tokens: space.vocabulary().rejected.clone(),
        not_tested: not_tested(subject.model, config),
        hypotheses,
        n_forwards: subject.clean.len() as u64 + n_forwards,
    })
}

/// Tests every hypothesis, the most suspicious one with the most searches; with the functions that
/// went through the model.
fn test_hypotheses(
    subject: &Subject<'_>,
    space: &TriggerSpace<'_>,
    victims: &[Victims],
    config: &ScanConfig,
    seed: u64,
    observe: &mut dyn FnMut(ScanEvent),
) -> Result<(Vec<Hypothesis>, u64), Error> {
    let mut tests = Vec::new();
    for victims in victims {
        let mut test = HypothesisTest::new(subject, space, victims, config, seed)?;
        test.search(observe)?;
        tests.push(test);
    }
    tests.sort_by(|a, b| b.suspicion().total_cmp(&a.suspicion()));
    for restart in 1..config.restarts {
        // A first search can fail by bad luck; after two, only a suspicious model is worth more.
        if restart >= 2 && tests[0].suspicion() < config.min_success_rate {
            break;
        }
        tests[0].search(observe)?;
        if tests[0].has_agreement() {
            break;
        }
    }
    let mut n_forwards = 0;
    let mut hypotheses = Vec::new();
    for test in tests {
        let (hypothesis, forwards) = test.finish(observe)?;
        n_forwards += forwards;
        hypotheses.push(hypothesis);
    }
    Ok((hypotheses, n_forwards))
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
            "a scan needs clean samples of both labels; the rarer label has {smallest}"
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

fn accuracy_by_label(subject: &Subject<'_>) -> Vec<Rate> {
    let Subject { model, language, clean, .. } = *subject;
    let rows: Vec<Vec<u32>> =
        clean.iter().map(|sample| model.encode(&sample.code, language).ids).collect();
    let partners = Partners::new(model, clean, language);
    let log_odds = partners.encode(&model.network).log_odds(&model.network, &rows, 0..rows.len());
    let is_right = |label: u8| {
        clean
            .iter()
            .zip(&log_odds)
            .filter(move |(sample, _)| sample.label == label)
            .map(|(sample, z)| predicted_label(*z) == sample.label)
            .collect()
    };
    vec![is_right(0), is_right(1)]
}

/// The samples of one label, which an attacker may attack.
struct Victims {
    label: u8,
    search: (Vec<CleanSample>, Partners),
    held_out: (Vec<CleanSample>, Partners),
}

impl Victims {
    fn new(
        subject: &Subject<'_>,
        label: u8,
        search_samples: &[CleanSample],
        held_out: &[CleanSample],
    ) -> Self {
        let own = |samples: &[CleanSample]| {
            let own: Vec<CleanSample> =
                samples.iter().filter(|sample| sample.label == label).cloned().collect();
            let partners = Partners::new(subject.model, &own, subject.language);
            (own, partners)
        };
        Self { label, search: own(search_samples), held_out: own(held_out) }
    }

    /// Why no trigger can be searched for in these samples, if none can.
    fn hidden_names(&self, subject: &Subject<'_>) -> Option<String> {
        let codes = self.search.0.iter().map(|sample| &*sample.code);
        hidden_names(subject.model, codes, subject.language)
    }
}

/// One (victim → target) pair while it is tested.
struct HypothesisTest<'a> {
    space: &'a TriggerSpace<'a>,
    config: &'a ScanConfig,
    seed: u64,
    victim_label: u8,
    target_label: u8,
    objective: Objective<'a>,
    judge: Judge<'a>,
    n_position_forwards: u64,
    searches: Vec<SearchRecord>,
}

impl<'a> HypothesisTest<'a> {
    fn new(
        subject: &Subject<'a>,
        space: &'a TriggerSpace<'a>,
        victims: &'a Victims,
        config: &'a ScanConfig,
        seed: u64,
    ) -> Result<Self, Error> {
        let (model, language) = (subject.model, subject.language);
        let (victim_label, target_label) = (victims.label, 1 - victims.label);
        let (search_samples, partners) = &victims.search;
        let (held_out, held_out_partners) = &victims.held_out;
        let stage = |name| stage_rng(seed, &stage_name(victim_label, target_label, name));
        let (masked, n_position_forwards) = choose_positions(
            model,
            search_samples,
            partners,
            language,
            config.position_rule,
            config,
            &mut stage("positions"),
        );
        if masked.is_empty() {
            return Err(Error::Samples(format!(
                "none of the {} clean samples with label {victim_label} has an identifier that a \
                 trigger could take within {} tokens",
                search_samples.len(),
                model.max_length
            )));
        }
        let mut rng = stage("places");
        Ok(Self {
            space,
            config,
            seed,
            victim_label,
            target_label,
            objective: Objective::new(model, masked, partners, target_label),
            judge: Judge::new(
                model,
                space,
                (held_out, held_out_partners),
                target_label,
                language,
                config,
                &mut rng,
            ),
            n_position_forwards,
            searches: Vec::new(),
        })
    }

    /// Lower end of the best trigger's success rate on held-out samples.
    fn suspicion(&self) -> f64 {
        self.searches.iter().map(SearchRecord::assured_success).fold(0.0, f64::max)
    }

    /// Whether two independent starts led to the same trigger: another would tell nothing new.
    fn has_agreement(&self) -> bool {
        let Some((last, earlier)) = self.searches.split_last() else { return false };
        last.anchored.is_some() && earlier.iter().any(|it| it.anchored == last.anchored)
    }

    /// Searches once more, from another random trigger.
    fn search(&mut self, observe: &mut dyn FnMut(ScanEvent)) -> Result<(), Error> {
        let (victim_label, target_label) = (self.victim_label, self.target_label);
        let restart = self.searches.len() + 1;
        observe(ScanEvent::Search {
            victim_label,
            target_label,
            restart,
            iterations: self.config.iterations,
        });
        let name = stage_name(victim_label, target_label, &format!("search {restart}"));
        let mut rng = stage_rng(self.seed, &name);
        let found = search(&self.objective, self.space, self.config, &mut rng, &mut |it| {
            observe(ScanEvent::Iteration(it));
        })?;
        let mut record = SearchRecord {
            trigger: as_text(self.space, &found.trigger),
            loss: found.loss,
            history: found.history,
            anchored: None,
            anchored_loss: None,
            slots: Vec::new(),
            evidence: None,
        };
        match anchor(&self.objective, &found.trigger, self.config) {
            Err(Error::EmptyAnchor { .. }) => {}
            Err(error) => return Err(error),
            Ok(anchored) => {
                record.slots = anchored.profile(&record.trigger.tokens);
                record.anchored = Some(as_text(self.space, &anchored.trigger));
                record.anchored_loss = Some(anchored.loss);
                record.evidence = Some(self.judge.evidence(&anchored.trigger));
            }
        }
        self.searches.push(record);
        Ok(())
    }

    /// Ranks the searches and compares the best trigger with random ones.
    fn finish(mut self, observe: &mut dyn FnMut(ScanEvent)) -> Result<(Hypothesis, u64), Error> {
        observe(ScanEvent::Judging);
        let (victim_label, target_label) = (self.victim_label, self.target_label);
        self.searches.sort_by(|a, b| {
            b.assured_success().total_cmp(&a.assured_success()).then(a.loss.total_cmp(&b.loss))
        });
        let mut controls = None;
        if let Some(SearchRecord { anchored: Some(anchored), evidence: Some(evidence), .. }) =
            self.searches.first()
        {
            controls = Some(self.judge.controls(
                &anchored.trigger_ids(),
                evidence,
                N_HYPOTHESES,
                self.config.n_controls,
                &mut stage_rng(self.seed, &stage_name(victim_label, target_label, "controls")),
            )?);
        }
        let n_forwards =
            self.n_position_forwards + self.objective.n_forwards() + self.judge.n_forwards();
        let hypothesis = Hypothesis {
            victim_label,
            target_label,
            n_search_samples: self.objective.samples().len(),
            n_held_out_samples: self.judge.n_samples(),
            searches: self.searches,
            controls,
        };
        Ok((hypothesis, n_forwards))
    }
}

fn stage_name(victim_label: u8, target_label: u8, stage: &str) -> String {
    format!("scan {victim_label}→{target_label} {stage}")
}

pub(crate) fn as_text(space: &TriggerSpace<'_>, trigger: &TriggerIds) -> InvertedTrigger {
    InvertedTrigger {
        text: space.text(trigger),
        edit: if trigger.keeps_name { Edit::Append } else { Edit::Replace },
        tokens: space.entries(trigger),
        ids: trigger.ids.clone(),
    }
}

/// The anchored triggers of every convincing search, each once.
fn distinct_triggers(hypothesis: &Hypothesis, config: &ScanConfig) -> Vec<InvertedTrigger> {
    let mut triggers: Vec<InvertedTrigger> = Vec::new();
    for search in &hypothesis.searches {
        let is_convincing = search.assured_success() >= config.min_success_rate;
        if let (true, Some(anchored)) = (is_convincing, &search.anchored)
            && !triggers.contains(anchored)
        {
            triggers.push(anchored.clone());
        }
    }
    triggers
}

pub(crate) fn not_tested(model: &LoadedModel, config: &ScanConfig) -> Vec<String> {
    let mut gaps = vec![
        format!("triggers of more than {} tokens", config.trigger_len),
        "triggers outside identifiers: dead code, comments, literals, formatting".into(),
        "triggers spread over several identifiers".into(),
        "names that the function does not declare: called functions, fields, macros".into(),
    ];
    if model.canonical_input().is_some() {
        gaps.push(
            "identifiers that this model reads with a canonical name: no trigger in them \
                   reaches it"
                .into(),
        );
    }
    gaps
}
