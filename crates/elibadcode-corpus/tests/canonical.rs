//! The law of canonical names on generated functions, and compilers on their canonical forms.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::io::Write;
use std::process::{Command, Stdio};

use elibadcode_corpus::stage_rng;
use elibadcode_corpus::synthetic::defect;
use elibadcode_syntax::{
    CanonicalOptions, Function, Language, NameKind, canonicalize, law_violation,
};
use proptest::prelude::*;
use rand::RngExt;

const LANGUAGES: [Language; 3] = [Language::C, Language::Java, Language::Python];

#[track_caller]
fn check_law(code: &str, language: Language, seed: u64) {
    let mut rng = stage_rng(seed, "canonical law");
    for options in [
        CanonicalOptions::all_names(),
        CanonicalOptions::function_name(),
        CanonicalOptions { strip_comments: false, ..CanonicalOptions::all_names() },
    ] {
        let mut pick = |n: usize| rng.random_range(0..n);
        let violation = law_violation(code, language, &options, 20, &mut pick);
        assert_eq!(violation, None, "{language}:\n{code}");
    }
}

fn canonical(code: &str, language: Language) -> String {
    let function = Function::parse(code, language);
    assert!(!function.has_errors(), "{code}");
    canonicalize(&function, &CanonicalOptions::all_names()).text
}

#[test]
fn the_law_holds_on_synthetic_functions() {
    for (index, sample) in defect::generate(11, 200).iter().enumerate() {
        check_law(&sample.code, Language::C, index as u64);
        let function = Function::parse(sample.code.as_str(), Language::C);
        for identifier in function.identifiers() {
            let renamed = function.rename(&identifier.text, "testo_init_rb").unwrap();
            assert_eq!(
                canonical(renamed.text(), Language::C),
                canonical(&sample.code, Language::C)
            );
        }
    }
}

/// A random function that uses few names, so that scopes shadow each other all the time.
struct Writer<'p> {
    language: Language,
    pick: &'p mut dyn FnMut(usize) -> usize,
    code: String,
}

impl Writer<'_> {
    fn name(&mut self) -> &'static str {
        ["a", "b", "v0", "f0", "x1"][(self.pick)(5)]
    }

    fn line(&mut self, depth: usize, text: &str) {
        self.code += &"    ".repeat(depth);
        self.code += text;
        self.code.push('\n');
    }

    fn block(&mut self, depth: usize) {
        for _ in 0..=(self.pick)(3) {
            self.statement(depth);
        }
    }

    fn statement(&mut self, depth: usize) {
        let [a, b, c] = [self.name(), self.name(), self.name()];
        let n = (self.pick)(8);
        let deeper = depth < 4 && (self.pick)(2) == 0;
        let (head, tail) = match (self.language, n, deeper) {
            (Language::C, 0, true) => (format!("for (int {a} = {b}; {a} < {c}; {a}++) {{"), "}"),
            (Language::C, 1 | 2, true) => ("{".to_owned(), "}"),
            (Language::C, 3, _) => (format!("typedef struct {a} {{ int {b}; }} *{c};"), ""),
            (Language::C, 4, _) => (format!("if ({a}) goto {b}; {c}: g({a});"), ""),
            (Language::C, 5, _) => (format!("enum {{ {a}, {b} = {c} }} {c};"), ""),
            (Language::C, 6, _) => (format!("#define M({a}) {a} + {b} + s->{c}"), ""),
            (Language::C, 7, _) => (format!("{a} * {b}; {c} = ({a}) + {b} * p.{b};"), ""),
            (Language::C, ..) => (format!("int {a} = {b}, *{c} = &{a};"), ""),
            (Language::Java, 0, true) => (format!("for (T {a} : {b}.{c}) {{"), "}"),
            (Language::Java, 1, true) => {
                (format!("try (R {a} = {b}) {{ g({a}); }} catch (E {c}) {{"), "}")
            }
            (Language::Java, 2, true) => (format!("g({a} -> {{ int {b} = {c};"), "});"),
            (Language::Java, 3, true) => {
                (format!("new R() {{ int {a} = {b}; private int {c}() {{ this.{a} = {b};"), "}};")
            }
            (Language::Java, 4, _) => (format!("if ({a} instanceof {b} {c}) {c}.{a}({c});"), ""),
            (Language::Java, 5, true) => {
                (format!("{a}: for (;;) {{ class {b} {{ {b}() {{ }} }} if ({c}) break {a};"), "}")
            }
            (Language::Java, 6, _) => {
                (format!("{a}({b}).{c}(this.{a}({b}), {a}::{b}, {c}.{a});"), "")
            }
            (Language::Java, ..) => (format!("int {a} = {b} + {c};"), ""),
            (Language::Python, 0, true) => (format!("def {a}({b}, *{c}, k={b}):"), ""),
            (Language::Python, 1, true) => (format!("for {a}, {b} in {c}:"), ""),
            (Language::Python, 2, _) => (format!("[{a} for {a} in {b} if {c} for {b} in {a}]"), ""),
            (Language::Python, 3, _) => {
                (format!("f'{{{a}!r:>{{{b}}}}} {c}' + g({a}={b})({b}={c})"), "")
            }
            (Language::Python, 4, true) => (format!("class {a}({b}):"), ""),
            (Language::Python, 5, _) => {
                (format!("{a} = lambda {b}, {c}={a}: {b} + {c} + {a}({b}=1)"), "")
            }
            (Language::Python, 6, true) => (format!("with {a} as ({b}, {c}.{a}):"), ""),
            (Language::Python, 7, _) => (format!("if ({a} := {b}): {c}({b}={a}, {a}={c}.{b})"), ""),
            (Language::Python, ..) => (format!("{a} = {b}.{c}[{a}]"), ""),
        };
        self.line(depth, &head);
        if !tail.is_empty() || head.ends_with(':') {
            self.block(depth + 1);
        }
        if !tail.is_empty() {
            self.line(depth, tail);
        }
    }
}

fn random_function(language: Language, pick: &mut dyn FnMut(usize) -> usize) -> String {
    let mut writer = Writer { language, pick, code: String::new() };
    let [f, a, b] = [writer.name(), "a", writer.name()];
    match language {
        Language::C => writer.line(0, &format!("int {f}(int {a}, int (*{b}1)(int {b})) {{")),
        Language::Java => writer.line(0, &format!("<{b}> int {f}({b} {a}, int... {b}1) {{")),
        Language::Python => writer.line(0, &format!("def {f}({a}, {b}1={b}):")),
    }
    writer.block(1);
    if language != Language::Python {
        writer.line(0, "}");
    }
    writer.code
}

proptest! {
    #[test]
    fn the_law_holds_however_names_are_shadowed(seed in any::<u64>(), language in 0_usize..3) {
        let language = LANGUAGES[language];
        let mut rng = stage_rng(seed, "function");
        let code = random_function(language, &mut |n| rng.random_range(0..n));
        if !Function::parse(code.as_str(), language).has_errors() {
            check_law(&code, language, seed);
        }
    }
}

#[test]
fn most_random_functions_parse() {
    for language in LANGUAGES {
        let mut rng = stage_rng(5, "function");
        let n_parsed = (0..200)
            .filter(|_| {
                let code = random_function(language, &mut |n| rng.random_range(0..n));
                !Function::parse(code, language).has_errors()
            })
            .count();
        assert!(n_parsed > 150, "{language}: {n_parsed} of 200");
    }
}

/// Checks that the C compiler takes the text.
#[track_caller]
fn check_compiles(text: &str) {
    let mut child = Command::new("cc")
        .args(["-x", "c", "-w", "-fsyntax-only", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}

fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[test]
fn canonical_c_compiles() {
    if !is_installed("cc") {
        return;
    }
    let check = |code: &str| {
        check_compiles(code);
        check_compiles(&canonical(code, Language::C));
    };
    for sample in defect::generate(3, 20) {
        check_compiles(&format!("{}\n{}", defect::PREAMBLE, canonical(&sample.code, Language::C)));
    }
    check(
        "enum color { RED, GREEN = 5 }; typedef struct node { struct node *next; int v0; } node_t;
        static int total, *last = &total;
        #define TWICE(x) ((x) + (x) + total)
        int later(int);
        static int sum(node_t *node, int (*key)(int value)) {
            int total = 0;
            for (node_t *n = node; n; n = n->next) { int key_of = key(n->v0); total += key_of; }
            for (int n = 0; n < GREEN; n++) total += TWICE(n);
            if (total < 0) goto out;
            { typedef int node; node x = 1; enum color c = RED; total += x + c + later(x); }
        out:
            return total ? total : sum(node->next, key);
        }
        int later(a) int a; { struct { int a; } s = { .a = a }; return s.a + *last + sizeof(node_t); }"
            ,
    );
}

#[test]
fn canonical_java_compiles() {
    if !is_installed("javac") {
        return;
    }
    let code = "static <T extends Comparable<T>> int count(java.util.List<T> items, final int... limits) {
        int total = limits.length;
        outer:
        for (T item : items) {
            for (int i = 0, j[] = {1, 2}; i < j.length; i++) {
                if (item.compareTo(items.get(0)) > 0) continue outer;
                total += j[i];
            }
        }
        class Pair {
            final int left, right;
            private Pair next;
            Pair(int left, int right) { this.left = left; this.right = right; next = null; }
            int sum() { return left + right + (next == null ? twice(left) : next.sum()); }
            private int twice(int left) { return left * 2 + this.right; }
            @Override public String toString() { return \"Pair\" + left; }
        }
        Pair pair = new Pair(total, 2);
        Runnable task = new Runnable() {
            private int runs = 0;
            public void run() { runs++; this.runs += help(runs); count(items); }
            private int help(int by) { return by + pair.sum() + pair.left; }
        };
        java.util.function.IntBinaryOperator plus = (left, right) -> left + right;
        java.util.function.IntUnaryOperator same = x -> { int y = x; return y; };
        try (java.io.StringReader reader = new java.io.StringReader(\"x\")) {
            total += reader.read();
        } catch (java.io.IOException | RuntimeException error) { throw new Error(error); }
        Object thing = pair;
        if (thing instanceof Pair other && other.left > 0) { total += other.sum(); }
        else if (thing instanceof String other) { total += other.length(); }
        switch (total) { case 1: int again = 1; total += again; break; default: again = 2; }
        task.run();
        return total + plus.applyAsInt(1, 2) + same.applyAsInt(3) + (total > 9 ? 0 : count(items, 1));
    }";
    check_law(code, Language::Java, 1);
    let canonical = canonical(code, Language::Java);
    let folder = tempfile::tempdir().unwrap();
    let source = format!("class A {{ {code} }}\nclass B {{ {canonical} }}\n");
    std::fs::write(folder.path().join("A.java"), source).unwrap();
    let output = Command::new("javac").arg("A.java").current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{canonical}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn kinds_of_names_are_told_apart() {
    let function =
        Function::parse("int f(int a) { struct s { int x; } b; l: goto l; }", Language::C);
    let kinds: Vec<NameKind> = canonicalize(&function, &CanonicalOptions::all_names())
        .names
        .iter()
        .map(|name| name.kind)
        .collect();
    assert_eq!(
        kinds,
        [
            NameKind::Function,
            NameKind::Parameter,
            NameKind::Type,
            NameKind::Variable,
            NameKind::Label
        ]
    );
}
