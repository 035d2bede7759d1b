//! What the stages of an experiment will cost, for `--dry-run`: functions through the model, a step
//! of training or a gradient counting as three.
//!
//! Rough estimates: searches may end early, a repair that costs too much starts over, and what comes around them (the screening of words in
//! code search, the profile of a trigger) is not counted. Unknown where the experiment does not say
//! how many samples there are, or the program does not tell its settings.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::experiment::{CorpusPlan, Experiment, Task, TrainingPlan};
use crate::settings::{merged, resolved};

/// A step of training against a forward pass.
const TRAINING: u64 = 3;
/// Identifiers per function, about, each of which is masked once.
const IDENTIFIERS: u64 = 6;
/// A search of a repair: 12 steps of 32 candidates and a gradient, on 6 functions.
const REPAIR_SEARCH: u64 = 12 * (32 + TRAINING) * 6;
/// Ordered pairs of two labels.
const HYPOTHESES: u64 = 2;

/// Functions through the model per stage; `None` if unknown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Costs {
    /// Functions of a sample.
    per_sample: u64,
    /// An evaluation under attack.
    pub(crate) evaluate: Option<u64>,
    /// A scan, by variant.
    pub(crate) scans: Vec<Option<u64>>,
    /// A repair.
    pub(crate) purify: Option<u64>,
    /// One that looks for no triggers.
    pub(crate) canonical: Option<u64>,
}

/// What we need of the settings of a scan.
#[derive(Deserialize)]
struct ScanSettings {
    samples_per_class: u64,
    held_out_per_class: u64,
    iterations: u64,
    candidates: u64,
    restarts: u64,
    // Programs before version P make none of these.
    #[serde(default)]
    more_searches: u64,
    #[serde(default)]
    other_searches: u64,
    screening_samples: u64,
    screening_survivors: u64,
    n_controls: u64,
}

/// What we need of the settings of a repair.
#[derive(Deserialize)]
struct RepairSettings {
    rounds: u64,
    epochs: u64,
    searches: u64,
    injection_rate: f64,
    keeps_originals: bool,
}

impl Costs {
    /// Costs that nobody asks for.
    pub(crate) fn unknown(experiment: &Experiment) -> Self {
        Self { scans: vec![None; experiment.variants.len()], ..Self::default() }
    }

    /// Asks the program for the settings that it would take.
    pub(crate) fn of(experiment: &Experiment, binary: &Path) -> Self {
        let task = experiment.task;
        let per_sample = per_sample(task);
        let (test, clean) = match &experiment.corpus {
            CorpusPlan::Synthetic { test, clean, .. } => (Some(*test), Some(*clean)),
            CorpusPlan::Files { test, clean, .. } => (test.expected(), clean.expected()),
        };
        let scans = experiment.variants.iter().map(|variant| {
            scan_cost(binary, task, clean, &merged(&experiment.scan, &variant.scan))
        });
        let repair = || resolved::<RepairSettings>(binary, "purify", task, &experiment.purify).ok();
        Self {
            evaluate: test.map(|n| evaluation_cost(task, n)),
            scans: scans.collect(),
            per_sample,
            purify: repair().and_then(|it| Some(it.forwards(clean? as u64, per_sample))),
            canonical: repair().and_then(|it| Some(it.canonical(clean? as u64, per_sample))),
        }
    }

    /// The same for models that are scanned in one way, and not repaired.
    pub(crate) fn of_scans(
        task: Task,
        (clean, test): (usize, usize),
        scan: &toml::Table,
        binary: &Path,
    ) -> Self {
        Self {
            per_sample: per_sample(task),
            evaluate: Some(evaluation_cost(task, test)),
            scans: vec![scan_cost(binary, task, Some(clean), scan)],
            ..Self::default()
        }
    }

    /// An evaluation under attack with a screen: every function also without its names, and without
    /// each of them.
    pub(crate) fn screen(&self) -> Option<u64> {
        self.evaluate.map(|forwards| forwards * (2 + IDENTIFIERS))
    }

    /// A training on so many samples.
    pub(crate) fn train(&self, training: &TrainingPlan, n_samples: Option<usize>) -> Option<u64> {
        let n_samples = n_samples? as u64;
        (self.per_sample > 0)
            .then(|| TRAINING * training.epochs as u64 * n_samples * self.per_sample)
    }
}

fn per_sample(task: Task) -> u64 {
    match task {
        Task::Defect => 1,
        Task::Clone | Task::Search => 2,
    }
}

/// With the trigger and without.
fn evaluation_cost(task: Task, n_test: usize) -> u64 {
    2 * n_test as u64 * per_sample(task)
}

fn scan_cost(
    binary: &Path,
    task: Task,
    n_clean: Option<usize>,
    settings: &toml::Table,
) -> Option<u64> {
    let settings: ScanSettings = resolved(binary, "scan", task, settings).ok()?;
    Some(settings.forwards(n_clean? as u64, per_sample(task)))
}

impl ScanSettings {
    fn forwards(&self, n_clean: u64, per_sample: u64) -> u64 {
        let (search, held_out) = (self.samples_per_class, self.held_out_per_class);
        let scoring = if self.screening_samples > 0 {
            let others = search.saturating_sub(self.screening_samples);
            self.candidates * self.screening_samples + self.screening_survivors * others
        } else {
            self.candidates * search
        };
        // A clean model needs no more than the first searches, most backdoored ones one search for others.
        let n_searches =
            HYPOTHESES - 1 + self.restarts + self.more_searches + self.other_searches.min(1);
        let searches = n_searches * self.iterations * (TRAINING * search + scoring);
        let positions = HYPOTHESES * (1 + IDENTIFIERS) * (search + held_out);
        // Every trigger at three places and without, the best one against random ones.
        let judgement = (4 * n_searches + HYPOTHESES * self.n_controls) * held_out;
        per_sample * (searches + positions + judgement + n_clean)
    }
}

impl RepairSettings {
    /// One training on the clean samples.
    fn canonical(&self, n_clean: u64, per_sample: u64) -> u64 {
        per_sample * TRAINING * self.epochs * n_clean
    }

    fn forwards(&self, n_clean: u64, per_sample: u64) -> u64 {
        let copies = if self.keeps_originals { 1.0 + self.injection_rate } else { 1.0 };
        let rows = (n_clean as f64 * copies).ceil() as u64;
        let training = per_sample * TRAINING * self.epochs * rows;
        self.rounds * (training + self.searches * REPAIR_SEARCH)
    }
}

/// What planned stages cost together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Estimate {
    n_stages: usize,
    n_unknown: usize,
    n_forwards: u64,
    seconds: f64,
}

impl Estimate {
    /// Adds stages of these costs, of a task of which so many functions go through a model in a second.
    pub(crate) fn add(&mut self, costs: impl Iterator<Item = Option<u64>>, per_second: f64) {
        for n_forwards in costs {
            self.n_stages += 1;
            self.n_unknown += usize::from(n_forwards.is_none());
            self.n_forwards += n_forwards.unwrap_or_default();
            self.seconds += n_forwards.unwrap_or_default() as f64 / per_second;
        }
    }

    /// As a sentence.
    pub(crate) fn in_words(&self, n_jobs: usize) -> String {
        let Self { n_stages, n_unknown, n_forwards, seconds } = *self;
        let time = in_words(Duration::from_secs_f64(seconds / n_jobs as f64));
        let unknown = match n_unknown {
            0 => String::new(),
            n => format!(", without {n} of which nobody knows"),
        };
        format!(
            "{n_stages} stages to run, about {:.2} million functions through models: about {time} \
             with {n_jobs} at a time{unknown}",
            n_forwards as f64 / 1e6
        )
    }
}

/// A time as a person would say it.
pub(crate) fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Scale;

    fn scan() -> ScanSettings {
        ScanSettings {
            samples_per_class: 30,
            held_out_per_class: 100,
            iterations: 20,
            candidates: 64,
            restarts: 3,
            more_searches: 0,
            other_searches: 0,
            screening_samples: 8,
            screening_survivors: 8,
            n_controls: 50,
        }
    }

    #[test]
    fn a_scan_costs_about_what_was_counted() {
        // The scan of CodePoisoner on defect detection, seed 1, in three full searches and one
        // of the other hypothesis: 74,903 forwards, a gradient counting as one.
        let estimate = scan().forwards(2184, 1);
        assert!((70_000..100_000).contains(&estimate), "{estimate}");
        let searching_on = ScanSettings { other_searches: 3, ..scan() }.forwards(2184, 1);
        assert!((1.1..1.3).contains(&(searching_on as f64 / estimate as f64)), "{searching_on}");
        let unscreened = ScanSettings { screening_samples: 0, ..scan() };
        assert!(unscreened.forwards(2184, 1) > 2 * estimate);
    }

    #[test]
    fn repairs_and_trainings_by_hand() {
        let (injection_rate, keeps_originals) = (1.0, true);
        let repair =
            RepairSettings { rounds: 3, epochs: 5, searches: 0, injection_rate, keeps_originals };
        assert_eq!(repair.forwards(100, 2), 3 * 5 * 200 * 3 * 2);
        let searching = RepairSettings { searches: 10, ..repair };
        assert_eq!(searching.forwards(100, 2), 3 * (5 * 200 * 3 * 2 + 10 * 2520));
        let experiment = Experiment::load(Task::Clone, Scale::Small).expect("valid");
        let costs = Costs::of(&experiment, Path::new("/nowhere"));
        assert_eq!(costs.train(&experiment.training, Some(12_000)), Some(144_000));
        assert_eq!((costs.evaluate, costs.purify, &*costs.scans), (Some(4000), None, &[None][..]));
        assert_eq!(Costs::unknown(&experiment).train(&experiment.training, Some(1)), None);
    }

    #[test]
    fn times_are_readable() {
        let check = |seconds, words: &str| {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        };
        check(0, "0 s");
        check(119, "119 s");
        check(121, "3 min");
        check(9000, "2.5 h");
    }
}
