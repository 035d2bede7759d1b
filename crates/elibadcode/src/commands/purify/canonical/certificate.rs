//! What a canonical model excludes and what it does not, in words.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use elibadcode_corpus::{InputFormat, Task};
use elibadcode_evaluation::records::certificate::{
    CERTIFICATE_SCHEMA_VERSION, CanonicalScores, Certificate, LawCheck,
};
use elibadcode_models::{CanonicalInput, CanonicalNames};
use elibadcode_syntax::Language;
use elibadcode_unlearning::CanonicalRepair;
use serde_json::Value;

use crate::commands::purify::few_samples;

/// What the promise depends on.
pub(super) struct Terms {
    pub(super) task: Task,
    pub(super) language: Language,
    pub(super) form: CanonicalInput,
    pub(super) input_format: InputFormat,
}

impl Terms {
    pub(super) fn certificate(
        &self,
        run: Value,
        law: LawCheck,
        repair: &CanonicalRepair,
    ) -> Result<Certificate> {
        Ok(Certificate {
            schema_version: CERTIFICATE_SCHEMA_VERSION,
            run,
            task: self.task.to_string(),
            language: self.language.to_string(),
            canonical_input: serde_json::to_value(self.form)?,
            // One function that breaks the promise refutes it; without any it was not tested.
            excluded: if law.n_functions > 0 && law.n_violations == 0 {
                self.excluded()
            } else {
                Vec::new()
            },
            not_covered: self.not_covered(),
            law,
            scores: repair.scores.clone(),
            fine_tuning: repair.fine_tuning,
            objections: repair.objections.clone(),
        })
    }

    fn is_all(&self) -> bool {
        self.form.names == CanonicalNames::All
    }

    /// Whether a comment can reach the model.
    fn shows_comments(&self) -> bool {
        self.form.keeps_comments && self.input_format != InputFormat::CodeTokens
    }

    fn excluded(&self) -> Vec<String> {
        let mut families = vec![
            "the name of the function, replaced or extended, by text of any length".to_owned(),
        ];
        if self.is_all() {
            families.extend([
                "names of parameters and local variables, one of them or all together".to_owned(),
                "names of inner functions, labels, and types that the text declares".to_owned(),
            ]);
        }
        if !self.shows_comments() {
            families.push("comments".to_owned());
        }
        if !self.form.keeps_comments && self.language == Language::Python {
            families.push("docstrings".to_owned());
        }
        match self.input_format {
            InputFormat::CodeTokens => families.push("white space and line breaks".to_owned()),
            InputFormat::Whitespace => families.push("the length of white space".to_owned()),
            InputFormat::Source => {}
        }
        families
    }

    fn not_covered(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        if !self.is_all() {
            gaps.push("names of parameters, variables and types: they stay as they are".to_owned());
        }
        gaps.extend([
            "names that are kept: functions that are called, fields, macros, imports and types of \
             others, what stands behind a dot or an arrow, Java methods that may override one, \
             `global` and `extern` names"
                .to_owned(),
            "text in strings and numbers".to_owned(),
            "dead code, and other changes of what the code does or how".to_owned(),
        ]);
        if self.shows_comments() {
            gaps.push("comments: they stay as they are".to_owned());
        }
        if self.form.keeps_comments && self.language == Language::Python {
            gaps.push("docstrings: they stay as they are".to_owned());
        }
        if self.language == Language::Python {
            gaps.push(
                "names of arguments in calls of methods and of others' functions, and type parameters"
                    .to_owned(),
            );
        }
        match self.input_format {
            InputFormat::CodeTokens => {}
            InputFormat::Whitespace => {
                gaps.push("formatting: where white space stands and where it does not".to_owned());
            }
            InputFormat::Source => gaps.push("white space and line breaks".to_owned()),
        }
        gaps.push("functions that do not parse: most keep the promise, some do not".to_owned());
        if self.task == Task::CodeSearch {
            gaps.push("queries: they are read as they are".to_owned());
        }
        gaps
    }
}

/// The certificate for people.
pub(super) fn text(certificate: &Certificate, output: &Path, limit: f64) -> String {
    let mut text = String::from("excluded by construction, found or not\n");
    let lines = |text: &mut String, lines: &[String]| {
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
    };
    lines(&mut text, &certificate.excluded);
    if certificate.excluded.is_empty() {
        text.push_str("  nothing: the clean functions refute it\n");
    }
    text.push_str("not covered\n");
    lines(&mut text, &certificate.not_covered);
    let LawCheck { n_renamings, n_functions, n_violations, .. } = certificate.law;
    let _ = writeln!(
        text,
        "put to the test: {n_renamings} random renamings of each of {n_functions} clean functions, \
         {n_violations} with another canonical form"
    );
    let LawCheck { n_with_errors, n_violations_with_errors, .. } = certificate.law;
    if n_with_errors > 0 {
        let _ = writeln!(
            text,
            "  {n_with_errors} more do not parse, {n_violations_with_errors} of them with another \
             form"
        );
    }
    text.push_str(&scores(certificate));
    text.push_str(few_samples(&certificate.scores.cost, limit));
    for objection in &certificate.objections {
        let _ = writeln!(text, "refused: {objection}");
    }
    if certificate.objections.is_empty() {
        let _ = writeln!(text, "accepted; written to {}", output.display());
    } else {
        text.push_str(
            "nothing was written; limits.accuracy_drop and limits.measured_drop of a --config FILE say \
             what it may cost\n",
        );
    }
    text
}

fn scores(certificate: &Certificate) -> String {
    let CanonicalScores { measure, n_samples, raw, canonical, repaired, cost } =
        &certificate.scores;
    let mut text = format!("{measure} on {n_samples} clean samples kept aside\n");
    for (name, score) in [
        ("names as it read them, the model as it came", raw),
        ("canonical names, the model as it came", canonical),
        ("canonical names, the repaired model", repaired),
    ] {
        let _ = writeln!(text, "  {name:<42}{:>6.1} %", 100.0 * score);
    }
    let (low, high) = (100.0 * cost.low, 100.0 * cost.high);
    let _ = writeln!(text, "  it fell by {low:.1} to {high:.1} points (90 % interval)");
    let tuning = &certificate.fine_tuning;
    let _ = match tuning.best_epoch {
        None => writeln!(
            text,
            "  not fine-tuned: {} samples to train on and {} to choose the epoch are too few",
            tuning.n_training, tuning.n_selection
        ),
        Some(epoch) if tuning.is_kept => {
            writeln!(text, "  fine-tuned on {} canonical samples, epoch {epoch}", tuning.n_training)
        }
        Some(_) => writeln!(
            text,
            "  not fine-tuned: training on {} canonical samples did not help",
            tuning.n_training
        ),
    };
    text
}
