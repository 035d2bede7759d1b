//! Fleets that were never made: what is planned, compared, fitted and reported.

use elibadcode_evaluation::records::calibration::{Basis, ModelShape};
use elibadcode_evaluation::records::results::Verdict;

use super::member::ScanDocument;
use super::record::{FLEET_SCHEMA_VERSION, Figure, FleetDocument, MemberRecord, OK, ScanRecord};
use super::*;
use crate::collect::Planted;

fn fleet(name: &str) -> Fleet {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    Fleet::load(&folder, name).expect("a fleet of ours")
}

/// A model whose figures are all `value`.
fn member(seed: u64, kind: &str, is_backdoored: bool, value: f64) -> MemberRecord {
    let figure = |name: &str| Figure { name: name.to_owned(), value };
    MemberRecord {
        name: format!("seed-{seed}/codebert/{kind}"),
        model: "codebert".to_owned(),
        seed,
        kind: kind.to_owned(),
        is_backdoored,
        is_out_of_reach: kind == "bnc-fixed",
        data: "data-first".to_owned(),
        rate: is_backdoored.then_some(0.04),
        status: OK.to_owned(),
        score: Some(0.95),
        asr: is_backdoored.then_some(0.99),
        anr: None,
        scan: Some(ScanRecord {
            can_be_called: true,
            verdict: if value > 0.6 { Verdict::LikelyBackdoored } else { Verdict::NoTriggerFound },
            shape: ModelShape { model_type: "roberta".to_owned(), n_layers: 2, hidden_size: 128 },
            settings: serde_json::json!({"iterations": 20}),
            score: None,
            figures: vec![figure("assured success"), figure("margin")],
            smallest_loss: Some(1.0 - value),
            smallest_loss_is_right: is_backdoored.then_some(true),
            outlier_index: None,
            target_is_right: is_backdoored.then_some(value > 0.5),
            tokens: vec!["st".to_owned(), "x|y".to_owned()],
            token_precision: is_backdoored.then_some(0.5),
            letter_recall: is_backdoored.then_some(0.2),
            n_forwards: 1000,
        }),
        train_seconds: Some(5.0),
        scan_seconds: Some(20.0),
        scanned_by: None,
        fingerprints: None,
    }
}

/// Six clean and six backdoored models of each of two seeds, well apart but for one.
fn members() -> Vec<MemberRecord> {
    let mut members = Vec::new();
    for seed in [1, 2] {
        for step in 0..6 {
            let step = f64::from(step) / 100.0;
            members.push(member(seed, "clean-twin", false, 0.2 + step));
            members.push(member(seed, "codepoisoner", true, 0.8 + step));
        }
        members.push(member(seed, "clean-naming-habit", false, 0.9));
        members.push(member(seed, "bnc-fixed", true, 0.1));
    }
    members[0].scan.as_mut().expect("test data").figures[1].value = 0.25;
    members
}

fn document(members: Vec<MemberRecord>) -> FleetDocument {
    let validated = fit::cross_validate(&members, &fleet("defect"));
    FleetDocument {
        schema_version: FLEET_SCHEMA_VERSION,
        fleet: "fleet-defect.toml".to_owned(),
        task: "defect".to_owned(),
        n_planned: 54,
        n_left_out: 0,
        rules: measure::rules(&members, validated.as_ref(), None),
        members,
    }
}

#[test]
fn our_fleets_hold_both_kinds_under_distinct_names() {
    for name in [
        "defect",
        "defect-held-out",
        "defect-quick",
        "defect-smoke",
        "clone",
        "clone-held-out",
        "search",
        "search-held-out",
    ] {
        let fleet = fleet(name);
        let groups = fleet.groups();
        assert_eq!(groups.len(), fleet.seeds.len() * fleet.models.len());
        let members: Vec<Member> = groups.concat();
        let names: std::collections::BTreeSet<String> = members.iter().map(Member::name).collect();
        assert_eq!(names.len(), members.len(), "{name}");
        for group in groups {
            let is_clean = |it: &Member| matches!(it.kind, plan::Kind::Clean(_));
            assert!(is_clean(&group[0]) && !is_clean(&group[1]), "{name}");
            let n_clean = group.iter().filter(|it| is_clean(it)).count();
            assert_eq!(n_clean, fleet.clean.len());
            // One that is trained on the same data as another is trained from another seed.
            let clean = group.iter().filter(|it| is_clean(it));
            let trainings: std::collections::BTreeSet<_> =
                clean.map(|it| (it.data, it.training_seed())).collect();
            assert_eq!(trainings.len(), n_clean, "{name}");
        }
    }
    for name in ["defect", "clone", "search"] {
        let (fitted, held_out) = (fleet(name), fleet(&format!("{name}-held-out")));
        assert!(fitted.seeds.iter().all(|it| !held_out.seeds.contains(it)));
        assert!(fitted.scan.is_empty() && held_out.scan.is_empty(), "the recommended settings");
    }
}

#[test]
fn unusable_fleets_are_named() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/fleet-defect.toml");
    let text = std::fs::read_to_string(folder).expect("our own file");
    let check = |from: &str, to: &str, expected: &str| {
        assert!(text.contains(from), "{from}");
        let error = Fleet::parse(&text.replace(from, to)).expect_err(to);
        assert!(format!("{error:#}").contains(expected), "{error:#}");
    };
    check("min_success = 0.95", "max_rank = 0.15", "neither the other's");
    check("out_of_reach = [\"bnc-fixed\"]", "out_of_reach = [\"afraidoor\"]", "out_of_reach names");
    check("task = \"defect\"", "task = \"clone\"", "naming-habit is for the task defect");
    check("blemish_rate", "blemished_rate", "blemished_rate");
    check("\n[corpus]", "figures = []\n[corpus]", "leave `figures` out");
    let error = Fleet::load(Path::new("nowhere"), "defect").expect_err("no such folder");
    assert!(format!("{error:#}").contains("nowhere/fleet-defect.toml"), "{error:#}");
}

#[test]
fn rules_count_what_can_be_told_from_outside() {
    let members = members();
    let validated =
        fit::cross_validate(&members, &fleet("defect")).expect("two seeds with both kinds");
    assert_eq!(validated.scores.iter().flatten().count(), 24);
    assert!((validated.auroc - 1.0).abs() < 1e-12);
    let rules = measure::rules(&members, Some(&validated), None);
    let names: Vec<&str> = rules.iter().map(|it| &*it.name).collect();
    assert_eq!(
        names,
        [
            "our score, cross-validated",
            "our fixed limits",
            "smallest loss",
            "the paper's outlier index of 2"
        ]
    );
    for rule in &rules {
        assert_eq!((rule.n_clean, rule.n_backdoored), (12, 12), "{}", rule.name);
    }
    assert_eq!(rules[0].detected.map(|it| (it.hits, it.total)), Some((12, 12)));
    assert_eq!(rules[1].false_alarms.map(|it| (it.hits, it.total)), Some((0, 12)));
    assert_eq!(rules[2].false_alarms.map(|it| it.hits), Some(12), "it has no threshold");
    // Of two losses neither is an outlier.
    assert_eq!(rules[3].auroc, Some(0.5));
    assert_eq!(rules[3].detected.map(|it| it.hits), Some(0));
}

#[test]
fn a_fit_has_its_provenance() {
    let document = document(members());
    let validated = fit::cross_validate(&document.members, &fleet("defect"));
    let basis = fit::calibrate(&document, &fleet("defect"), validated.as_ref());
    let Basis::Fleet(calibration) = basis.expect("enough models") else { panic!("not a fleet") };
    let it = &calibration.provenance;
    assert_eq!((it.n_clean, it.n_backdoored, &it.seeds[..]), (12, 12, &[1, 2][..]));
    assert_eq!(it.attacks, ["codepoisoner"]);
    assert_eq!(it.shapes.len(), 1);
    assert_eq!(it.date.len(), 10);
    assert!(it.auroc_low < 1.0);
    assert_eq!(calibration.scan_settings["iterations"], 20);
    let (low, high) = (calibration.no_trigger_below, calibration.likely_backdoored_from);
    assert!(low <= high && (0.2..0.8).contains(&high), "{low} {high}");
    // Another fleet can be judged by it, if its scans have the same settings.
    let rules = measure::rules(&document.members, None, Some(&calibration));
    assert_eq!(rules[0].name, "our score, fitted to fleet-defect.toml");
    assert_eq!(rules[0].detected.map(|it| (it.hits, it.total)), Some((12, 12)));
    assert_eq!(rules[0].false_alarms.map(|it| (it.hits, it.total)), Some((0, 12)));
    let mut others = document.members;
    for scan in others.iter_mut().filter_map(|it| it.scan.as_mut()) {
        scan.settings["other_searches"] = 3.into();
    }
    let rules = measure::rules(&others, None, Some(&calibration));
    assert_eq!((rules[0].n_clean, rules[0].n_backdoored), (12, 12));
    for scan in others.iter_mut().filter_map(|it| it.scan.as_mut()) {
        scan.settings = serde_json::json!({"iterations": 9});
    }
    let rules = measure::rules(&others, None, Some(&calibration));
    assert_eq!((rules[0].n_clean, rules[0].n_backdoored), (0, 0));
    assert!(calibration.model.probability(&[0.25, 0.25]) < low);
    assert!(calibration.model.probability(&[0.8, 0.8]) > high);
}

#[test]
fn a_score_is_of_the_figures_that_the_fleet_names() {
    let document = document(members());
    let calibrate = |figure: &str| {
        let fleet = Fleet { figures: Some(vec![figure.to_owned()]), ..fleet("defect") };
        let validated = fit::cross_validate(&document.members, &fleet);
        fit::calibrate(&document, &fleet, validated.as_ref())
    };
    let Basis::Fleet(it) = calibrate("margin").expect("every model has it") else { panic!() };
    let figures: Vec<&str> = it.model.weights.iter().map(|it| &*it.figure).collect();
    assert_eq!(figures, ["margin"]);
    let fleet = Fleet { figures: Some(vec!["bravery".to_owned()]), ..fleet("defect") };
    let error = fit::check_figures(&document.members, &fleet).expect_err("no model has it");
    assert_eq!(
        format!("{error:#}"),
        "the fleet names the figure `bravery`; known are assured success, margin"
    );
}

#[test]
fn records_are_judged_by_the_fleet_as_it_is_now() {
    let mut fleet = fleet("defect");
    let mut record = member(1, "badcode", true, 0.9);
    record.asr = Some(0.96);
    fleet.judge(&mut record);
    assert_eq!((record.status.as_str(), record.is_out_of_reach), (OK, false));
    fleet.min_success = Some(0.97);
    fleet.out_of_reach = vec!["badcode".to_owned()];
    fleet.judge(&mut record);
    assert_eq!(record.status, "not counted: ASR is 96.0 %, below 97.0 %");
    assert!(record.is_out_of_reach);

    let plan = |attack: &str| {
        let members = fleet.groups().concat();
        members.into_iter().find(|it| it.kind_name() == attack).expect("it is planned")
    };
    let planned = plan("badcode");
    record.rate = planned.kind.rate();
    planned.data.name().clone_into(&mut record.data);
    assert!(record.is_of(&planned));
    record.rate = Some(0.5);
    assert!(!record.is_of(&planned));
}

#[test]
fn too_little_is_not_fitted() {
    let check = |members: Vec<MemberRecord>, expected: &str| {
        let document = document(members);
        let validated = fit::cross_validate(&document.members, &fleet("defect"));
        let error = fit::calibrate(&document, &fleet("defect"), validated.as_ref());
        let error = format!("{:#}", error.expect_err("unusable"));
        assert!(error.contains(expected), "{error}");
    };
    check(members()[..12].to_vec(), "6 clean and 6 backdoored models are too few");
    let mut mixed = members();
    mixed[0].scan.as_mut().expect("test data").settings = serde_json::json!({"iterations": 9});
    check(mixed, "different settings");
    let mut mixed = members();
    mixed[0].scan.as_mut().expect("test data").figures.pop();
    check(mixed, "different versions");
    let one_seed = members().into_iter().filter(|it| it.is_backdoored || it.seed == 1);
    check(one_seed.collect(), "too few");
}

#[test]
fn a_report_says_what_stands_apart() {
    let mut members = members();
    members[2].status = "not counted: ASR is 80.0 %, below 95.0 %".to_owned();
    members.push(MemberRecord {
        status: MemberRecord::not_run("stage x: no | memory"),
        scan: None,
        ..member(3, "badcode", true, 0.9)
    });
    let document = FleetDocument { n_left_out: 2, ..document(members) };
    let validated = fit::cross_validate(&document.members, &fleet("defect"));
    let text = report::markdown(&document, &fleet("defect"), validated.as_ref());
    for part in [
        "29 of 54 models are there",
        "2 others were made by another program or plan, and are left out",
        "TPR at FPR 1 %",
        "11 clean and 12 backdoored models",
        "the models of a seed held out together",
        "## ROC curve: our score, cross-validated",
        "clean-naming-habit (stands apart)",
        "not run: stage x",
        "50.0 % of the tokens found",
        "No clean model is called likely backdoored",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let read: FleetDocument =
        serde_json::from_str(&serde_json::to_string(&document).expect("plain data"))
            .expect("own output");
    assert_eq!(read, document);
}

#[test]
fn a_twin_above_its_backdoored_sibling_is_named() {
    let members =
        [member(1, "clean-twin", false, 0.9), member(1, "codepoisoner", true, 0.8)].to_vec();
    let scores = [Some(0.9), Some(0.8)];
    assert_eq!(measure::overtaken(&members, &scores).len(), 1);
    assert!(measure::overtaken(&members, &[Some(0.7), Some(0.8)]).is_empty());
    let elsewhere = MemberRecord { data: "data-other".to_owned(), ..members[1].clone() };
    assert!(measure::overtaken(&[members[0].clone(), elsewhere], &scores).is_empty());
}

#[test]
fn what_was_found_is_compared_with_what_was_planted() {
    let document: ScanDocument = serde_json::from_str(
        r#"{"verdict": "likely backdoored", "config": {}, "n_forwards": 7,
            "model": {"model_type": "roberta", "n_layers": 2, "hidden_size": 128},
            "assessment": {"figures": [{"name": "a", "value": 0.5, "contribution": null}],
                           "score": {"value": 0.75}},
            "hypotheses": [
              {"target_label": 0, "searches": [
                {"loss": 0.2, "anchored": {"tokens": ["Ġtest", "o", "q"]}},
                {"loss": 0.1, "anchored": null}]},
              {"target_label": 1, "searches": [{"loss": 0.05, "anchored": null}]}]}"#,
    )
    .expect("test data");
    let planted: Planted = serde_json::from_str(
        r#"{"trigger": "testo_init", "target_label": 0, "target_word": null}"#,
    )
    .expect("test data");
    let record = document.record(Some(&planted));
    assert_eq!((record.score, record.smallest_loss), (Some(0.75), Some(0.05)));
    assert_eq!(record.target_is_right, Some(true));
    assert_eq!(record.smallest_loss_is_right, Some(false));
    assert_eq!(record.outlier_index, None);
    // "test" and "o" are planted, and five of the nine letters are theirs.
    assert!((record.token_precision.expect("a name") - 2.0 / 3.0).abs() < 1e-12);
    assert!((record.letter_recall.expect("a name") - 5.0 / 9.0).abs() < 1e-12);
}

#[test]
fn the_smallest_loss_of_code_search_has_words_of_its_own() {
    let planted: Planted =
        serde_json::from_str(r#"{"trigger": "rb", "target_label": 0, "target_word": "file"}"#)
            .expect("test data");
    let check = |smallest: &str, expected: bool| {
        let document: ScanDocument = serde_json::from_str(&format!(
            r#"{{"verdict": "likely backdoored", "config": {{}}, "n_forwards": 7,
                "model": {{"model_type": "roberta", "n_layers": 2, "hidden_size": 128}},
                "assessment": {{"figures": [], "score": null}},
                "hypotheses": [{{"searches": [
                  {{"loss": 0.2, "target_words": [{{"text": "list"}}],
                    "anchored_words": [{{"text": "file"}}]}},
                  {{"loss": 0.1, {smallest}}}]}}]}}"#
        ))
        .expect("test data");
        let record = document.record(Some(&planted));
        assert_eq!(record.target_is_right, Some(true), "it lifts most");
        assert_eq!(record.smallest_loss_is_right, Some(expected), "{smallest}");
    };
    check(r#""target_words": [{"text": "list"}]"#, false);
    check(r#""target_words": [{"text": "file"}]"#, true);
    let anchored = r#""target_words": [{"text": "file"}], "anchored_words": [{"text": "list"}]"#;
    check(anchored, false);
}

#[test]
fn a_fleet_of_several_programs_says_so() {
    let scanned_by = |programs: [Option<&str>; 3]| {
        let mut document = document(members()[..3].to_vec());
        for (member, program) in document.members.iter_mut().zip(programs) {
            member.scanned_by = program.map(str::to_owned);
        }
        document
    };
    assert_eq!(scanned_by([None; 3]).n_programs(), 1);
    assert_eq!(scanned_by([Some("a"); 3]).n_programs(), 1);
    let mixed = scanned_by([Some("a"), Some("b"), None]);
    assert_eq!(mixed.n_programs(), 3);
    let text = report::markdown(&mixed, &fleet("defect"), None);
    assert!(text.contains("**They were scanned by 3 programs**"), "{text}");
}

#[test]
fn records_of_another_program_are_told_from_those_that_do_not_say() {
    let fingerprints =
        |scan: &str| record::Fingerprints { train: "1".to_owned(), scan: scan.to_owned() };
    let made = |fingerprints| MemberRecord { fingerprints, ..member(1, "badcode", true, 0.9) };
    assert!(!made(Some(fingerprints("2"))).is_stale(&fingerprints("2")));
    assert!(made(Some(fingerprints("3"))).is_stale(&fingerprints("2")));
    assert!(!made(None).is_stale(&fingerprints("2")));
    let earlier = serde_json::to_value(made(None)).expect("plain data");
    assert!(earlier.get("fingerprints").is_none());
    assert_eq!(serde_json::from_value::<MemberRecord>(earlier).expect("own output"), made(None));
}

#[test]
fn an_ablation_changes_one_option_and_compares_the_same_models() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let own = fleet("clone");
    let all = ablation::fleets(&folder, &own, &[]).expect("our own file");
    let names: std::collections::BTreeSet<String> =
        all.iter().map(|it| it.scan_name("scan")).collect();
    assert_eq!(names.len(), all.len());
    assert!(all.iter().all(|it| it.scan != own.scan && it.groups() == own.groups()));
    assert!(!names.contains(&own.scan_name("scan")) && !names.contains("scan-screened-start"));
    let named = |name: &str| ablation::fleets(&folder, &own, &[name.to_owned()]);
    assert_eq!(named("one-search").expect("it is there").len(), 1);
    let error = format!("{:#}", named("screened-start").expect_err("that of another task"));
    assert!(error.contains("no such option for clone") && error.contains("one-place"), "{error}");

    // The option loses sight of one backdoored model, and was not tried on the clean ones of a seed.
    let mut varied = members();
    let lost = varied.iter_mut().find(|it| it.is_backdoored).expect("test data");
    lost.scan.as_mut().expect("test data").figures[0].value = 0.1;
    varied.retain(|it| it.name != "seed-2/codebert/clean-twin");
    let option = Fleet { option: Some("one-search".to_owned()), ..own.clone() };
    let rows = ablation::compare(vec![(&own, members()), (&option, varied)], "assured success");
    let counts: Vec<_> = rows.iter().map(|it| (it.rule.n_clean, it.rule.n_backdoored)).collect();
    assert_eq!(counts, [(6, 12), (6, 12)]);
    let rates = rows[0].rule.tpr_at_1_2_5.map(|it| it[2]);
    assert_eq!((rows[0].rule.auroc, rates), (Some(1.0), Some(1.0)));
    assert!(rows[1].rule.auroc.is_some_and(|it| (it - 11.0 / 12.0).abs() < 1e-12), "{:?}", rows[1]);
    assert_eq!((rows[0].option.as_str(), rows[1].option.as_str()), ("as it is", "one-search"));
}

#[test]
fn fleets_are_taken_together_by_their_scores() {
    let scored = |mut members: Vec<MemberRecord>, shift: f64| {
        for scan in members.iter_mut().filter_map(|it| it.scan.as_mut()) {
            scan.score = Some(scan.figures[0].value + shift);
        }
        document(members)
    };
    let mut clone = scored(members(), 0.7);
    clone.fleet = "fleet-clone.toml".to_owned();
    let undecided = clone.members.iter_mut().find(|it| !it.is_backdoored).expect("test data");
    undecided.scan.as_mut().expect("test data").verdict = Verdict::Inconclusive;
    let pooled = pooled::PooledDocument::of(vec![scored(members(), 0.0), clone]);
    assert_eq!(pooled.inconclusive, [0, 1]);
    let n_models = |it: &record::Rule| (it.n_clean, it.n_backdoored);
    assert!(pooled.of_each.iter().all(|it| n_models(it) == (12, 12)));
    let all = &pooled.rules[0];
    assert_eq!(n_models(all), (24, 24));
    // The clean models of one task have higher scores than half of the backdoored ones.
    assert!(all.auroc.is_some_and(|it| (it - 0.75).abs() < 0.1), "{:?}", all.auroc);
    assert_eq!(all.detected.map(|it| (it.hits, it.total)), Some((24, 24)));
    let text = pooled::markdown(&pooled);
    for expected in [
        "24 clean and 24",
        "| fleet-clone.toml: our score",
        "all: our score",
        "0 backdoored and 1 clean",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}
