//! Functions as token ids: training repeats, and the word-by-word encoding is the tokenizer's own.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::path::Path;
use std::sync::LazyLock;

use elibadcode_corpus::synthetic::defect;
use elibadcode_corpus::{CodeTokenizer, TokenizerLayout, code_token_texts, devign};
use elibadcode_syntax::{Function, Language};
use proptest::prelude::*;

static TOKENIZER: LazyLock<CodeTokenizer> = LazyLock::new(|| train(500));

fn joined(code: &str) -> String {
    let tokens = code_token_texts(code, Language::C);
    tokens.into_iter().filter(|token| !token.is_empty()).collect::<Vec<_>>().join(" ")
}

fn train(vocab_size: usize) -> CodeTokenizer {
    let texts: Vec<String> =
        defect::generate(1, 60).iter().map(|sample| joined(&sample.code)).collect();
    CodeTokenizer::train(&texts, vocab_size).unwrap()
}

#[test]
fn training_twice_gives_the_same_file() {
    let file = |tokenizer: &CodeTokenizer| {
        let dir = tempfile::tempdir().unwrap();
        tokenizer.save(dir.path()).unwrap();
        let again = CodeTokenizer::open(dir.path()).unwrap();
        assert_eq!(again.vocabulary(), tokenizer.vocabulary());
        assert_eq!(again.special(), tokenizer.special());
        std::fs::read(dir.path().join("tokenizer.json")).unwrap()
    };
    assert!(file(&train(400)) == file(&train(400)), "tokenizer.json differs");
    assert_eq!(train(400).size(), 400);
}

#[test]
fn text_is_read_as_it_is_or_with_its_white_space_collapsed() {
    let code = "int f(int n)\n{\n\n\treturn  n;\n}\n";
    let text = |ids: &[u32]| TOKENIZER.decode(&ids[1..ids.len() - 1]);
    let source = TOKENIZER.encode_text(code, 100);
    assert_eq!((text(&source.ids).as_str(), source.truncated), (code, false));
    let collapsed = TOKENIZER.encode_whitespace(code, 100);
    assert_eq!(text(&collapsed.ids), "int f(int n) { return n; }");
    assert!(TOKENIZER.encode_text(code, 8).truncated);
}

#[test]
fn the_reach_of_a_text_is_what_its_ids_say() {
    let code = "int  f(int n)\n{\n\n\t;;;;  é = n;\n return n;\n}\n";
    let visible = |text: &str| text.split_whitespace().collect::<String>();
    for max_length in 2..=60 {
        let text = |ids: &[u32]| TOKENIZER.decode(&ids[1..ids.len() - 1]);
        let kept = text(&TOKENIZER.encode_text(code, max_length).ids);
        // Half of a letter is cut off, or taken whole.
        let reach = TOKENIZER.text_reach(code, max_length);
        let is_same = code.get(..reach).is_some_and(|it| it == kept || kept.contains('\u{fffd}'));
        assert!(is_same, "{max_length}: {kept:?}, {reach}");
        let kept = text(&TOKENIZER.encode_whitespace(code, max_length).ids);
        let reach = TOKENIZER.whitespace_reach(code, max_length);
        let read = visible(&code[..reach]);
        assert!(
            read == visible(&kept) || kept.contains('\u{fffd}'),
            "{max_length}: {kept:?}, {read}"
        );
    }
    assert_eq!(TOKENIZER.text_reach(code, 1000), code.len());
    assert_eq!(TOKENIZER.whitespace_reach(code, 1000), code.len());
}

#[test]
fn a_trained_tokenizer_has_roberta_s_special_ids() {
    let special = TOKENIZER.special();
    assert_eq!((special.bos, special.pad, special.eos, special.unk), (0, 1, 2, 3));
    assert!(TOKENIZER.special_ids().contains(&4), "<mask> is missing");
    assert_eq!(TOKENIZER.special_ids().len(), 5);
}

#[test]
fn each_layout_has_its_special_ids_when_trained_and_when_opened() {
    let check = |layout, expected| {
        let texts = [joined("int f(int n) { return n + 1; }")];
        let tokenizer = CodeTokenizer::train_layout(layout, &texts, 280).unwrap();
        let dir = tempfile::tempdir().unwrap();
        tokenizer.save(dir.path()).unwrap();
        for it in [&tokenizer, &CodeTokenizer::open(dir.path()).unwrap()] {
            let special = it.special();
            assert_eq!((special.bos, special.pad, special.eos, special.unk), expected);
        }
        tokenizer
    };
    check(TokenizerLayout::CodeBert, (0, 1, 2, 3));
    let codet5 = check(TokenizerLayout::CodeT5, (1, 0, 2, 3));
    assert!(codet5.with_encoder_only_prefix().is_err(), "CodeT5 has no such token");
    let unixcoder = check(TokenizerLayout::UniXcoder, (0, 1, 2, 3));
    let function = Function::parse("int f(int n) { return n; }", Language::C);
    let plain = unixcoder.encode(&function, 12);
    let prefixed = unixcoder.with_encoder_only_prefix().unwrap().encode(&function, 14);
    assert_eq!(prefixed.ids[..3], [0, 6, 2]);
    assert_eq!(prefixed.ids[3..], plain.ids[1..]);
    assert_eq!(prefixed.spans[0].ids.start, 3);
}

/// The published vocabularies, where `ELIBADCODE_DATA` names a folder that has them.
#[test]
fn published_vocabularies_open() {
    let Some(data) = std::env::var_os("ELIBADCODE_DATA") else { return };
    let root = Path::new(&data).join("tokenizers");
    let text = "static int buf_init ( char * name , size_t len )";
    let check = |name: &str, size: usize, ids: (u32, u32, u32, u32)| {
        let tokenizer = CodeTokenizer::open(&root.join(name)).unwrap();
        let special = tokenizer.special();
        assert_eq!((special.bos, special.pad, special.eos, special.unk), ids, "{name}");
        assert_eq!(tokenizer.size(), size, "{name}");
        assert_eq!(tokenizer.decode(&tokenizer.text_ids(text)), text, "{name}");
        tokenizer
    };
    let codebert = check("codebert", 50_265, (0, 1, 2, 3));
    check("codet5", 32_000, (1, 0, 2, 3));
    let unixcoder = check("unixcoder", 51_416, (0, 1, 2, 3));
    assert_eq!(unixcoder.with_encoder_only_prefix().unwrap().prefix(), [0, 6, 2]);
    // vocab.json and merges.txt alone say the same as tokenizer.json.
    let dir = tempfile::tempdir().unwrap();
    for file in ["vocab.json", "merges.txt"] {
        std::fs::copy(root.join("codebert").join(file), dir.path().join(file)).unwrap();
    }
    let bare = CodeTokenizer::open(dir.path()).unwrap();
    assert_eq!(bare.text_ids(text), codebert.text_ids(text));
    assert_eq!(bare.special_ids(), codebert.special_ids());
}

/// Encoding word by word gives the ids of the joined text.
#[track_caller]
fn check_word_by_word(tokenizer: &CodeTokenizer, code: &str) {
    let encoded = tokenizer.encode(&Function::parse(code, Language::C), 1 << 24);
    assert!(!encoded.truncated);
    let inner = &encoded.ids[1..encoded.ids.len() - 1];
    assert!(inner == tokenizer.text_ids(&joined(code)), "{code}");
}

#[test]
fn synthetic_functions_are_encoded_as_their_joined_text() {
    for sample in defect::generate(2, 300) {
        check_word_by_word(&TOKENIZER, &sample.code);
    }
    for code in ["", ";", "int f(void) { return '\\n'; }", "int é(void) { puts(\"a  b\\t 'x'\"); }"]
    {
        check_word_by_word(&TOKENIZER, code);
    }
}

/// Silent where the data are not mounted.
#[test]
fn devign_functions_are_encoded_as_their_joined_text() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let rows = data.join("devign/valid.jsonl");
    if !rows.exists() {
        return;
    }
    let samples = devign::read_complete(&rows).unwrap();
    for folder in ["tokenizers/codebert", "models/codebert-3mb-devign"] {
        if !data.join(folder).exists() {
            continue;
        }
        let tokenizer = CodeTokenizer::open(&data.join(folder)).unwrap();
        for sample in &samples[..200] {
            check_word_by_word(&tokenizer, &sample.code);
        }
    }
}

#[track_caller]
fn check_encoding(code: &str, max_length: usize) {
    let function = Function::parse(code, Language::C);
    let encoded = TOKENIZER.encode(&function, max_length);
    let special = TOKENIZER.special();
    assert!(encoded.ids.len() <= max_length);
    assert_eq!(encoded.ids.first(), Some(&special.bos));
    assert_eq!(encoded.ids.last(), Some(&special.eos));
    let (mut id, mut byte) = (1, 0);
    for span in &encoded.spans {
        assert_eq!(span.ids.start, id, "the spans leave ids out");
        assert!(span.ids.end >= id && span.source.start >= byte);
        assert!(span.source.end <= code.len());
        (id, byte) = (span.ids.end, span.source.end);
    }
    assert_eq!(id, encoded.ids.len() - 1);
    let whole = TOKENIZER.encode(&function, 1 << 24);
    assert!(!whole.truncated);
    assert_eq!(encoded.truncated, whole.ids.len() > max_length, "{}", whole.ids.len());
}

#[test]
fn synthetic_functions_are_cut_anywhere() {
    for sample in defect::generate(3, 4) {
        for max_length in 2..150 {
            check_encoding(&sample.code, max_length);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_text_is_encoded(code in "\\PC{0,80}", max_length in 2..60_usize) {
        check_encoding(&code, max_length);
    }

    #[test]
    fn any_pieces_of_c_are_encoded(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "int ", "f", "(", ")", "{", "}", ";", "\"", "'", "\\", "\n", "#define ", "/*", "*/",
                "//", "<s>", "<mask>", "é", "\0", "\u{feff}", "x1", " ", "return ", "=", "[", "]",
            ]),
            0..40,
        ),
        max_length in 2..60_usize,
    ) {
        check_encoding(&pieces.concat(), max_length);
    }
}
