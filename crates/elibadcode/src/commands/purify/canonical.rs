//! `purify --canonical`: a model that reads canonical names from now on, and what that is worth.

mod certificate;

use anyhow::{Result, bail};
use elibadcode_corpus::{Task, stage_rng};
use elibadcode_evaluation::records::certificate::LawCheck;
use elibadcode_evaluation::report::html::RepairReport;
use elibadcode_models::{CanonicalInput, CodeModel, LoadedModel};
use elibadcode_syntax::{Canonical, CanonicalOptions, Language, canonicalize_text, law_violation};
use elibadcode_unlearning::{
    CanonicalRepair, CanonicalSamples, ScoredRow, UnlearningConfig, canonical_repair,
    function_numbers,
};
use rand::RngExt;
use rayon::prelude::*;

use self::certificate::Terms;
use crate::args::PurifyArgs;
use crate::commands::rows;
use crate::context::Context;

/// Renamings of each clean function that the certificate rests on.
const N_RENAMINGS: usize = 20;

/// Makes the model one of canonical names; whether the result was accepted.
pub(super) fn run(
    args: &PurifyArgs,
    form: CanonicalInput,
    config: &UnlearningConfig,
    context: &mut Context<'_>,
) -> Result<bool> {
    let (task, language) = (args.input.task, args.input.language());
    let (model, _) = context.model_for(&args.model, task)?;
    if model.canonical_input() == Some(form) {
        bail!("{}: the model reads these canonical names already", args.model.model_dir.display());
    }
    let subject = Subject { form, config, language };
    let (model, repair, law) = match task {
        Task::DefectDetection => {
            let (samples, _) = context.functions(&args.data, language)?;
            let codes: Vec<&str> = samples.iter().map(|sample| &*sample.code).collect();
            let encode = |model: &LoadedModel| rows::labelled(model, &samples, language);
            subject.repair(model, encode, &single(&codes), &codes, context)?
        }
        Task::CloneDetection => {
            let (samples, _) = context.pairs(&args.data, language)?;
            let codes: Vec<&str> = samples.functions.iter().map(|it| &*it.code).collect();
            let pairs = samples.pairs.iter();
            let members: Vec<Vec<usize>> =
                pairs.map(|pair| vec![pair.first, pair.second]).collect();
            let encode = |model: &LoadedModel| rows::pairs(model, &samples, language);
            subject.repair(model, encode, &members, &codes, context)?
        }
        Task::CodeSearch => {
            let (samples, _) = context.queries(&args.data, language)?;
            let codes: Vec<&str> = samples.iter().map(|sample| &*sample.code).collect();
            let encode = |model: &LoadedModel| rows::queries(model, &samples, language);
            subject.repair(model, encode, &single(&codes), &codes, context)?
        }
    };
    let terms = Terms { task, language, form, input_format: model.input_format() };
    let certificate = terms.certificate(context.made_by(config)?, law, &repair)?;
    let is_accepted = repair.objections.is_empty();
    let network = is_accepted.then_some(repair.network);
    let summary = certificate::text(&certificate, &args.output, config.limits.accuracy_drop);
    let report = (RepairReport::CANONICAL_FILE, &certificate);
    super::publish(args, config, context, model, network, report, &summary)?;
    Ok(is_accepted)
}

/// The members of samples with one function each.
fn single(codes: &[&str]) -> Vec<Vec<usize>> {
    (0..codes.len()).map(|index| vec![index]).collect()
}

/// What the model is to read.
struct Subject<'a> {
    form: CanonicalInput,
    config: &'a UnlearningConfig,
    language: Language,
}

impl Subject<'_> {
    /// Encodes the samples, whose members are indices of codes, in both forms, repairs, and puts the
    /// promise to the test.
    fn repair<R: ScoredRow>(
        &self,
        model: LoadedModel,
        encode: impl Fn(&LoadedModel) -> Vec<R>,
        members: &[Vec<usize>],
        codes: &[&str],
        context: &Context<'_>,
    ) -> Result<(LoadedModel, CanonicalRepair, LawCheck)> {
        let seed = context.global.seed;
        let options = self.form.options();
        let forms: Vec<Canonical> =
            codes.par_iter().map(|code| canonicalize_text(code, self.language, &options)).collect();
        let law = check_law(codes, &forms, self.language, options, seed);
        let raw = encode(&model);
        let model = model.with_canonical_input(Some(self.form));
        let canonical = encode(&model);
        // Functions that differ in names or comments only are one for a model that sees neither.
        let numbers = function_numbers(forms.iter().map(|form| &*form.text));
        let functions: Vec<Vec<usize>> =
            members.iter().map(|own| own.iter().map(|&index| numbers[index]).collect()).collect();
        let samples = CanonicalSamples { raw: &raw, canonical: &canonical, functions: &functions };
        let mut observe = |event| super::show(context, "fine-tuning on canonical samples", event);
        let network: &CodeModel = &model.network;
        let mut repair = canonical_repair(network, &samples, self.config, seed, &mut observe)?;
        if law.n_functions == 0 {
            repair.objections.push(format!(
                "none of the {} clean functions parses as {}, so nothing was put to the test",
                law.n_with_errors, self.language
            ));
        }
        if law.n_violations > 0 {
            repair.objections.push(format!(
                "{} clean functions have another canonical form after a renaming, so nothing is \
                 excluded by construction",
                law.n_violations
            ));
        }
        Ok((model, repair, law))
    }
}

/// Random renamings of every clean function, whose canonical forms these are.
fn check_law(
    codes: &[&str],
    forms: &[Canonical],
    language: Language,
    options: CanonicalOptions,
    seed: u64,
) -> LawCheck {
    let found: Vec<(bool, bool)> = codes
        .par_iter()
        .zip(forms)
        .enumerate()
        .map(|(index, (code, form))| {
            let mut rng = stage_rng(seed, &format!("certificate {index}"));
            let mut pick = |n: usize| rng.random_range(0..n);
            let violation = law_violation(code, language, &options, N_RENAMINGS, &mut pick);
            (form.has_errors, violation.is_some())
        })
        .collect();
    let count = |wanted: (bool, bool)| found.iter().filter(|&&it| it == wanted).count();
    LawCheck {
        n_renamings: N_RENAMINGS,
        n_functions: count((false, false)) + count((false, true)),
        n_violations: count((false, true)),
        n_with_errors: count((true, false)) + count((true, true)),
        n_violations_with_errors: count((true, true)),
    }
}
