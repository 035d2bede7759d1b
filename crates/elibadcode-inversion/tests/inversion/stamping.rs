use elibadcode_corpus::InputFormat;
use elibadcode_inversion::{MaskedSample, Occurrences, Stamped, TriggerIds, maskable};
use elibadcode_models::{LoadedModel, ReadingChanges};
use elibadcode_syntax::Language;

use crate::{FIXTURES, FUNCTIONS, function, load, load_reading, trigger};

/// Every identifier of every function as a hole.
fn all_masks(model: &LoadedModel, occurrences: Occurrences) -> Vec<(usize, MaskedSample)> {
    FUNCTIONS
        .iter()
        .flat_map(|code| {
            let function = function(model, code);
            let count = |name: &str| {
                let mut identifiers = function.identifiers().iter();
                identifiers.find(|it| it.text == name).map_or(0, |it| it.occurrences.len())
            };
            maskable(model, &function, 0, occurrences, 2)
                .into_iter()
                .map(|mask| (count(&mask.identifier), mask))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[track_caller]
fn assert_slots_hold(stamped: &Stamped, trigger: &TriggerIds) {
    assert_eq!(stamped.slots.len(), trigger.ids.len());
    for (places, id) in stamped.slots.iter().zip(&trigger.ids) {
        for &place in places {
            assert_eq!(stamped.ids[place], *id);
        }
    }
}

#[test]
fn every_occurrence_is_replaced() {
    let mut model = load(FIXTURES[0]);
    model.max_length = 1000;
    let trigger = trigger(&[324, 288]);
    let masks = all_masks(&model, Occurrences::All);
    assert!(masks.len() >= 12, "{}", masks.len());
    for (n_occurrences, mask) in masks {
        let stamped = mask.stamp(&trigger, &model.tokenizer, 1000);
        assert_slots_hold(&stamped, &trigger);
        assert_eq!(stamped.slots[0].len(), n_occurrences, "{}", mask.identifier);
        assert_eq!(stamped.slots[1].len(), n_occurrences);
        // The trigger is in the ids nowhere else.
        let pairs = stamped.ids.windows(2).filter(|pair| *pair == [324, 288]).count();
        assert_eq!(pairs, n_occurrences);
    }
}

/// A literal is one token: what stands in it is no place, and takes none from what comes after.
#[test]
fn names_in_a_literal_are_left_alone() {
    let mut model = load(FIXTURES[0]);
    model.max_length = 1000;
    let code = "def f(value):\n    log(f\"{value} {value}\")\n    value = 1\n    return value\n";
    let function = model.read(code, Language::Python);
    let masks = maskable(&model, &function, 0, Occurrences::All, 2);
    let mask = masks.iter().find(|it| it.identifier == "value").expect("it is declared");
    let stamped = mask.stamp(&trigger(&[324, 288]), &model.tokenizer, 1000);
    // The parameter, the assignment and the return.
    assert_eq!(stamped.slots[0].len(), 3);
}

#[test]
fn the_first_occurrence_alone_can_be_replaced() {
    let mut model = load(FIXTURES[0]);
    model.max_length = 1000;
    let trigger = trigger(&[324, 288]);
    for (_, mask) in all_masks(&model, Occurrences::First) {
        let stamped = mask.stamp(&trigger, &model.tokenizer, 1000);
        assert_slots_hold(&stamped, &trigger);
        assert_eq!(stamped.slots[0].len(), 1);
    }
}

#[test]
fn source_text_keeps_its_form_around_the_holes() {
    let code = "int add(int a)\n{\n    return  1 + a;\n}";
    let check = |input_format, expected: &str| {
        let changes = ReadingChanges { input_format: Some(input_format), ..Default::default() };
        let model = load_reading(FIXTURES[0], changes);
        let function = function(&model, code);
        let masks = maskable(&model, &function, 0, Occurrences::All, 1);
        let mask = masks.iter().find(|mask| mask.identifier == "a").unwrap();
        let name = model.tokenizer.word("b", true);
        let ids = mask.with_name(&name, &model.tokenizer, model.max_length);
        assert_eq!(model.tokenizer.decode(&ids[1..ids.len() - 1]), expected);
    };
    check(InputFormat::Source, "int add(int b )\n{\n    return  1 + b ;\n}");
    check(InputFormat::Whitespace, "int add(int b ) { return 1 + b ; }");
    check(InputFormat::CodeTokens, "int add ( int b ) { return 1 + b ; }");
}

#[test]
fn a_cut_sample_keeps_its_end_mark() {
    let model = load(FIXTURES[0]);
    let eos = model.tokenizer.special().eos;
    let trigger = trigger(&[324, 288, 299]);
    let mut n_cut_in_a_trigger = 0;
    for (_, mask) in all_masks(&model, Occurrences::All) {
        for max_length in 8..=model.max_length {
            let stamped = mask.stamp(&trigger, &model.tokenizer, max_length);
            assert!(stamped.ids.len() <= max_length);
            assert_eq!(stamped.ids.last(), Some(&eos));
            assert_eq!(stamped.ids.iter().filter(|id| **id == eos).count(), 1);
            assert_slots_hold(&stamped, &trigger);
            n_cut_in_a_trigger += usize::from(stamped.slots[0].len() > stamped.slots[2].len());
        }
    }
    assert!(n_cut_in_a_trigger > 0, "no cut went through a trigger");
}

#[test]
fn an_appended_trigger_comes_behind_the_name() {
    let mut model = load(FIXTURES[0]);
    model.max_length = 1000;
    let trigger = TriggerIds { ids: vec![283, 284], keeps_name: true };
    for (n_occurrences, mask) in all_masks(&model, Occurrences::All) {
        let stamped = mask.stamp(&trigger, &model.tokenizer, 1000);
        assert_slots_hold(&stamped, &trigger);
        assert_eq!(stamped.slots[0].len(), n_occurrences);
        let name = model.tokenizer.word(&mask.identifier, true);
        for &place in &stamped.slots[0] {
            assert_eq!(stamped.ids[place - name.len()..place], name[..], "{}", mask.identifier);
        }
    }
}

/// A sample with a short name in it is the encoding of the renamed function: nothing is missing at the end.
#[test]
fn what_a_shorter_name_leaves_room_for_is_read() {
    for max_length in [12, 16, 24, 40] {
        let mut model = load(FIXTURES[0]);
        model.max_length = max_length;
        for code in FUNCTIONS {
            let function = function(&model, code);
            for mask in maskable(&model, &function, 0, Occurrences::All, 1) {
                let Ok(renamed) = function.rename(&mask.identifier, "z") else { continue };
                let expected = model.tokenizer.encode(&renamed, max_length).ids;
                let name = model.tokenizer.word("z", true);
                let read = mask.with_name(&name, &model.tokenizer, max_length);
                assert_eq!(read, expected, "{} in {code}", mask.identifier);
            }
        }
    }
}

/// The ids of a name with something behind it are not always those of both.
#[test]
fn a_trigger_is_read_as_the_tokenizer_writes_it() {
    let mut model = load(FIXTURES[0]);
    model.max_length = 1000;
    let (mut n_same, mut n_others) = (0, 0);
    // `valin`, `umest`, `leval`.
    for ids in [[288, 283], [287, 309], [275, 288]] {
        let appended = TriggerIds { ids: ids.to_vec(), keeps_name: true };
        let text = model.tokenizer.decode(&ids);
        for (_, mask) in all_masks(&model, Occurrences::All) {
            let read = mask.with_trigger(&appended, &model.tokenizer, 1000);
            let written = model.tokenizer.word(&format!("{}{text}", mask.identifier), true);
            assert_eq!(read, mask.with_name(&written, &model.tokenizer, 1000));
            let is_same = read == mask.stamp(&appended, &model.tokenizer, 1000).ids;
            *(if is_same { &mut n_same } else { &mut n_others }) += 1;
        }
    }
    assert!(n_same > 0 && n_others > 0, "{n_same} and {n_others}");
}

#[test]
fn the_original_is_the_encoding_of_the_function() {
    for max_length in [16, 24, 40, 64] {
        let mut model = load(FIXTURES[0]);
        model.max_length = max_length;
        for code in FUNCTIONS {
            let function = function(&model, code);
            let expected = model.tokenizer.encode(&function, max_length).ids;
            for occurrences in [Occurrences::All, Occurrences::First] {
                for mask in maskable(&model, &function, 0, occurrences, 3) {
                    let original = mask.original(&model.tokenizer, max_length);
                    assert_eq!(original, expected, "{} in {code}", mask.identifier);
                }
            }
        }
    }
}

#[test]
fn every_mask_has_room_for_the_whole_trigger() {
    for max_length in [12, 20, 30] {
        let mut model = load(FIXTURES[0]);
        model.max_length = max_length;
        for code in FUNCTIONS {
            for mask in maskable(&model, &function(&model, code), 0, Occurrences::All, 4) {
                let trigger = trigger(&[324, 288, 299, 283]);
                let stamped = mask.stamp(&trigger, &model.tokenizer, max_length);
                assert!(stamped.slots.iter().all(|places| !places.is_empty()));
            }
        }
    }
}
