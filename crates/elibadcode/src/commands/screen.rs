//! `screen`: functions whose answer hangs on their names, before anybody trusts the answer.

mod summary;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use elibadcode_corpus::Task;
use elibadcode_evaluation::records::screen::{
    CleanAlarms, FlaggedSubject, SCREEN_SCHEMA_VERSION, ScreenReport,
};
use elibadcode_evaluation::statistics::permutation_p_value;
use elibadcode_models::LoadedModel;
use elibadcode_screening::{Removal, Screened, Subject, blame, removals, screen, threshold};
use elibadcode_syntax::{CanonicalOptions, Language};

use crate::Outcome;
use crate::args::{Format, Global, ScreenArgs, Without};
use crate::context::Context;
use crate::output;
use crate::unlabelled::Unlabelled;

pub(crate) fn run(args: &ScreenArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "screen");
    if let Some(path) = &args.output {
        output::check_file(path, global.force)?;
    }
    if args.input.task == Task::CodeSearch && args.false_alarms.is_none() {
        bail!(
            "a search model gives no label that could change: say which rate of --false-alarms to \
             accept, and which functions are --clean"
        );
    }
    let language = args.input.language();
    let mut read = |path: &Path| Unlabelled::read((args.input.task, language), path, &mut context);
    let functions = read(&args.data)?;
    let clean = args.clean.as_deref().map(read).transpose()?;
    if let Some(clean) = &clean {
        check_apart(&functions, clean, &context)?;
    }
    let (model, _) = context.model_for(&args.model, args.input.task)?;
    if model.canonical_input().is_some() {
        bail!(
            "{}: the model reads canonical names, so that no answer of it hangs on them",
            args.model.model_dir.display()
        );
    }
    let subjects = subjects(&functions, language);
    context.progress.line(&format!("screening {} functions or pairs", subjects.len()));
    let suspicious =
        |subjects: &[Subject<'_>]| suspicions(args.without, &model, subjects, language);
    let suspicions = suspicious(&subjects);
    let clean = clean.map(|clean| suspicious(&self::subjects(&clean, language)));
    let clean: Option<Vec<f64>> =
        clean.map(|clean| clean.into_iter().map(|it| it.suspicion).collect());
    let limit = match (args.false_alarms, &clean) {
        (Some(rate), Some(clean)) => {
            let path = args.clean.as_deref().unwrap_or(Path::new("--clean"));
            threshold(clean, rate).with_context(|| path.display().to_string())?
        }
        _ => 0.0,
    };
    let (without, false_alarms) = (args.without.name(), args.false_alarms);
    let settings = serde_json::json!({ "without": without, "false_alarms": false_alarms });
    let mut report = ScreenReport {
        schema_version: SCREEN_SCHEMA_VERSION,
        run: context.made_by(&settings)?,
        task: args.input.task.to_string(),
        language: language.to_string(),
        threshold: limit,
        n_subjects: subjects.len(),
        n_with_errors: subjects.iter().filter(|subject| subject.has_errors()).count(),
        flagged: Vec::new(),
        clean: clean.as_ref().map(|clean| CleanAlarms {
            wanted_rate: args.false_alarms,
            false_alarms: clean.iter().map(|&it| it > limit).collect(),
        }),
    };
    let is_flagged = |&index: &usize| suspicions[index].suspicion > limit;
    let suspects: Vec<usize> = (0..subjects.len()).filter(is_flagged).collect();
    context.progress.start("names", suspects.len());
    for (done, index) in suspects.into_iter().enumerate() {
        let subject = &subjects[index];
        let blame = blame(&model, subject, language);
        let Screened { raw, canonical } =
            screen(&model, std::slice::from_ref(subject), language).swap_remove(0);
        let Removal { suspicion, name } = suspicions[index].clone();
        report.flagged.push(FlaggedSubject {
            index,
            place: functions.asked[index].place.clone(),
            suspicion,
            p_value: clean.as_ref().map(|clean| permutation_p_value(suspicion, clean)),
            label: raw.label(),
            label_without_names: canonical.label(),
            responsible: name.or_else(|| blame.responsible().map(|it| it.name.clone())),
            comments: blame.comments,
            names: blame.names,
        });
        context.progress.step(done + 1, String::new());
    }
    report.flagged.sort_by(|a, b| b.suspicion.total_cmp(&a.suspicion));
    let (document, text) = (output::json(&report)?, summary::text(&report));
    context.print(match args.format {
        Format::Json => &document,
        Format::Text => &text,
    })?;
    if let Some(path) = &args.output {
        output::write_file(path, |out| Ok(out.write_all(document.as_bytes())?))?;
    }
    context.finish(&settings)?;
    Ok(if report.flagged.is_empty() { Outcome::Done } else { Outcome::Found })
}

/// Fails if all functions are among the clean ones, and tells how many are.
fn check_apart(functions: &Unlabelled, clean: &Unlabelled, context: &Context<'_>) -> Result<()> {
    let clean: BTreeSet<Vec<&str>> = clean.codes().into_iter().collect();
    let n_shared = functions.codes().iter().filter(|codes| clean.contains(*codes)).count();
    let n = functions.asked.len();
    if n_shared == n && n > 0 {
        bail!("--clean holds all that --data does: suspects would set their own threshold");
    }
    if n_shared > 0 {
        context.progress.line(&format!(
            "{n_shared} of {n} functions or pairs are among the --clean ones, too: if they are not \
             clean, fewer are flagged"
        ));
    }
    Ok(())
}

fn subjects(functions: &Unlabelled, language: Language) -> Vec<Subject<'_>> {
    Subject::all(&functions.codes(), language, &CanonicalOptions::all_names())
}

/// How suspicious functions or pairs are, and the name that they are suspicious for, if it is one.
fn suspicions(
    without: Without,
    model: &LoadedModel,
    subjects: &[Subject<'_>],
    language: Language,
) -> Vec<Removal> {
    match without {
        Without::Names => {
            let removal = |it: &Screened| Removal { suspicion: it.suspicion(), name: None };
            screen(model, subjects, language).iter().map(removal).collect()
        }
        Without::OneName => {
            let codes: Vec<Vec<&str>> = subjects.iter().map(|it| it.codes.clone()).collect();
            removals(model, &codes, language)
        }
    }
}
