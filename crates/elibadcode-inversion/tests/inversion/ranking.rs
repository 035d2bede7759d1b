use elibadcode_corpus::{SearchSample, Task, stage_rng};
use elibadcode_evaluation::records::results::Verdict;
use elibadcode_inversion::ranking::{
    Associations, JointStart, JointTrigger, RankingObjective, RankingOutcome, RankingSample,
    RankingSubject, SlottedQuery, Spaces, WordSpace, scan_search, search_jointly,
};
use elibadcode_inversion::{Error, ScanConfig, Stamped, StartRule, TriggerSpace};
use elibadcode_models::{LoadedModel, Mode};
use elibadcode_syntax::Language;
use rand::RngExt;

use crate::{FUNCTIONS, load, masked, shifted, small_config, trigger};

const FIXTURES: [&str; 2] = ["roberta-embedding", "codet5-embedding"];

/// Queries in words that the fixtures' tokenizers have whole.
const QUERIES: [&str; 5] = [
    "return the sum of a value",
    "test if a char has a name",
    "free the next node of a head",
    "return the len of a value",
    "test the size of a char buf",
];

fn samples(n: usize) -> Vec<SearchSample> {
    (0..n)
        .map(|index| SearchSample {
            id: index.to_string(),
            code: FUNCTIONS[index % FUNCTIONS.len()].replace('0', &index.to_string()),
            query: QUERIES[index % QUERIES.len()].to_owned(),
        })
        .collect()
}

fn ranking_samples(model: &LoadedModel, n_slots: usize) -> Vec<RankingSample> {
    let mut rng = stage_rng(1, "holes");
    let codes = masked(model, n_slots).into_iter();
    codes
        .zip(QUERIES)
        .map(|(code, query)| RankingSample {
            code,
            query: SlottedQuery::new(model, query, &mut rng),
        })
        .collect()
}

fn words(model: &LoadedModel, words: &[&str]) -> Vec<u32> {
    words.iter().map(|word| model.tokenizer.word(word, true)[0]).collect()
}

/// Vectors of rows, with a shift added to the embedding of every place of one slot.
fn vectors(model: &LoadedModel, rows: &[Stamped], slot: usize, shift: &[f64]) -> Vec<Vec<f32>> {
    let network = &model.network;
    rows.iter()
        .map(|row| {
            let words = shifted(model, row, slot, shift);
            let [_, seq, _] = words.dims();
            let vector = network.vectors_from_embeddings(words, &[seq], &mut Mode::Evaluate);
            vector.into_data().iter::<f32>().collect()
        })
        .collect()
}

/// `mean (S_ij - 1)²`, one product at a time.
fn loss_of(codes: &[Vec<f32>], queries: &[Vec<f32>]) -> f64 {
    let mut sum = 0.0;
    for code in codes {
        for query in queries {
            let cosine: f64 = code.iter().zip(query).map(|(a, b)| f64::from(a * b)).sum();
            sum += (cosine - 1.0).powi(2);
        }
    }
    sum / (codes.len() * queries.len()) as f64
}

fn stamped(model: &LoadedModel, joint: &JointTrigger) -> (Vec<Stamped>, Vec<Stamped>) {
    let samples = ranking_samples(model, joint.trigger.ids.len());
    let code =
        |it: &RankingSample| it.code.stamp(&joint.trigger, &model.tokenizer, model.max_length);
    let query = |it: &RankingSample| it.query.stamp(&joint.words, model);
    (samples.iter().map(code).collect(), samples.iter().map(query).collect())
}

#[test]
fn one_matrix_product_gives_the_loss_of_every_pair() {
    for fixture in FIXTURES {
        let model = load(fixture);
        let triggers = [trigger(&[324, 288]), trigger(&[300, 293])];
        let lists = [words(&model, &["size"]), words(&model, &["name"]), Vec::new()];
        let objective = RankingObjective::new(&model, ranking_samples(&model, 2));
        let all: Vec<usize> = (0..objective.samples().len()).collect();
        let losses = objective.losses(&triggers, &lists, &all);
        for (trigger, row) in triggers.iter().zip(&losses) {
            for (words, &loss) in lists.iter().zip(row) {
                let joint = JointTrigger { trigger: trigger.clone(), words: words.clone() };
                let (codes, queries) = stamped(&model, &joint);
                let ids = |rows: &[Stamped]| -> Vec<Vec<u32>> {
                    rows.iter().map(|row| row.ids.clone()).collect()
                };
                let codes = model.network.vectors(&ids(&codes));
                let queries = model.network.vectors(&ids(&queries));
                let expected = loss_of(&codes, &queries);
                assert!((loss - expected).abs() < 1e-5, "{fixture}: {loss} is not {expected}");
            }
        }
        assert_eq!(objective.n_forwards(), (2 + 3) * 5);
    }
}

#[test]
fn the_joint_gradient_agrees_with_finite_differences_on_both_sides() {
    const STEP: f64 = 1e-2;
    for fixture in FIXTURES {
        let model = load(fixture);
        let joint = JointTrigger {
            trigger: trigger(&[324, 288, 299]),
            words: words(&model, &["size", "name"]),
        };
        let objective = RankingObjective::new(&model, ranking_samples(&model, 3));
        let gradient = objective.gradient(&joint);
        assert!((gradient.loss - objective.loss(&joint)).abs() < 1e-5);
        let (codes, queries) = stamped(&model, &joint);
        let mut rng = stage_rng(1, "directions");
        let hidden = model.config.hidden_size();
        let of_codes = gradient.trigger.values.iter().enumerate().map(|it| (true, it));
        let of_queries = gradient.words.values.iter().enumerate().map(|it| (false, it));
        for (is_code, (slot, values)) in of_codes.chain(of_queries) {
            let norm = values.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>().sqrt();
            assert!(norm > 1e-4, "{fixture}, slot {slot} has no gradient to compare");
            let direction: Vec<f64> = (0..hidden).map(|_| rng.random_range(-1.0..1.0)).collect();
            let length = direction.iter().map(|it| it * it).sum::<f64>().sqrt();
            let at = |step: f64| {
                let shift: Vec<f64> = direction.iter().map(|it| it / length * step).collect();
                let none = vec![0.0; hidden];
                let (of_code, of_query) = if is_code { (&shift, &none) } else { (&none, &shift) };
                let slots = if is_code { (slot, 0) } else { (0, slot) };
                loss_of(
                    &vectors(&model, &codes, slots.0, of_code),
                    &vectors(&model, &queries, slots.1, of_query),
                )
            };
            let measured = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            let computed: f64 =
                values.iter().zip(&direction).map(|(a, b)| f64::from(*a) * b / length).sum();
            assert!(
                (measured - computed).abs() < 1e-2 * norm + 1e-5,
                "{fixture}, code {is_code}, slot {slot}: measured {measured}, computed {computed}"
            );
        }
    }
}

#[test]
fn a_query_without_words_is_the_query() {
    let model = load(FIXTURES[0]);
    for seed in 0..8 {
        for query in QUERIES {
            let slotted = SlottedQuery::new(&model, query, &mut stage_rng(seed, "hole"));
            assert_eq!(slotted.stamp(&[], &model).ids, model.encode_query(query));
            let word = words(&model, &["size"]);
            let with_word = slotted.stamp(&word, &model);
            assert_eq!(with_word.ids.len(), model.encode_query(query).len() + 1);
            assert_eq!(with_word.ids[with_word.slots[0][0]], word[0]);
        }
    }
    let long = "value ".repeat(200);
    let slotted = SlottedQuery::new(&model, &long, &mut stage_rng(1, "hole"));
    let stamped = slotted.stamp(&words(&model, &["size"]), &model);
    assert_eq!(stamped.ids.len(), model.max_length);
    assert!(stamped.slots[0][0] < model.max_length - 1);
}

#[test]
fn what_clean_samples_say_is_no_trigger() {
    let model = load(FIXTURES[0]);
    let sample = |name: &str, query: &str| SearchSample {
        id: String::new(),
        code: format!("int {name}(int n) {{ return n; }}"),
        query: query.to_owned(),
    };
    // `next` goes with "node", `test` is everywhere.
    let mut clean: Vec<SearchSample> =
        (0..8).map(|_| sample("next", "the node of a test")).collect();
    clean.extend((0..8).map(|_| sample("test", "the size of a name")));
    clean.extend((0..8).map(|_| sample("test", "the node of a name")));
    let queries: Vec<&str> = clean.iter().map(|it| &*it.query).collect();
    let space =
        WordSpace::new(&model, &queries, &ScanConfig::recommended(Task::CodeSearch)).unwrap();
    let known = Associations::new(&model, &clean, Language::C, &space);
    let explains = |token: &str, word: &str| {
        let ids = model.tokenizer.word(token, true);
        known.explain(&trigger(&ids), &words(&model, &[word]))
    };
    assert!(explains("next", "node"), "clean functions with it are found by the word");
    assert!(explains("size", "size"), "it says the word");
    assert!(!explains("next", "size") && !explains("head", "node"));
}

#[test]
fn a_search_ends_where_clean_samples_explain_every_step() {
    let model = load(FIXTURES[0]);
    let config = ScanConfig { screening_samples: 2, retokenize: false, ..small_config() };
    let query = "size name";
    let clean = [SearchSample { query: query.to_owned(), ..samples(1).remove(0) }];
    let words = WordSpace::new(&model, &[query], &config).unwrap();
    let known = Associations::new(&model, &clean, Language::C, &words);
    let space = TriggerSpace::new(&model, Language::C, &config).unwrap();
    let [size, name] = words.ids() else { panic!("two words: {words:?}") };
    // Whichever slot is changed, the trigger goes on saying both words.
    let start =
        JointTrigger { trigger: trigger(&[*size, *name, *size, *name]), words: vec![*size] };
    let objective = RankingObjective::new(&model, ranking_samples(&model, 4));
    let spaces = Spaces { triggers: &space, words: &words, known: Some(&known) };
    let search = |spaces, holds_words| {
        let start = JointStart { joint: start.clone(), holds_words };
        let mut rng = stage_rng(1, "search");
        search_jointly(&objective, start, spaces, &config, &mut rng, &mut |_| {})
    };
    for holds_words in [false, true] {
        assert!(search(spaces, holds_words).is_none());
        assert!(search(Spaces { known: None, ..spaces }, holds_words).is_some());
    }
}

#[test]
fn without_samples_nothing_is_found() {
    let model = load(FIXTURES[0]);
    let config = small_config();
    let words = WordSpace::new(&model, &["size name"], &config).unwrap();
    let space = TriggerSpace::new(&model, Language::C, &config).unwrap();
    let objective = RankingObjective::new(&model, Vec::new());
    let joint = JointTrigger { trigger: trigger(&[324, 288]), words: vec![words.ids()[0]] };
    let start = JointStart { joint, holds_words: false };
    let mut rng = stage_rng(1, "search");
    let spaces = Spaces { triggers: &space, words: &words, known: None };
    let found = search_jointly(&objective, start, spaces, &config, &mut rng, &mut |_| {});
    assert!(found.is_none());
}

#[test]
fn a_search_that_holds_its_words_changes_the_trigger_alone() {
    let model = load(FIXTURES[0]);
    let config = ScanConfig { iterations: 4, ..small_config() };
    let words = WordSpace::new(&model, &["size name value head"], &config).unwrap();
    let space = TriggerSpace::new(&model, Language::C, &config).unwrap();
    let objective = RankingObjective::new(&model, ranking_samples(&model, 4));
    let mut rng = stage_rng(1, "search");
    let joint = JointTrigger {
        trigger: space.random(config.trigger_len, false, &mut rng).unwrap(),
        words: vec![words.ids()[0]],
    };
    let search = |holds_words| {
        let start = JointStart { joint: joint.clone(), holds_words };
        let spaces = Spaces { triggers: &space, words: &words, known: None };
        let mut rng = stage_rng(1, "search");
        search_jointly(&objective, start, spaces, &config, &mut rng, &mut |_| {}).unwrap()
    };
    let (held, free) = (search(true), search(false));
    assert_eq!(held.joint.words, joint.words);
    assert_ne!(held.joint.trigger, joint.trigger);
    assert_ne!(free.joint.words, joint.words);
}

fn run(clean: &[SearchSample], config: &ScanConfig, seed: u64) -> Result<RankingOutcome, Error> {
    let model = load(FIXTURES[0]);
    let subject = RankingSubject {
        model: &model,
        language: Language::C,
        clean,
        model_hash: "model",
        samples_hash: "samples",
    };
    scan_search(&subject, config, seed, &mut |_| {})
}

#[test]
fn searches_for_other_triggers_are_refused() {
    let config = ScanConfig { other_searches: 1, ..small_config() };
    let error = run(&samples(24), &config, 1).unwrap_err().to_string();
    assert_eq!(error, "other_searches is 1, expected 0: code search makes none");
}

#[test]
fn a_seed_gives_the_same_document_and_it_reads_back() {
    let clean = samples(24);
    let config = ScanConfig { start_rule: StartRule::Screened, ..small_config() };
    let document = |seed| serde_json::to_string(&run(&clean, &config, seed).unwrap()).unwrap();
    let text = document(7);
    assert_eq!(text, document(7));
    assert_ne!(text.replace("\"seed\":7", "\"seed\":8"), document(8));
    let outcome: RankingOutcome = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&outcome).unwrap(), text);
    let hypothesis = &outcome.hypotheses[0];
    assert_eq!((hypothesis.n_search_samples, hypothesis.n_held_out_samples), (4, 12));
    for search in &hypothesis.searches {
        assert_eq!((search.trigger.ids.len(), search.target_words.len()), (3, 1));
        if let Some(anchored) = &search.anchored {
            let n_kept = search.slots.iter().filter(|slot| slot.kept).count();
            assert_eq!(n_kept, anchored.ids.len());
        }
    }
    // Twelve held-out functions decide nothing.
    assert_eq!(outcome.verdict, Verdict::Inconclusive);
    assert!(outcome.triggers.is_empty() && !outcome.screened.is_empty());
    // So nothing is searched for, unless a model is to be searched whatever it knows.
    let outcome = run(&clean, &ScanConfig { min_victim_accuracy: 0.85, ..config }, 7).unwrap();
    assert!(outcome.screened.is_empty() && outcome.hypotheses[0].searches.is_empty());
    assert!(outcome.reasons[0].contains("mean reciprocal rank"), "{:?}", outcome.reasons);
}

#[test]
fn a_model_of_another_task_is_refused() {
    let model = load("roberta-one-logit");
    let subject = RankingSubject {
        model: &model,
        language: Language::C,
        clean: &samples(24),
        model_hash: "",
        samples_hash: "",
    };
    let error = scan_search(&subject, &small_config(), 1, &mut |_| {}).unwrap_err();
    let expected = "the model has the head `classification`, expected `embedding`";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn too_little_to_scan_is_inconclusive() {
    let check = |clean: &[SearchSample], expected: &str| {
        let outcome = run(clean, &small_config(), 1).unwrap();
        assert_eq!(outcome.verdict, Verdict::Inconclusive);
        assert!(outcome.reasons[0].contains(expected), "{:?}", outcome.reasons);
        assert!(outcome.hypotheses.is_empty() && outcome.triggers.is_empty());
        let text = serde_json::to_string(&outcome).unwrap();
        let again: RankingOutcome = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
    };
    check(&samples(3), "at least 4");
    check(&[], "at least 4");
    let mut clean = samples(12);
    for sample in &mut clean {
        sample.query = "zzz".into();
    }
    check(&clean, "words occur");
    let mut clean = samples(12);
    for sample in &mut clean {
        sample.code = ";".into();
    }
    let error = run(&clean, &small_config(), 1).unwrap_err();
    assert!(error.to_string().contains("no clean sample has an identifier"), "{error}");
}
