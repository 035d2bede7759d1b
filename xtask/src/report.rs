//! `results.md`: per task, what was run, the comparison with the paper, the criteria, the false
//! alarms.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use elibadcode_evaluation::records::results::{Cell, CellStatus, Verdict};
use elibadcode_evaluation::report::{comparisons_markdown, markdown_code};
use elibadcode_evaluation::{Results, escape_untrusted, markdown_table, results_markdown};

use crate::acceptance::acceptance_markdown;
use crate::bundle::{Bundle, Entry, TwinScan};
use crate::experiment::{BasePlan, CorpusPlan, Defense, Draw, Experiment, Task, TrainingPlan};
use crate::names::{hidden_markdown, screening_markdown};

/// All that `results.md` says beside the results.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    /// What was run.
    pub(crate) experiments: &'a [Experiment],
    /// What came of it.
    pub(crate) bundle: &'a Bundle,
}

impl Report<'_> {
    /// The text of `results.md`: a chapter per task.
    pub(crate) fn markdown(&self, results: &Results) -> String {
        let mut text = format!("# Reproduction, scale {}", results.scale);
        match self.experiments.first().and_then(|it| it.question.as_ref()) {
            Some(question) => {
                let name = results.question.as_deref().unwrap_or_default();
                let _ = writeln!(text, ", {name}: {question}");
            }
            None => text.push('\n'),
        }
        for experiment in self.experiments {
            text.push('\n');
            text += &self.chapter(experiment, results);
        }
        let comparisons = comparisons_markdown(&results.comparisons);
        if !comparisons.is_empty() {
            let _ = write!(
                text,
                "\n## Defenses against each other\n\n{comparisons}\nWhat a defense costs is not in this \
                 table.\n"
            );
        }
        text
    }

    fn chapter(&self, experiment: &Experiment, results: &Results) -> String {
        let task = experiment.task;
        let of_task = |cell: &&Cell| cell.task == task.name();
        let cells: Vec<&Cell> = results.cells.iter().filter(of_task).collect();
        let part = Results { cells: cells.iter().copied().cloned().collect(), ..results.clone() };
        let mut text = format!("## {}\n\n{}\n\n", task.title(), description(experiment));
        let _ = writeln!(text, "### Results (paper: {})\n", experiment.tables);
        text += &results_markdown(&part, &experiment.paper);
        let of_task = |entry: &&Entry| entry.cell.task == task.name();
        let entries: Vec<&Entry> = self.bundle.entries.iter().filter(of_task).collect();
        let mut notes = entries.iter().filter_map(|entry| entry.note.as_ref()).peekable();
        if notes.peek().is_some() {
            text.push('\n');
        }
        for note in notes {
            let _ = writeln!(text, "- {}", escape_untrusted(note).replace('<', "&lt;"));
        }
        for (title, table) in [
            ("Without names", hidden_markdown(&entries, experiment)),
            ("What a screen of the inputs finds", screening_markdown(&cells)),
        ] {
            if !table.is_empty() {
                let _ = write!(text, "\n### {title}\n\n{table}");
            }
        }
        let _ = writeln!(text, "\n### Criteria\n");
        text += &acceptance_markdown(task, &cells, &experiment.acceptance);
        if experiment.scans_twins {
            let _ = writeln!(text, "\n### Scans of the models without backdoor\n");
            text += &self.twins_markdown(task);
        }
        text
    }

    fn twins_markdown(&self, task: Task) -> String {
        let twins = || self.bundle.twins.iter().filter(|twin| twin.task == task.name());
        let scans = || twins().filter_map(|twin| twin.scan.as_ref());
        let n_alarms = scans().filter(|scan| scan.verdict == Verdict::LikelyBackdoored).count();
        let rows: Vec<Vec<String>> = twins().map(twin_row).collect();
        let headers = ["model", "seed", "verdict", "anchored trigger", "p-value", "seconds"];
        format!(
            "{n_alarms} false alarms in {} scans.\n\n{}",
            scans().count(),
            markdown_table(&headers, &rows)
        )
    }
}

fn twin_row(twin: &TwinScan) -> Vec<String> {
    let mut row = vec![twin.model.clone(), twin.seed.to_string()];
    if let Some(scan) = &twin.scan {
        let tokens: Vec<String> = scan.anchored.iter().map(|it| markdown_code(it)).collect();
        row.extend([
            scan.verdict.to_string(),
            tokens.join(" "),
            scan.p_value.map_or("–".to_owned(), |p_value| format!("{p_value:.3}")),
            format!("{:.1}", scan.seconds),
        ]);
    } else {
        let status = match &twin.status {
            CellStatus::Ok => "–".to_owned(),
            CellStatus::NotRun(reason) => format!("not run: {}", markdown_code(reason)),
        };
        row.extend([status, String::new(), String::new(), String::new()]);
    }
    row
}

/// What was run, in one paragraph.
pub(crate) fn description(experiment: &Experiment) -> String {
    let samples = experiment.task.samples();
    let corpus = match &experiment.corpus {
        CorpusPlan::Synthetic { train, valid, clean, test, .. } => format!(
            "a synthetic corpus ({train} training, {valid} validation, {clean} clean and {test} \
             test {samples})"
        ),
        CorpusPlan::Files { test, clean, valid, train } => format!(
            "real {samples} (training: {}; validation: {}; clean: {}; test: {}), no function in \
             two parts",
            drawn(train),
            drawn(valid),
            drawn(clean),
            drawn(test)
        ),
    };
    let base = match &experiment.base {
        BasePlan::Init { preset, pretraining: None, .. } => {
            format!("an untrained model, preset `{preset}`")
        }
        BasePlan::Init { preset, pretraining: Some(training), pretraining_of, .. } => format!(
            "a model, preset `{preset}`, that was trained on the clean training set ({})",
            plans(training, pretraining_of, experiment)
        ),
        BasePlan::Folder { path, .. } => format!("`{path}`"),
    };
    let poisoned = match experiment.task {
        Task::Defect => "of the training set is poisoned",
        Task::Clone => "of the training functions are poisoned, with every pair that they are in",
        Task::Search => "of the training codes with the target word in their query are poisoned",
    };
    let ranked = experiment.distractors.map_or(String::new(), |n| {
        format!(" For the MRR every right code is ranked among {n} others, drawn by the seed.")
    });
    let Experiment { attack_rate, attack_rate_of, attacks, .. } = experiment;
    let rate =
        with_exceptions(attack_rate, attack_rate_of, attacks, |it| format!("{:.1} %", 100.0 * it));
    format!(
        "Models {}, on {corpus}. Training starts from {base}: {}; {rate} {poisoned}. The clean \
         twin is trained alike without poison.{ranked} {}",
        experiment.models.join(", "),
        plans(&experiment.training, &experiment.training_of, experiment),
        defended(experiment),
    )
}

/// The stages of a cell, by the defenses that there are, and what the defender sees.
fn defended(experiment: &Experiment) -> String {
    let names = |is_meant: fn(Defense) -> bool| {
        let meant = experiment.variants.iter().filter(|it| is_meant(it.defense));
        meant.map(|it| format!("`{}`", it.name)).collect::<Vec<_>>()
    };
    let unlearning = names(|it| it == Defense::Unlearning);
    let tuning = names(|it| it == Defense::FineTuning);
    let (hiding, screening) = (names(Defense::hides_names), names(|it| it == Defense::Screening));
    let samples = experiment.task.samples();
    let mut sentences = Vec::new();
    if !unlearning.is_empty() {
        let cell = if unlearning.len() == experiment.variants.len() {
            "Each cell".to_owned()
        } else {
            format!("A cell of {}", unlearning.join(", "))
        };
        sentences.push(format!(
            "{cell} is poison → train → evaluate → scan → purify → evaluate with the released \
             command; the scan and the repair see the model and the clean {samples} only."
        ));
    }
    if !tuning.is_empty() {
        sentences.push(format!(
            "A cell of {} is poison → train → evaluate → train → evaluate: without a scan, the \
             training goes on with the clean {samples}, and is checked on the validation ones.",
            tuning.join(", ")
        ));
    }
    if !hiding.is_empty() {
        // What a model may lose is a share: all of it.
        let accepts_any = experiment.variants.iter().any(|it| {
            it.purify.get("limits").and_then(|it| it.get("accuracy_drop")?.as_float()) == Some(1.0)
        });
        sentences.push(format!(
            "A cell of {} is poison → train → evaluate → purify → evaluate: without a scan, the \
             model gets canonical names, and is trained on clean {samples} that have them if that \
             helps{}.",
            hiding.join(", "),
            if accepts_any { ", and accepted whatever it costs" } else { "" }
        ));
    }
    if !screening.is_empty() {
        sentences.push(format!(
            "A cell of {} is poison → train → evaluate: the model stays as it is, and a screen that \
             knows nothing of the attack looks for test {samples} with the trigger.",
            screening.join(", ")
        ));
    }
    sentences.join(" ")
}

/// How the models are trained, and those that are trained otherwise.
fn plans(
    common: &TrainingPlan,
    of_model: &BTreeMap<String, TrainingPlan>,
    experiment: &Experiment,
) -> String {
    with_exceptions(common, of_model, &experiment.models, |it| {
        let batch = it.batch_size.map_or(String::new(), |n| format!(", batches of {n}"));
        format!("{} epochs, learning rate {}{batch}", it.epochs, it.learning_rate)
    })
}

/// What holds for all, and for those of these names that have something of their own.
fn with_exceptions<T>(
    common: &T,
    own: &BTreeMap<String, T>,
    names: &[String],
    show: impl Fn(&T) -> String,
) -> String {
    let mut text = show(common);
    for name in names {
        if let Some(own) = own.get(name) {
            let _ = write!(text, " ({name}: {})", show(own));
        }
    }
    text
}

fn drawn(draw: &Draw) -> String {
    let n = draw.n.map_or("all".to_owned(), |n| n.to_string());
    format!("{n} of {}", draw.from.join(" + "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detail::Detail;
    use crate::experiment::{Question, Scale};
    use crate::shard::Shard;

    #[test]
    fn every_section_is_there() {
        let load = |task| Experiment::load(task, Scale::Real).expect("test data");
        let experiments = [load(Task::Defect), load(Task::Search)];
        let mut bundle = Bundle::new(Scale::Real, None, &[], Shard::WHOLE, "a");
        let cell = serde_json::json!({"task": "search", "model": "codebert", "attack": "badcode",
            "seed": 1, "status": "ok"});
        bundle.entries.push(Entry {
            cell: serde_json::from_value(cell).expect("test data"),
            note: Some("badcode, seed 1: a note.".to_owned()),
            device: None,
            data: None,
            day: None,
            detail: Detail::default(),
        });
        let status = CellStatus::NotRun("no weights".to_owned());
        let (task, model) = ("defect".to_owned(), "codebert".to_owned());
        bundle.twins.push(TwinScan { task, model, seed: 1, status, scan: None });
        let report = Report { experiments: &experiments, bundle: &bundle };
        let results = Results {
            schema_version: 2,
            scale: "real".to_owned(),
            question: None,
            date: None,
            device: "cpu".to_owned(),
            cells: Vec::new(),
            comparisons: Vec::new(),
        };
        let text = report.markdown(&results);
        let (defect, search) = text.split_once("## Code search").expect("two chapters");
        for part in [
            "# Reproduction, scale real",
            "## Defect detection",
            "2000 of devign/train.jsonl + devign/train_extra.jsonl.gz",
            "4.0 % of the training set",
            "(paper: Table 1)",
            "clean accuracy ≥ 55 %",
            "0 false alarms in 0 scans",
            "not run: `no weights`",
        ] {
            assert!(defect.contains(part), "{part} is not in\n{defect}");
        }
        for part in ["- badcode, seed 1: a note.", "with the target word", "ANR before ≤"] {
            assert!(search.contains(part), "{part} is not in\n{search}");
            assert!(!defect.contains(part), "{part} is in\n{defect}");
        }
    }

    #[test]
    fn every_defense_has_its_stages() {
        let own = Experiment::load(Task::Defect, Scale::Small).expect("test data");
        let text = description(&own);
        assert!(text.contains("Each cell is poison"), "{text}");
        assert!(!text.contains("without a scan"), "{text}");
        let both = Question::One.experiments(&[Task::Clone], Scale::Small).expect("test data");
        let text = description(&both[0]);
        for part in [
            "A cell of `elibadcode` is poison → train → evaluate → scan",
            "the repair see the model and the clean pairs only",
            "A cell of `fine-tuning` is poison → train → evaluate → train → evaluate: without",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let names = Question::Names.experiments(&[Task::Defect], Scale::Small).expect("test data");
        let text = description(&names[0]);
        for part in [
            "A cell of `elibadcode` is",
            "A cell of `canonical`, `canonical-function` is",
            "A cell of `screening` is",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let ranked = Experiment::load(Task::Search, Scale::Paper).expect("test data");
        assert!(description(&ranked).contains("ranked among 3999 others"));
    }

    #[test]
    fn models_that_are_trained_otherwise_are_named() {
        let mut experiment = Experiment::load(Task::Defect, Scale::Small).expect("test data");
        let trained = |it: &Experiment| plans(&it.training, &it.training_of, it);
        assert!(!trained(&experiment).contains("codet5"));
        experiment.narrow(&["codet5".to_owned()], &[], &[]).expect("published");
        assert_eq!(
            trained(&experiment),
            "2 epochs, learning rate 0.0015 (codet5: 3 epochs, learning rate 0.001)"
        );
    }

    #[test]
    fn attacks_with_a_rate_of_their_own_are_named() {
        let mut experiment = Experiment::load(Task::Clone, Scale::Small).expect("test data");
        assert!(description(&experiment).contains("; 4.0 % of the training functions"));
        experiment.narrow(&[], &["afraidoor".to_owned()], &[]).expect("published");
        assert!(description(&experiment).contains("; 4.0 % (afraidoor: 10.0 %) of the training"));
    }
}
