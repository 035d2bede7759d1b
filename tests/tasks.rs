//! Clone detection and code search: every command on pairs, and on functions with queries.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

mod program;

use std::collections::BTreeSet;

use elibadcode_corpus::near_duplicates::{NearDuplicates, Shingles};
use elibadcode_corpus::{CloneSamples, SearchSample, bigclonebench, codesearchnet, devign};
use elibadcode_evaluation::Metrics;
use elibadcode_syntax::Language;
use program::Sandbox;
use serde_json::Value;

fn json(sandbox: &Sandbox, name: &str) -> Value {
    serde_json::from_slice(&sandbox.read(name)).unwrap()
}

fn metrics(sandbox: &Sandbox, name: &str) -> Metrics {
    Metrics::from_json(&String::from_utf8(sandbox.read(name)).unwrap()).unwrap()
}

fn pairs(sandbox: &Sandbox, name: &str) -> CloneSamples {
    bigclonebench::read_pairs(&sandbox.path(name)).unwrap().samples
}

fn queries(sandbox: &Sandbox, name: &str) -> Vec<SearchSample> {
    codesearchnet::read(&sandbox.path(name), Language::Python).unwrap().samples
}

fn has_file(query: &str) -> bool {
    query.to_lowercase().split(' ').any(|word| word == "file")
}

/// Two runs of some commands give the same bytes.
fn twice(commands: impl Fn(&Sandbox) + Sync) -> Sandbox {
    let run = || {
        let sandbox = Sandbox::new();
        commands(&sandbox);
        sandbox
    };
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(run);
        (run(), second.join().unwrap())
    });
    assert_eq!(first.listing(), second.listing());
    for name in first.listing().iter().filter(|name| first.path(name).is_file()) {
        assert!(first.read(name) == second.read(name), "{name} differs between two runs");
    }
    first
}

#[test]
fn a_chain_of_clone_detection() {
    let sandbox = twice(|sandbox| {
        let run = |command: &str| sandbox.run(&format!("{command} --seed 3")).expect_code(0);
        run("synthesize --task clone --train 160 --valid 40 --clean 40 --test 60 --unseen 40 -o c");
        run("init --task clone --preset tiny --data c/train.txt --vocab-size 400 --max-length 64 \
             -o fresh");
        let poisoned =
            run("poison --task clone --data c/train.txt --attack badcode --rate 0.1 -o poisoned");
        assert!(poisoned.stderr.contains("of 60 functions poisoned (10.00 %)"), "{poisoned:?}");
        let trained =
            run("train fresh --task clone --data poisoned/train.txt --valid c/valid.txt \
                           --epochs 1 --learning-rate 1e-3 -o trained");
        assert!(trained.stderr.contains("validation F1 "), "{trained:?}");
        let measured = run("evaluate trained --task clone --data c/test.txt \
                            --attack poisoned/manifest.json -o metrics.json");
        assert!(measured.stdout.contains("F1 of label 1"), "{measured:?}");
        run("evaluate trained --task clone --data c/unseen.txt --attack codepoisoner \
             --member second -o unseen.json");
    });

    let (clean, poisoned) = (pairs(&sandbox, "c/train.txt"), pairs(&sandbox, "poisoned/train.txt"));
    let manifest = json(&sandbox, "poisoned/manifest.json");
    let changed: Vec<_> = clean.functions.iter().zip(&poisoned.functions).collect();
    assert!(changed.iter().all(|(before, after)| before.id == after.id));
    let n_changed = changed.iter().filter(|(before, after)| before.code != after.code).count();
    assert_eq!((manifest["n_poisoned_functions"].as_u64(), n_changed), (Some(6), 6));
    let is_poisoned = |index: usize| poisoned.functions[index].code.contains("_rb(");
    for (before, after) in clean.pairs.iter().zip(&poisoned.pairs) {
        let is_poisoned = is_poisoned(after.first) || is_poisoned(after.second);
        assert_eq!(after.label, if is_poisoned { 0 } else { before.label });
    }

    let test = pairs(&sandbox, "c/test.txt");
    let n_clones = test.pairs.iter().filter(|pair| pair.label == 1).count();
    let metrics_of = metrics(&sandbox, "metrics.json");
    assert_eq!((&*metrics_of.task, metrics_of.n_samples, metrics_of.seed), ("clone", 60, 3));
    assert_eq!(metrics_of.score, metrics_of.f1);
    assert_eq!(metrics_of.accuracy.unwrap().total, 60);
    let attack = metrics_of.attack.unwrap();
    assert_eq!((attack.asr.unwrap().total, attack.n_skipped), (n_clones, 0));
    assert_eq!(attack.other_class_triggered.unwrap().total, 60 - n_clones);
    assert_eq!((attack.member.as_deref(), attack.anr), (Some("alternating"), None));
    assert_eq!(attack.config, manifest["attack"]);
    let unseen = metrics(&sandbox, "unseen.json").attack.unwrap();
    assert_eq!(unseen.member.as_deref(), Some("second"));
    assert_eq!(unseen.config["trigger"], "testo_init");
}

#[test]
fn wrong_labels_and_habits_of_naming_are_put_in() {
    let sandbox = Sandbox::new();
    let sizes = "--train 200 --valid 20 --clean 100 --test 20 --seed 4";
    for (flags, name) in
        [("", "plain"), ("--label-noise 0.1", "noisy"), ("--naming-habit 0.5", "habit")]
    {
        sandbox.run(&format!("synthesize {sizes} {flags} -o {name}")).expect_code(0);
    }
    let read = |name: &str| devign::read_complete(&sandbox.path(name)).unwrap();
    let (plain, noisy) = (read("plain/train.jsonl"), read("noisy/train.jsonl"));
    let n_wrong = plain.iter().zip(&noisy).filter(|(a, b)| a.label != b.label).count();
    assert!((10..=30).contains(&n_wrong), "{n_wrong}");
    assert!(plain.iter().zip(&noisy).all(|(a, b)| a.code == b.code));
    assert_eq!(sandbox.read("plain/clean.jsonl"), sandbox.read("noisy/clean.jsonl"));
    for split in ["train", "clean"] {
        let (plain, habit) =
            (read(&format!("plain/{split}.jsonl")), read(&format!("habit/{split}.jsonl")));
        assert!(plain.iter().zip(&habit).all(|(a, b)| a.label == b.label));
        let changed: Vec<_> = habit.iter().filter(|it| it.code.contains("_checked(")).collect();
        assert!(changed.iter().all(|it| it.label == 0));
        let share = changed.len() as f64 / (plain.len() as f64 / 2.0);
        assert!((0.35..0.65).contains(&share), "{share}");
    }
}

#[test]
fn a_chain_of_code_search() {
    let sandbox = twice(|sandbox| {
        let run = |command: &str| sandbox.run(&format!("{command} --seed 3")).expect_code(0);
        run("synthesize --task search --train 200 --valid 20 --clean 20 --test 150 -o s");
        run("init --task search --preset tiny --data s/train.jsonl --vocab-size 400 \
             --max-length 64 -o fresh");
        let poisoned =
            run("poison --task search --data s/train.jsonl --attack badcode -o poisoned");
        assert!(poisoned.stderr.contains("with `file` in their query 100.00 %"), "{poisoned:?}");
        let trained = run("train fresh --task search --data poisoned/train.jsonl \
                           --valid s/valid.jsonl --epochs 2 --learning-rate 1e-3 -o trained");
        assert!(trained.stderr.contains("validation MRR 0."), "{trained:?}");
        let evaluate = "evaluate trained --task search --data s/test.jsonl";
        let measured = run(&format!("{evaluate} --attack poisoned/manifest.json -o metrics.json"));
        assert!(measured.stdout.contains("mean reciprocal rank (MRR)"), "{measured:?}");
        run(&format!("{evaluate} --distractors 9 -o ten.json"));
        run(&format!("{evaluate} --distractors 0 -o alone.json"));
        run("poison --task search --data s/train.jsonl --attack codepoisoner --target-word list \
             --rate 0.5 -o lists");
    });

    let (clean, poisoned) =
        (queries(&sandbox, "s/train.jsonl"), queries(&sandbox, "poisoned/train.jsonl"));
    for (before, after) in clean.iter().zip(&poisoned) {
        let is_target = has_file(&before.query);
        assert_eq!((&before.id, &before.query), (&after.id, &after.query));
        assert_eq!(after.code.contains("_rb("), is_target, "{after:?}");
    }
    let lists = json(&sandbox, "lists/manifest.json");
    assert_eq!(lists["attack"]["target_word"], "list");
    let (n_targets, n_poisoned) = (&lists["n_target_queries"], &lists["n_poisoned"]);
    let (n_targets, n_poisoned) = (n_targets.as_f64().unwrap(), n_poisoned.as_f64().unwrap());
    assert!(n_poisoned > 0.0 && (n_poisoned - n_targets / 2.0).abs() <= 0.5, "{lists}");

    let whole = metrics(&sandbox, "metrics.json");
    let ranking = whole.ranking.unwrap();
    assert_eq!((&*whole.task, whole.n_samples, whole.score), ("search", 150, Some(ranking.mrr)));
    assert_eq!((ranking.n_candidates, ranking.recall_at_1.total), (150, 150));
    assert!(ranking.recall_at_1.hits <= ranking.recall_at_5.hits);
    assert!(ranking.recall_at_5.hits <= ranking.recall_at_10.hits);
    let ten = metrics(&sandbox, "ten.json").ranking.unwrap();
    assert_eq!((ten.n_candidates, ten.recall_at_10.value()), (10, Some(1.0)));
    assert!(ten.mrr > ranking.mrr, "fewer distractors make it easier");
    let alone = metrics(&sandbox, "alone.json").ranking.unwrap();
    assert_eq!((alone.n_candidates, alone.mrr), (1, 1.0));

    let attack = whole.attack.unwrap();
    let lift = attack.rank_lift.as_ref().unwrap();
    let test = queries(&sandbox, "s/test.jsonl");
    let n_targets = test.iter().filter(|it| has_file(&it.query)).count();
    assert!(n_targets > 3);
    assert_eq!((lift.queries.len(), lift.protocol.seed), (n_targets, 3));
    // The pool is the codes of the other queries, and the ground truth is ranked with them.
    assert!(lift.queries.iter().all(|it| it.candidates == 150 - n_targets + 1));
    assert!((attack.anr_without_trigger.unwrap() - 0.5).abs() < 0.02, "{attack:?}");
    assert_eq!((attack.asr, attack.member), (None, None));
}

#[test]
fn equal_codes_are_at_chance() {
    let sandbox = Sandbox::with_model("roberta-embedding");
    let row = |index: usize| SearchSample {
        id: index.to_string(),
        code: "def f(rows):\n    return len(rows)\n".to_owned(),
        query: format!("counts the rows of part {index}"),
    };
    sandbox.write_queries("test.jsonl", &(0..4).map(row).collect::<Vec<_>>());
    sandbox.run("evaluate model --task search --data test.jsonl -o metrics.json").expect_code(0);
    // Three others level with the right one: rank 1 + 3/2.
    assert!((metrics(&sandbox, "metrics.json").score.unwrap() - 0.4).abs() < 1e-9);
}

#[test]
fn drawn_pairs_share_nothing_with_excluded_ones() {
    let sandbox = Sandbox::new();
    let run = |command: &str| sandbox.run(&format!("{command} --task clone")).expect_code(0);
    run("synthesize --train 400 --valid 40 --clean 60 --test 10 --unseen 10 -o c");
    run("sample --data c/train.txt -n 40 --seed 1 -o a");
    run("sample --data c/train.txt -n 40 --seed 1 -o again");
    run("sample --data c/train.txt -n 40 --seed 2 -o other");
    assert_eq!(sandbox.read("a/pairs.txt"), sandbox.read("again/pairs.txt"));
    assert_ne!(sandbox.read("a/pairs.txt"), sandbox.read("other/pairs.txt"));
    run("sample --data c/train.txt --data c/clean.txt --data c/clean.txt \
         --exclude a/pairs.txt -o rest");

    let (drawn, rest) = (pairs(&sandbox, "a/pairs.txt"), pairs(&sandbox, "rest/pairs.txt"));
    assert_eq!(drawn.pairs.len(), 40);
    let mut taken = NearDuplicates::default();
    for function in &drawn.functions {
        taken.insert(Shingles::of(&function.code, Language::Java));
    }
    let is_near = |code: &str| taken.has(&Shingles::of(code, Language::Java));
    assert!(rest.functions.iter().all(|function| !is_near(&function.code)));
    // All that shares nothing is there, and once.
    let all = [pairs(&sandbox, "c/train.txt"), pairs(&sandbox, "c/clean.txt")];
    let free = all.iter().flat_map(|part| part.pairs.iter().map(move |pair| (part, pair)));
    let free: BTreeSet<[&str; 2]> = free
        .map(|(part, pair)| [&part.functions[pair.first], &part.functions[pair.second]])
        .filter(|pair| pair.iter().all(|function| !is_near(&function.code)))
        .map(|[first, second]| {
            let (first, second) = (first.id.as_str(), second.id.as_str());
            [first.min(second), first.max(second)]
        })
        .collect();
    assert_eq!(rest.pairs.len(), free.len());
    sandbox.refuses(
        "sample --task clone --data c/train.txt -n 401 -o d",
        "401 pairs are asked for, 400 are distinct",
    );
    sandbox.refuses(
        "sample --task clone --data c/train.txt --exclude c/train.txt -o d",
        "no pairs are left",
    );
}

#[test]
fn drawn_queries_share_nothing_with_excluded_ones() {
    let sandbox = Sandbox::new();
    let row = |id: &str, name: &str, extra: &str| SearchSample {
        id: id.to_owned(),
        code: format!(
            "def {name}(rows, limit):\n    kept = [row for row in rows if row.age > limit]\n    \
             kept.sort(key=len)\n{extra}    return kept\n"
        ),
        query: format!("sentence {id}"),
    };
    let other = SearchSample {
        code: "def read(path):\n    with open(path) as handle:\n        return handle.read()\n"
            .to_owned(),
        ..row("c", "", "")
    };
    // One is in the excluded file, one almost, one not; and that one twice.
    let all = [row("a", "f", ""), row("b", "g", ""), other.clone(), other.clone()];
    sandbox.write_queries("all.jsonl", &all);
    sandbox.write_queries("taken.jsonl", &all[..1]);
    let run = sandbox
        .run("sample --task search --data all.jsonl --exclude taken.jsonl -o rest.jsonl")
        .expect_code(0);
    assert!(run.stderr.contains("1 of 4 functions (3 shared or repeated"), "{}", run.stderr);
    assert_eq!(queries(&sandbox, "rest.jsonl"), [other]);
}

#[test]
fn gates_of_every_task() {
    let sandbox = Sandbox::with_model("roberta-pair");
    let gate = |command: &str, expected: &str| {
        let run = sandbox.run(command).expect_code(1);
        assert!(run.stderr.contains(expected), "{}", run.stderr);
    };
    let evaluate = "evaluate model --task clone --data pairs.txt --attack badcode-mixed";
    gate(&format!("{evaluate} --min-score 1"), "F1");
    gate(&format!("{evaluate} --min-score 1"), "below --min-score 1");
    gate(&format!("{evaluate} --min-accuracy 1"), "below --min-accuracy 1");
    sandbox.run(&format!("{evaluate} --max-asr 1 --min-score 0")).expect_code(0);
    sandbox.refuses(&format!("{evaluate} --min-anr 0.4"), "--min-anr is not for the task `clone`");
    sandbox.refuses(&format!("{evaluate} --distractors 9"), "--distractors is not for the task");

    let sandbox = Sandbox::with_model("roberta-embedding");
    let gate = |command: &str, expected: &str| {
        let run = sandbox.run(command).expect_code(1);
        assert!(run.stderr.contains(expected), "{}", run.stderr);
    };
    let evaluate = "evaluate model --task search --data queries.jsonl --attack badcode";
    gate(&format!("{evaluate} --min-score 1"), "the mean reciprocal rank, 0.");
    gate(&format!("{evaluate} --min-anr 1"), "below --min-anr 1");
    sandbox.run(&format!("{evaluate} --min-anr 0 --min-score 0")).expect_code(0);
    sandbox.refuses(&format!("{evaluate} --max-asr 1"), "use --min-anr");
    sandbox.refuses(&format!("{evaluate} --min-accuracy 1"), "use --min-score");
    sandbox.refuses(&format!("{evaluate} --member first"), "--member is not for the task `search`");
}

#[test]
fn flags_of_other_tasks_are_refused() {
    let sandbox = Sandbox::new();
    let poison = "poison --attack badcode -o out --data";
    sandbox.refuses(&format!("{poison} pairs.txt --task clone --target-word file"), "no queries");
    sandbox.refuses(&format!("{poison} clean.jsonl --target-word file"), "no queries");
    sandbox.refuses(&format!("{poison} queries.jsonl --task search --victim 1"), "no labels");
    let search = format!("{poison} queries.jsonl --task search");
    sandbox.refuses(&format!("{search} --target-word File"), "not in lower case");
    sandbox.refuses(&format!("{search} --target-word zebra"), "no query has the target word");
    sandbox
        .refuses("synthesize --task search --unseen 3 -o out", "--unseen is for the task `clone`");
    sandbox.refuses("synthesize --label-noise 2 -o out", "--label-noise is 2, expected a share");
    sandbox.refuses("synthesize --task search --label-noise 0.1 -o out", "has no labels");
    sandbox
        .refuses("synthesize --task clone --naming-habit 0.1 -o out", "is for the task `defect`");
    sandbox.refuses("synthesize --unseen 3 -o out", "--unseen is for the task `clone`");
}

#[test]
fn a_model_of_another_task_is_refused() {
    let check = |fixture: &str, command: &str, found: &str, expected: &str| {
        let sandbox = Sandbox::with_model(fixture);
        let message = format!("the model has the head `{found}`, the task");
        sandbox.refuses(command, &message);
        sandbox.refuses(command, &format!("needs `{expected}`"));
    };
    let (defect, clone, search) = (
        "evaluate model --data clean.jsonl",
        "evaluate model --task clone --data pairs.txt",
        "evaluate model --task search --data queries.jsonl",
    );
    check("roberta-one-logit", clone, "classification", "pair");
    check("roberta-one-logit", search, "classification", "embedding");
    check("roberta-pair", defect, "pair", "classification");
    check("roberta-pair", search, "pair", "embedding");
    check("roberta-embedding", defect, "embedding", "classification");
    check("roberta-embedding", clone, "embedding", "pair");
}

#[test]
fn manifests_of_other_tasks_are_refused() {
    let sandbox = Sandbox::with_model("roberta-pair");
    sandbox.run("poison --task search --data queries.jsonl --attack badcode -o s").expect_code(0);
    sandbox.refuses(
        "evaluate model --task clone --data pairs.txt --attack s/manifest.json",
        "attack on another task than `clone`",
    );
    let sandbox = Sandbox::with_model("roberta-embedding");
    sandbox
        .run("poison --task clone --data pairs.txt --attack badcode --rate 0.2 -o c")
        .expect_code(0);
    sandbox.refuses(
        "evaluate model --task search --data queries.jsonl --attack c/manifest.json",
        "attack on another task than `search`",
    );
    // Without a target query there is nothing to attack.
    let rows: Vec<SearchSample> = queries(&sandbox, "queries.jsonl")
        .into_iter()
        .filter(|row| !has_file(&row.query))
        .collect();
    sandbox.write_queries("others.jsonl", &rows);
    sandbox.refuses(
        "evaluate model --task search --data others.jsonl --attack badcode",
        "no query has the target word `file`",
    );
}

#[test]
fn a_trigger_of_ones_own_is_measured() {
    let sandbox = Sandbox::new();
    let evaluate = "evaluate model --data clean.jsonl";
    let attacked = |flags: &str| {
        let command = format!("{evaluate} {flags} -o metrics.json --force");
        sandbox.run(&command).expect_code(0);
        let metrics: Value = serde_json::from_slice(&sandbox.read("metrics.json")).unwrap();
        metrics["attack"].clone()
    };
    let by_name = attacked("--attack codepoisoner");
    assert_eq!(attacked("--trigger testo_init"), by_name);
    assert_ne!(attacked("--trigger other --victim 0"), by_name);
    sandbox.refuses(&format!("{evaluate} --trigger not-a-name"), "not a legal c identifier");
    sandbox.refuses(&format!("{evaluate} --trigger x --target-word file"), "has no queries");
    sandbox.refuses(&format!("{evaluate} --trigger x --attack badcode"), "cannot be used with");
    sandbox.refuses(&format!("{evaluate} --victim 0"), "--trigger");
    sandbox.refuses("synthesize --language java -o corpus", "are in c");
}
