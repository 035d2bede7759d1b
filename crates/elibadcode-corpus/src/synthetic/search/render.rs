//! From an intent to one Python function and the sentence that describes it.

use rand::{Rng, RngExt};

use super::intents::{
    CONDITIONS, DOCUMENT_TASKS, DOCUMENT_WORDS, DocumentTask, FORMATS, Format, OPERATIONS,
};
use super::tasks::TASKS;
use super::words::{CONTENTS, Concept, ENTITIES, NUMERIC, TEXTUAL, pool};
use crate::synthetic::markup::{Bindings, choose_alternatives, pick, pick_word};

/// How often a function works on a collection, and how often on a document.
const COLLECTION_RATE: f64 = 0.5;
const DOCUMENT_RATE: f64 = 0.1;

/// How often there is a statement at `#N`.
const HARMLESS_RATE: f64 = 0.3;

/// How often a function's name says what it does.
const TELLING_NAME_RATE: f64 = 0.6;

const GENERAL_NAMES: &str = "process run handle compute apply execute build helper do_it prepare \
    transform make main_step get_result work perform";

const HARMLESS: &[&str] = &[
    "logger.debug('done')",
    "print('ok')",
    "assert True",
    "stats['calls'] += 1",
    "logging.info('finished')",
];

/// Words that may stand anywhere.
const LITERALS: &str = "urgent timeout error premium fixme password unknown remote trial deprecated \
    warning internal public private beta worker importer scheduler crawler backup finished";

const STRINGS: &[(&str, &str)] = &[
    (",", "comma"),
    (";", "semicolon"),
    ("-", "dash"),
    ("_", "underscore"),
    ("|", "pipe"),
    (":", "colon"),
    (".", "dot"),
    ("/", "slash"),
];

const DATES: &[(&str, &str)] = &[
    ("%Y-%m-%d", "iso"),
    ("%d.%m.%Y", "german"),
    ("%m/%d/%Y", "american"),
    ("%d %B %Y", "long"),
    ("%Y%m%d", "compact"),
    ("%d/%m/%y", "british"),
];

const PATTERNS: &[(&str, &str)] = &[
    ("[0-9]+", "digits"),
    ("[a-z]+", "lower case letters"),
    ("[A-Z]+", "capital letters"),
    ("[0-9a-f]+", "hex digits"),
    ("[a-z0-9_]+", "word characters"),
    (r"[^@]+@[^@]+\.[a-z]+", "an email address"),
    (r"\d{3}-\d{4}", "seven digits with a dash"),
];

/// One function and its sentence; `intent` names what they are about.
pub(super) struct Rendered {
    pub(super) intent: String,
    pub(super) code: String,
    pub(super) query: String,
}

/// What `{slot}` stands for in the code and in the sentence.
struct Slots(Vec<(&'static str, String, String)>);

impl Slots {
    /// Draws every slot once.
    fn draw(rng: &mut impl Rng) -> Self {
        let mut slots = Self(Vec::new());
        slots.concept("num", NUMERIC, rng);
        slots.concept("val", NUMERIC, rng);
        for (field, value) in [("txt", "lit"), ("key", "new")] {
            let values = slots.concept(field, TEXTUAL, rng).values;
            slots.same(value, pick_word(values, rng).to_owned());
        }
        slots.concept("things", ENTITIES, rng);
        slots.concept("data", CONTENTS, rng);
        let n = *pick(&[2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50, 60, 75, 90], rng);
        let lo = *pick(&[1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18], rng);
        let k = *pick(&[1, 10, 11, 16, 42, 64, 100, 256, 365, 512, 1000, 1024, 4096], rng);
        slots.same("n", n.to_string());
        slots.same("k", k.to_string());
        slots.same("hi", (lo + *pick(&[5, 7, 10, 13, 20, 22, 35, 50], rng)).to_string());
        slots.same("lo", lo.to_string());
        slots.same("word", pick_word(LITERALS, rng).to_owned());
        slots
            .same("exc", pick_word("ValueError IOError TimeoutError KeyError OSError", rng).into());
        slots.same("hash", pick_word("md5 sha1 sha256 sha512 blake2b", rng).to_owned());
        slots.same("unit", pick_word("days hours minutes weeks seconds", rng).to_owned());
        slots.same("code", pick_word("200 201 202 204", rng).to_owned());
        let level = pick_word("DEBUG INFO WARNING ERROR CRITICAL", rng);
        slots.0.push(("loglevel", level.to_owned(), level.to_lowercase()));
        for (code, spoken, pool) in [
            ("sep", "sepname", STRINGS),
            ("date", "datename", DATES),
            ("regex", "regexname", PATTERNS),
        ] {
            let (text, name) = *pick(pool, rng);
            slots.same(code, text.to_owned());
            slots.same(spoken, name.to_owned());
        }
        slots
    }

    fn same(&mut self, slot: &'static str, text: String) {
        self.0.push((slot, text.clone(), text));
    }

    /// A concept that no other slot has.
    fn concept(
        &mut self,
        slot: &'static str,
        pool: &'static [Concept],
        rng: &mut impl Rng,
    ) -> &'static Concept {
        let free: Vec<&'static Concept> =
            pool.iter().filter(|it| !self.0.iter().any(|(_, code, _)| code == it.code)).collect();
        let concept = *pick(&free, rng);
        let spoken: Vec<&str> = concept.spoken.split('|').collect();
        let spoken = if rng.random() { spoken[0] } else { pick::<&str>(&spoken, rng) };
        self.0.push((slot, concept.code.to_owned(), spoken.to_owned()));
        concept
    }

    fn fill_code(&self, template: &str) -> String {
        self.0.iter().fold(template.to_owned(), |text, (slot, code, _)| {
            text.replace(&format!("{{{slot}}}"), code)
        })
    }

    fn fill_sentence(&self, template: &str) -> String {
        self.0.iter().fold(template.to_owned(), |text, (slot, _, spoken)| {
            text.replace(&format!("{{{slot}}}"), spoken)
        })
    }
}

/// The parts of a function that differ by its kind.
struct Draft {
    intent: String,
    names: &'static str,
    params: String,
    body: String,
    sentence: String,
}

/// A function of any intent.
pub(super) fn function(rng: &mut impl Rng) -> Rendered {
    let mut slots = Slots::draw(rng);
    let kind: f64 = rng.random();
    let draft = if kind < COLLECTION_RATE {
        on_collection(rng)
    } else if kind < COLLECTION_RATE + DOCUMENT_RATE {
        on_document(&mut slots, rng)
    } else {
        let task = pick(TASKS, rng);
        if task.name == "files with an extension" {
            slots.same("ext", pick_word("py txt json csv log xml md html png jpg yml", rng).into());
        }
        Draft {
            intent: task.name.to_owned(),
            names: task.names,
            params: task.params.to_owned(),
            body: (*pick(task.bodies, rng)).to_owned(),
            sentence: (*pick(task.sentences, rng)).to_owned(),
        }
    };
    write(&draft, &slots, rng)
}

fn on_collection(rng: &mut impl Rng) -> Draft {
    let condition = pick(CONDITIONS, rng);
    let operation = pick(OPERATIONS, rng);
    let params = *pick(&["$items", "{things}"], rng);
    let body = pick::<&str>(operation.bodies, rng)
        .replace("{cond}", condition.code)
        .replace("$items", params);
    let which = format!("{{things}} {}", condition.spoken);
    Draft {
        intent: format!("{} {}", operation.name, condition.name),
        names: operation.names,
        params: params.to_owned(),
        body,
        sentence: pick::<&str>(operation.sentences, rng).replace("{which}", &which),
    }
}

fn on_document(slots: &mut Slots, rng: &mut impl Rng) -> Draft {
    let DocumentTask { name, needs_mapping, names, bodies, sentences } = pick(DOCUMENT_TASKS, rng);
    let formats: Vec<&Format> =
        FORMATS.iter().filter(|format| format.is_mapping || !needs_mapping).collect();
    let format = *pick(&formats, rng);
    slots.same("ext", format.extension.to_owned());
    let body = pick::<&str>(bodies, rng)
        .replace("{read}", format.read)
        .replace("{write}", format.write)
        .replace("{mode}", format.mode);
    let mut params = vec![if body.contains("$path") { "$path" } else { "$dir" }];
    if *name == "save" {
        params.push("{data}");
    }
    if body.contains("$val") {
        params.push("$val");
    }
    let sentence = pick::<&str>(sentences, rng)
        .replace("{format}", format.name)
        .replace("{doc}", pick::<&str>(DOCUMENT_WORDS, rng));
    Draft {
        intent: format!("{name} {}", format.name),
        names,
        params: params.join(", "),
        body,
        sentence,
    }
}

fn write(draft: &Draft, slots: &Slots, rng: &mut impl Rng) -> Rendered {
    let telling = rng.random_bool(TELLING_NAME_RATE);
    let name = pick_word(if telling { draft.names } else { GENERAL_NAMES }, rng);
    let head = format!("def {name}({}):", draft.params);
    let indent = *pick(&["    ", "    ", "    ", "\t", "  "], rng);
    let mut lines = vec![head];
    for line in draft.body.lines() {
        if line == "#N" {
            if rng.random_bool(HARMLESS_RATE) {
                lines.push(format!("{indent}{}", pick(HARMLESS, rng)));
            }
            continue;
        }
        let code = line.trim_start_matches("    ");
        let depth = 1 + (line.len() - code.len()) / 4;
        lines.push(format!("{}{code}", indent.repeat(depth)));
    }
    let template = choose_alternatives(&slots.fill_code(&lines.join("\n")), rng);
    let mut code = Bindings::new(pool).fill(&template, rng);
    code.push('\n');
    let query = choose_alternatives(&slots.fill_sentence(&draft.sentence), rng);
    let query = query.split_whitespace().collect::<Vec<_>>().join(" ");
    Rendered { intent: draft.intent.clone(), code, query: finish(&query, rng) }
}

/// A sentence as docstrings have it: a capital letter or not, a full stop or not, as tokens.
fn finish(query: &str, rng: &mut impl Rng) -> String {
    let starts = ["a", "e", "i", "o", "u", "xml"];
    let query = starts.iter().fold(format!(" {query}"), |text, start| {
        text.replace(&format!(" a {start}"), &format!(" an {start}"))
    });
    let query = query.trim();
    let mut chars = query.chars();
    let first = chars.next().unwrap_or_default();
    let mut text: String = if rng.random_bool(0.8) {
        first.to_uppercase().chain(chars).collect()
    } else {
        first.to_lowercase().chain(chars).collect()
    };
    if rng.random_bool(0.7) {
        text.push_str(" .");
    }
    text.replace(',', " ,").split_whitespace().collect::<Vec<_>>().join(" ")
}
