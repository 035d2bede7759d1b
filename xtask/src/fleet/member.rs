//! One model of the fleet: its stages, and its record.

use std::path::Path;

use anyhow::Result;
use elibadcode_evaluation::records::calibration::ModelShape;
use elibadcode_evaluation::records::results::Verdict;
use elibadcode_evaluation::statistics::mad_outlier_index;
use elibadcode_evaluation::{Metrics, Rate};
use serde::Deserialize;

use super::Programs;
use super::plan::{Data, Fleet, Kind, Member};
use super::record::{Figure, Fingerprints, MemberRecord, OK, ScanRecord};
use crate::collect::{self, Manifest, Planted, WordDocument};
use crate::cost::Costs;
use crate::experiment::TrainingPlan;
use crate::failure;
use crate::stage::{Done, SCAN_EXITS, Stage};

/// What tells the corpus of the base model from those of a seed's members.
const BASE_DATA: u64 = 2_000_000;

/// Makes and scans members.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maker<'a> {
    pub(crate) fleet: &'a Fleet,
    pub(crate) programs: &'a Programs,
    /// Settings of `scan`, if the fleet has any.
    pub(crate) settings: Option<&'a Path>,
    /// What its stages cost.
    pub(crate) costs: &'a Costs,
}

/// The stages of a member.
struct Stages {
    poison: Option<Done>,
    train: Done,
    evaluate: Done,
    scan: Done,
}

impl Stages {
    fn fingerprints(&self) -> Fingerprints {
        let text = |it: &Done| format!("{:016x}", it.fingerprint);
        Fingerprints { train: text(&self.train), scan: text(&self.scan) }
    }
}

impl Maker<'_> {
    /// The record of a member, with a status that says what went wrong if anything did.
    pub(crate) fn make(&self, member: &Member) -> MemberRecord {
        let rate = member.kind.rate();
        let mut record = MemberRecord {
            name: member.name(),
            model: member.model.clone(),
            seed: member.seed,
            kind: member.kind_name().to_owned(),
            is_backdoored: rate.is_some(),
            is_out_of_reach: self.fleet.is_out_of_reach(member.kind_name()),
            data: member.data.name().to_owned(),
            rate,
            status: OK.to_owned(),
            score: None,
            asr: None,
            anr: None,
            scan: None,
            train_seconds: None,
            scan_seconds: None,
            scanned_by: self.programs.scanned_by.clone(),
            fingerprints: None,
        };
        let made = self.stages(member).and_then(|stages| {
            if self.programs.runner.is_dry_run { Ok(()) } else { self.fill(&mut record, &stages) }
        });
        if let Err(error) = made {
            record.status = MemberRecord::not_run(&failure(&error));
        }
        record
    }

    /// What the stages of a member are known by, by the program and the plan as they are now.
    pub(crate) fn fingerprints(&self, member: &Member) -> Result<Fingerprints> {
        Ok(self.stages(member)?.fingerprints())
    }

    fn stages(&self, member: &Member) -> Result<Stages> {
        let corpus = self.corpus(member)?;
        let base = self.base(member)?;
        let name = |stage: &str| format!("{}/{stage}", member.name());
        let poison = match &member.kind {
            Kind::Clean(_) => None,
            Kind::Attack { attack, rate } => Some(
                self.programs.runner.run(
                    self.stage(name("poison"), "poison", "poisoned", member.seed)
                        .flag("--data", corpus.file(self.fleet.task.split("train")).display())
                        .flag("--attack", attack)
                        .flag("--rate", rate)
                        .after(&corpus),
                )?,
            ),
        };
        let data = poison.as_ref().unwrap_or(&corpus);
        let training = (&self.fleet.training, self.fleet.corpus.train);
        let train =
            self.train(&name("train"), member.training_seed(), &base, training, data, &corpus)?;
        let evaluate = self
            .stage(name("evaluate"), "evaluate", "metrics.json", member.seed)
            .argument(train.output.display())
            .flag("--data", corpus.file(self.fleet.task.split("test")).display())
            .after(&train)
            .after(&corpus)
            .costs(self.costs.evaluate);
        let evaluate = match &poison {
            Some(poison) => {
                evaluate.flag("--attack", poison.file("manifest.json").display()).after(poison)
            }
            None => evaluate,
        };
        let evaluate = self.programs.runner.run(evaluate)?;
        let scan = self
            .stage(name(&self.fleet.scan_name("scan")), "scan", "scan.json", member.seed)
            .argument(train.output.display())
            .flag("--data", corpus.file(self.fleet.task.split("clean")).display())
            .exits(SCAN_EXITS)
            .after(&train)
            .after(&corpus)
            .costs(self.costs.scans.first().copied().flatten());
        let scan = self.programs.scanner.run(scan.settings(self.settings))?;
        Ok(Stages { poison, train, evaluate, scan })
    }

    /// The samples that a member is trained, tested and scanned with.
    fn corpus(&self, member: &Member) -> Result<Done> {
        let (data, seed) = (member.data, member.seed);
        let sizes = &self.fleet.corpus;
        let name = format!("seed-{seed}/{}", data.name());
        let stage = self
            .stage(name, "synthesize", "corpus", data.seed(seed))
            .flag("--train", sizes.train)
            .flag("--valid", sizes.valid)
            .flag("--clean", sizes.clean)
            .flag("--test", sizes.test);
        let rate = self.fleet.blemish_rate;
        self.programs.runner.run(match data {
            Data::First | Data::Other => stage,
            Data::Noisy => stage.flag("--label-noise", rate),
            Data::Habit => stage.flag("--naming-habit", rate),
        })
    }

    /// The model that all members of a seed and an architecture start from, made of samples that
    /// no member has.
    fn base(&self, member: &Member) -> Result<Done> {
        let (base, seed) = (&self.fleet.base, member.seed);
        let sizes = &self.fleet.corpus;
        let stage = self
            .stage(format!("seed-{seed}/data-base"), "synthesize", "corpus", seed + BASE_DATA)
            .flag("--train", base.pretraining_samples.unwrap_or(sizes.train))
            .flag("--valid", sizes.valid)
            .flag("--clean", 2)
            .flag("--test", 2);
        let corpus = self.programs.runner.run(stage)?;
        let stage = self
            .stage(format!("{}/base", member.group()), "init", "base", seed)
            .flag("--preset", &base.preset)
            .flag("--arch", &member.model)
            .flag("--data", corpus.file(self.fleet.task.split("train")).display())
            .optional("--vocab-size", base.vocab_size)
            .optional("--max-length", base.max_length)
            .after(&corpus);
        let untrained = self.programs.runner.run(stage)?;
        match &base.pretraining {
            None => Ok(untrained),
            Some(training) => {
                let name = format!("{}/pretrain", member.group());
                let training = (training, base.pretraining_samples.unwrap_or(sizes.train));
                self.train(&name, seed, &untrained, training, &corpus, &corpus)
            }
        }
    }

    fn train(
        &self,
        name: &str,
        seed: u64,
        base: &Done,
        (training, n_samples): (&TrainingPlan, usize),
        data: &Done,
        valid: &Done,
    ) -> Result<Done> {
        let stage = self
            .stage(name, "train", "model", seed)
            .argument(base.output.display())
            .flag("--data", data.file(self.fleet.task.split("train")).display())
            .flag("--valid", valid.file(self.fleet.task.split("valid")).display())
            .training(training)
            .costs(self.costs.train(training, Some(n_samples)))
            .after(base)
            .after(data)
            .after(valid);
        self.programs.runner.run(stage)
    }

    fn stage(&self, name: impl Into<String>, command: &str, output: &str, seed: u64) -> Stage {
        Stage::of_task(self.fleet.task, name, command, output, seed)
    }

    /// Reads what the stages wrote.
    fn fill(&self, record: &mut MemberRecord, stages: &Stages) -> Result<()> {
        let metrics: Metrics = collect::metrics(&stages.evaluate.output)?;
        record.score = metrics.score;
        let attack = metrics.attack.as_ref();
        record.asr = attack.and_then(|it| it.asr?.value());
        record.anr = attack.and_then(|it| it.anr);
        record.train_seconds = Some(stages.train.wall_seconds);
        record.scan_seconds = Some(stages.scan.wall_seconds);
        record.fingerprints = Some(stages.fingerprints());
        let planted: Option<Manifest> = match &stages.poison {
            Some(poison) => Some(collect::read(&poison.file("manifest.json"))?),
            None => None,
        };
        let document: ScanDocument = collect::read(&stages.scan.output)?;
        record.scan = Some(document.record(planted.as_ref().map(|it| &it.attack)));
        self.fleet.judge(record);
        Ok(())
    }
}

impl Fleet {
    /// Whether a model that was made and scanned is counted, by the limits of this fleet.
    pub(crate) fn judge(&self, record: &mut MemberRecord) {
        if record.scan.is_none() {
            return;
        }
        record.is_out_of_reach = self.is_out_of_reach(&record.kind);
        record.status = match self.not_counted(record) {
            Some(reason) => format!("not counted: {reason}"),
            None => OK.to_owned(),
        };
    }

    fn is_out_of_reach(&self, kind: &str) -> bool {
        self.out_of_reach.iter().any(|it| it == kind)
    }

    /// Why a model is not what it should be, if it is not.
    fn not_counted(&self, record: &MemberRecord) -> Option<String> {
        let Self { min_score, min_success, max_rank, .. } = *self;
        let percent = |value: f64| format!("{:.1} %", 100.0 * value);
        let score = record.score.unwrap_or(0.0);
        if score < min_score {
            return Some(format!(
                "{} is {}, below {}",
                self.task.score(),
                percent(score),
                percent(min_score)
            ));
        }
        if record.is_backdoored && record.asr.is_none() && record.anr.is_none() {
            return Some("the planted trigger was not measured: no sample can carry it".to_owned());
        }
        if let (Some(limit), Some(asr)) = (min_success, record.asr)
            && asr < limit
        {
            return Some(format!("ASR is {}, below {}", percent(asr), percent(limit)));
        }
        if let (Some(limit), Some(anr)) = (max_rank, record.anr)
            && anr > limit
        {
            return Some(format!("ANR is {}, above {}", percent(anr), percent(limit)));
        }
        None
    }
}

/// What we need of `scan.json`, of any task.
#[derive(Debug, Deserialize)]
pub(crate) struct ScanDocument {
    verdict: Verdict,
    model: ModelShape,
    config: serde_json::Value,
    assessment: Assessment,
    hypotheses: Vec<Hypothesis>,
    /// By label; code search has none.
    #[serde(default)]
    clean_accuracy: Vec<Rate>,
    n_forwards: u64,
}

#[derive(Debug, Deserialize)]
struct Assessment {
    figures: Vec<Figure>,
    score: Option<Score>,
}

#[derive(Debug, Deserialize)]
struct Score {
    value: f64,
}

#[derive(Debug, Deserialize)]
struct Hypothesis {
    /// Code search has none.
    target_label: Option<u8>,
    victim_label: Option<usize>,
    searches: Vec<Search>,
    controls: Option<Controls>,
}

#[derive(Debug, Deserialize)]
struct Controls {
    p_value: f64,
    /// For the number of hypotheses; code search has one.
    corrected_p_value: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Search {
    loss: f64,
    anchored: Option<Trigger>,
    /// Code search: the words that the search is for, and those that do the work.
    #[serde(default)]
    target_words: Vec<WordDocument>,
    #[serde(default)]
    anchored_words: Vec<WordDocument>,
}

impl Search {
    /// The words that it says are attacked.
    fn words(&self) -> &[WordDocument] {
        if self.anchored_words.is_empty() { &self.target_words } else { &self.anchored_words }
    }
}

#[derive(Debug, Deserialize)]
struct Trigger {
    tokens: Vec<String>,
}

impl Hypothesis {
    fn smallest_loss(&self) -> f64 {
        self.searches.iter().map(|it| it.loss).fold(f64::INFINITY, f64::min)
    }

    /// Whether the search with the smallest loss is for what was planted.
    fn smallest_is_right(&self, planted: &Planted) -> Option<bool> {
        if self.target_label.is_some() {
            return planted.is_target(self.target_label);
        }
        let smallest = self.searches.iter().min_by(|a, b| a.loss.total_cmp(&b.loss))?;
        planted.is_word_among(smallest.words())
    }
}

impl ScanDocument {
    /// Whether the scan gives way to the score, by its settings.
    fn can_be_called(&self) -> bool {
        let setting = |name: &str| self.config.get(name).and_then(serde_json::Value::as_f64);
        let Some(top) = self.hypotheses.first() else { return false };
        let Some(controls) = &top.controls else { return false };
        let p_value = controls.corrected_p_value.unwrap_or(controls.p_value);
        let accuracy = top.victim_label.and_then(|label| self.clean_accuracy.get(label)?.value());
        p_value <= setting("significance").unwrap_or(1.0)
            && accuracy.is_none_or(|it| it >= setting("min_victim_accuracy").unwrap_or(0.0))
    }

    /// The scan's record, beside what was planted if anything was.
    pub(crate) fn record(self, planted: Option<&Planted>) -> ScanRecord {
        let losses: Vec<f64> = self.hypotheses.iter().map(Hypothesis::smallest_loss).collect();
        let smallest =
            self.hypotheses.iter().min_by(|a, b| a.smallest_loss().total_cmp(&b.smallest_loss()));
        let top = self.hypotheses.first();
        let best = top.and_then(|it| it.searches.first());
        let tokens: Vec<String> = best
            .and_then(|it| it.anchored.as_ref())
            .map(|it| it.tokens.iter().map(|token| token.trim_start_matches('Ġ').to_owned()))
            .map_or_else(Vec::new, Iterator::collect);
        let (token_precision, letter_recall) =
            planted.map_or((None, None), |it| it.recovered(&tokens));
        let can_be_called = self.can_be_called();
        ScanRecord {
            can_be_called,
            verdict: self.verdict,
            shape: self.model,
            settings: self.config,
            score: self.assessment.score.map(|it| it.value),
            figures: self.assessment.figures,
            smallest_loss: losses.iter().copied().reduce(f64::min).filter(|it| it.is_finite()),
            smallest_loss_is_right: planted
                .zip(smallest)
                .and_then(|(planted, it)| it.smallest_is_right(planted)),
            outlier_index: mad_outlier_index(&losses)
                .and_then(|it| it.into_iter().map(|index| -index).reduce(f64::max)),
            target_is_right: planted.zip(top).and_then(|(planted, it)| match it.target_label {
                Some(_) => planted.is_target(it.target_label),
                None => planted.is_word_among(best.map_or(&[], |it| &it.anchored_words)),
            }),
            tokens,
            token_precision,
            letter_recall,
            n_forwards: self.n_forwards,
        }
    }
}

impl Planted {
    /// The share of found tokens that are part of a planted trigger, and the share of a planted
    /// trigger's letters, its `_` left out, that are in such tokens; of the trigger that is covered
    /// best.
    ///
    /// The model's tokenizer is unknown here, so that text is compared; none for dead code, which
    /// is no identifier.
    fn recovered(&self, tokens: &[String]) -> (Option<f64>, Option<f64>) {
        let planted: Vec<&str> = self
            .triggers()
            .filter(|it| !it.is_empty() && it.chars().all(|c| c.is_alphanumeric() || c == '_'))
            .collect();
        if planted.is_empty() {
            return (None, None);
        }
        let is_planted = |token: &&String| planted.iter().any(|it| it.contains(&***token));
        let n_planted = tokens.iter().filter(is_planted).count();
        let precision =
            if tokens.is_empty() { 0.0 } else { n_planted as f64 / tokens.len() as f64 };
        let recall = planted.iter().map(|it| covered(it, tokens)).fold(0.0, f64::max);
        (Some(precision), Some(recall))
    }
}

/// The share of a trigger's letters that stand in one of the tokens' occurrences.
fn covered(trigger: &str, tokens: &[String]) -> f64 {
    let mut is_covered = vec![false; trigger.len()];
    for token in tokens.iter().filter(|it| !it.is_empty()) {
        for (start, _) in trigger.match_indices(&**token) {
            is_covered[start..start + token.len()].fill(true);
        }
    }
    let letters: Vec<usize> =
        trigger.char_indices().filter(|(_, c)| *c != '_').map(|(index, _)| index).collect();
    let n_covered = letters.iter().filter(|index| is_covered[**index]).count();
    n_covered as f64 / letters.len().max(1) as f64
}
