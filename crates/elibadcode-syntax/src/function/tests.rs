//! Tokens, names and renaming, language by language.

use proptest::prelude::*;

use super::*;

/// The names with role and number of occurrences, as in `f:function a:param×2 x:local×3`.
fn names(text: &str, language: Language) -> String {
    let function = Function::parse(text, language);
    let describe = |identifier: &Identifier| {
        for range in &identifier.occurrences {
            assert_eq!(&text[range.clone()], identifier.text);
        }
        let role = match identifier.role {
            Role::FunctionName => "function",
            Role::Parameter => "param",
            Role::Local => "local",
        };
        format!("{}:{role}×{}", identifier.text, identifier.occurrences.len())
    };
    function.identifiers().iter().map(describe).collect::<Vec<_>>().join(" ")
}

fn tokens(text: &str, language: Language) -> Vec<String> {
    let function = Function::parse(text, language);
    function.tokens().iter().map(|token| function.token_text(token).to_owned()).collect()
}

#[test]
fn c_names() {
    let check = |text, expected| assert_eq!(names(text, Language::C), expected, "{text}");
    check("", "");
    check("int f(void) { return f(); }", "f:function×2");
    check("__attribute__((x)) int f(int a) { return a; }", "f:function×1 a:param×2");
    check("static MACRO(x) int f(int a) { return f(a); }", "f:function×2 a:param×2");
    check("static int coroutine_fn f(T *t) { return t->f + t->t; }", "f:function×1 t:param×3");
    check("static av_inline av_flat void f(int a) { }", "f:function×1 a:param×1");
    check(
        "int *(*g(int x, void (*cb)(int n), int arr[3]))(int) { cb(x, arr); }",
        "g:function×1 x:param×2 cb:param×2 arr:param×2",
    );
    check("int f(a, b) int a; char *b; { return a; }", "f:function×1 a:param×3 b:param×2");
    check("void glue(a, b)(int c) { c++; }", "glue:function×1 c:param×2");
    check(
        "void f(void) { for (int i = 0, j; i < 3; i++) s.i = i; }",
        "f:function×1 i:local×4 j:local×1",
    );
    check(
        "void f(void) { int x = 0; struct x { int x; } y = { .x = x }; }",
        "f:function×1 x:local×2 y:local×1",
    );
    check(
        "void f(void) { int a[2], *b, (*c)(int q); a[0] = *b; c(1); }",
        "f:function×1 a:local×2 b:local×2 c:local×2",
    );
    check("void f(void) { int out = 1; goto out; out: return out; }", "f:function×1 out:local×2");
    check("void f(void) { extern int e; int g(int); e = g(1); }", "f:function×1");
    check(
        "void f(void) { enum { A, B = 3 } e; e = A; }",
        "f:function×1 A:local×2 B:local×1 e:local×2",
    );
    check(
        "void f(int a, int b) { a * b; sizeof(a); (a) & b; }",
        "f:function×1 a:param×4 b:param×3",
    );
    check("void f(foo foo) { foo = 1; }", "f:function×1 foo:param×2");
    check("void f(int a) { printf(\"a\" a); /* a */ }", "f:function×1 a:param×2");
    check(
        "void f(int a) {\n#define X(b) a + b + \"a\" + p->a\n X(1);\n#undef X\n}",
        "f:function×1 a:param×2",
    );
    check(
        "void f(int a) {\n#ifdef a\n#if defined(a) && a > 1\n#endif\n#endif\n}",
        "f:function×1 a:param×1",
    );
    check("void f(int r) { asm(\"x\" : [r] \"=r\"(r)); }", "f:function×1 r:param×2");
    check(
        "void f(int a) { int x = ({ int t = a; t; }); }",
        "f:function×1 a:param×2 x:local×1 t:local×2",
    );
    check("int x; int f(int a);", "f:function×1");
    check("f(int a)\n{ return f(a); }", "f:function×2 a:param×2");
    check("*f(int a) { return f(a); }", "f:function×2 a:param×2");
    check("if (a) { b(); }", "");
    check("(*f(int a))(int) { return f; }", "f:function×2 a:param×1");
    check("START_TEST(f) { int a; }", "f:function×1 a:local×1");
    check(
        "static always_inline T f (T a, int b) { return f(a); }",
        "f:function×2 a:param×2 b:param×1",
    );
    check("void f(void) { struct { int a; } PACKED x; x.a = 1; }", "f:function×1 x:local×2");
}

#[test]
fn java_names() {
    let check = |text, expected| assert_eq!(names(text, Language::Java), expected, "{text}");
    check("", "");
    check(
        "@Test(expected = X.class) public void f(int a, final String... b) { f(a); b.f(); }",
        "f:function×2 a:param×2 b:param×2",
    );
    check("int size() { return size; }", "size:function×1");
    check("int size(int size) { return size(size); }", "size:function×4");
    check("void f(int a) { this.a = a; a.a = a(1); o.f(2); this.f(3); }", "f:function×1 a:param×3");
    check("Foo(int a) { super(a); this.a = a; }", "Foo:function×1 a:param×3");
    check("public Foo(int a) throws E { // end", "a:param×1");
    check(
        "void f() { try (R r = open()) { r.go(); } catch (A | B e) { throw e; } }",
        "f:function×1 r:local×2 e:local×2",
    );
    check(
        "void f() { for (String s : all) s.x(); for (int i = 0, j[] = {1}; ; i++) ; }",
        "f:function×1 s:local×2 i:local×2 j:local×1",
    );
    check(
        "void f() { run((p, q) -> p + q); run(r -> r); run((int t) -> t); }",
        "f:function×1 p:param×2 q:param×2 r:param×2 t:param×2",
    );
    check("void f(E a) { switch (a) { case X: break; case Y -> 1; } }", "f:function×1 a:param×2");
    check("void f(int l) { l: while (true) { break l; } }", "f:function×1 l:param×1");
    check("void f(Object o) { if (o instanceof T t) t.t(); }", "f:function×1 o:param×2 t:local×2");
    check("void f(int name) { @A(name = 1) int q = name; }", "f:function×1 name:param×2 q:local×1");
    check("void f(X x) { g(x::get, this::f, \"x\", 'x'); }", "f:function×1 x:param×2");
    check(
        "void f(int a) { new T(a) { int b = a; void f2(int c) { b = c; } }; }",
        "f:function×1 a:param×3 c:param×2",
    );
}

#[test]
fn python_names() {
    let check = |text, expected| assert_eq!(names(text, Language::Python), expected, "{text}");
    check("", "");
    check("x = 1", "");
    check("def f(a):\n    return f(a.a)", "f:function×2 a:param×2");
    check("@f(1)\nasync def f(a): pass", "f:function×1 a:param×1");
    check(
        "def f(a, b=1, c: int = 2, *d, e, g: T, **h): return a, b, c, d, e, g, h",
        "f:function×1 a:param×2 b:param×2 c:param×2 d:param×2 e:param×2 g:param×2 h:param×2",
    );
    check("def f(type=type, x: x = 1) -> x: return type", "f:function×1 type:param×2 x:param×1");
    check("def f(a): return g(a=a, b=self.a)", "f:function×1 a:param×2");
    check(
        "def f():\n    x, (y, *z) = [w, v] = 1\n    x.q, y[z] = 1",
        "f:function×1 x:local×2 y:local×2 z:local×2 w:local×1 v:local×1",
    );
    check("def f():\n    x += 1\n    y: int = x", "f:function×1 x:local×2 y:local×1");
    check("def f():\n    for i, j in i.x: j", "f:function×1 i:local×2 j:local×2");
    check(
        "def f():\n    with o as a, p as (b, c): a",
        "f:function×1 a:local×2 b:local×1 c:local×1",
    );
    check("def f():\n    try: pass\n    except (A, B) as e: e", "f:function×1 e:local×2");
    check(
        "def f(): return {k: w for k, (w, _) in v}",
        "f:function×1 k:local×2 w:local×2 _:local×1",
    );
    check("def f():\n    if (n := 3): n", "f:function×1 n:local×2");
    check(
        "def f(x): return lambda m, *o, p=x: m",
        "f:function×1 x:param×2 m:param×2 o:param×1 p:param×1",
    );
    check("def f():\n    def g(x): return g\n    return g", "f:function×1 g:local×3 x:param×1");
    check(
        "def f():\n    class K(B):\n        a = 1\n        def m(self): self.a",
        "f:function×1 self:param×2",
    );
    check("def f():\n    global g\n    g = 1\n    h = g", "f:function×1 h:local×1");
    check("def f():\n    import os.path, a as b\n    os = b", "f:function×1 b:local×2");
    check("def f(x):\n    return f'{x!r} x {y:{x}}' + 'x'  # x", "f:function×1 x:param×3");
    check(
        "def f(x):\n    match x:\n        case [a, P(x=b), *c]: a\n        case {'k': d}: pass",
        "f:function×1 x:param×2 a:local×2 b:local×1 c:local×1 d:local×1",
    );
    check("class C:\n    def f(self): pass\n    def g(self): pass", "f:function×1 self:param×2");
    check("def f((a, b), c): return a", "f:function×1 a:param×2 b:param×1 c:param×1");
    check("def f(x):\n    print x\n    print(x)", "f:function×1 x:param×3");
}

#[test]
fn tokens_are_leaves_and_whole_strings() {
    let check = |language, text: &str, expected: &str| {
        assert_eq!(tokens(text, language).join(" ¦ "), expected, "{text}");
    };
    check(Language::C, "", "");
    check(Language::C, "x = \"a \\n\" L\"b\" 'c'; // d", "x ¦ = ¦ \"a \\n\" ¦ L\"b\" ¦ 'c' ¦ ;");
    check(Language::C, "#include <a.h>\nint /* é */ é;", "#include ¦ <a.h> ¦ int ¦ é ¦ ;");
    check(Language::C, "#define A(x) x + 1 // c\n", "#define ¦ A ¦ ( ¦ x ¦ ) ¦ x + 1");
    check(
        Language::C,
        "void f() { p->x += .5; }",
        "void ¦ f ¦ ( ¦ ) ¦ { ¦ p ¦ -> ¦ x ¦ += ¦ .5 ¦ ; ¦ }",
    );
    check(
        Language::Java,
        "void f() { s = \"a\\n\" + 'c'; }",
        "void ¦ f ¦ ( ¦ ) ¦ { ¦ s ¦ = ¦ \"a\\n\" ¦ + ¦ 'c' ¦ ; ¦ }",
    );
    check(Language::Java, "F() { super(); }", "F ¦ ( ¦ ) ¦ { ¦ super ¦ ( ¦ ) ¦ ; ¦ }");
    check(
        Language::Python,
        "def f(x):\n    return f'{x} y' \\\n        # c\n",
        "def ¦ f ¦ ( ¦ x ¦ ) ¦ : ¦ return ¦ f'{x} y'",
    );
    check(Language::Python, "s = '''a\nb''' 'c'", "s ¦ = ¦ '''a\nb''' ¦ 'c'");
}

#[test]
fn name_survives_errors() {
    let check = |text: &str, expected: Option<&str>| {
        let function = Function::parse(text, Language::C);
        assert!(function.has_errors(), "{text}");
        assert_eq!(function.name(), expected, "{text}");
    };
    check("static int f(int a) { if (a {", Some("f"));
    check("static int coroutine_fn f(int a) { }", Some("f"));
    check("int f(int a) } {", Some("f"));
    check("} } {{ ( ;", None);
    assert_eq!(Function::parse("{ a(b); }", Language::C).name(), None);
}

#[test]
fn rename_changes_every_occurrence_and_nothing_else() {
    let check = |language, text: &str, from: &str, to: &str, expected: &str| {
        let renamed = Function::parse(text, language).rename(from, to).expect("a legal rename");
        assert_eq!(renamed.text(), expected);
        assert_eq!(renamed, Function::parse(expected, language));
    };
    check(
        Language::C,
        "int f(int n) { s.f = 1; /* f */ return f(f(n)) + \"f\"; }",
        "f",
        "testo_init",
        "int testo_init(int n) { s.f = 1; /* f */ return testo_init(testo_init(n)) + \"f\"; }",
    );
    check(
        Language::Java,
        "void f() { f(); o.f(); }",
        "f",
        "f_rb",
        "void f_rb() { f_rb(); o.f(); }",
    );
    check(Language::Java, "F(int f) { f = 1; }", "f", "g", "F(int g) { g = 1; }");
    check(
        Language::Python,
        "def f(é, b):\n    return f'é{b} {é}' + f(b=b)",
        "b",
        "c",
        "def f(é, c):\n    return f'é{c} {é}' + f(c=c)",
    );
    check(
        Language::Java,
        "void run() { this.run(); go(new R() { public void run() { run(); } }); }",
        "run",
        "g",
        "void g() { this.g(); go(new R() { public void run() { run(); } }); }",
    );
}

#[test]
fn rename_refuses_what_would_change_the_meaning() {
    let function = Function::parse("int f(int a) { int b; return g(a.c + \"d\"); }", Language::C);
    let check = |from, to, expected: &str| {
        assert_eq!(function.rename(from, to).expect_err("a refused rename").to_string(), expected);
    };
    check("g", "x", "`g` is not declared in this function");
    check("a", "1x", "`1x` is not an identifier of c");
    check("a", "while", "`while` is not an identifier of c");
    for taken in ["a", "b", "c", "f", "g"] {
        check("a", taken, &format!("`{taken}` already occurs in this function"));
    }
    assert!(function.rename("a", "d").is_ok());
}

#[test]
fn deep_nesting_is_fine() {
    for language in [Language::C, Language::Java, Language::Python] {
        for open in ["(", "{", "[", "f(", "a+", "if (", "*", "x["] {
            let text = format!("{}x", open.repeat(5_000));
            assert!(!Function::parse(text, language).tokens().is_empty());
        }
    }
}

fn any_language() -> impl Strategy<Value = Language> {
    prop_oneof![Just(Language::C), Just(Language::Java), Just(Language::Python)]
}

/// Text that looks a little like code, so that more than the error recovery is at work.
fn code_like() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "int ", "f", "(", ")", "{", "}", "a", " = ", "1", ";", "\n", "    ", "def ", ":", "x", ".",
        "->", ",", "*", "\"", "'", "/*", "*/", "//", "#", "#define ", "#if ", "\\\n", "return ",
        "for ", "in ", "lambda ", "é", "[", "]", "f'{", "}'", "@", "class ", "void ", "import ",
        "\r\n", "\"\"\"", "if ", "else ", "\0", "case ", "…", "pass", "=>", "::",
    ];
    prop::collection::vec(prop::sample::select(PIECES), 0..40).prop_map(|pieces| pieces.concat())
}

fn check_invariants(text: &str, language: Language) -> Result<(), TestCaseError> {
    let function = Function::parse(text, language);
    prop_assert_eq!(function.text(), text);
    let mut end = 0;
    for token in function.tokens() {
        prop_assert!(token.range.start >= end && token.range.start < token.range.end);
        prop_assert!(text.get(token.range.clone()).is_some());
        end = token.range.end;
    }
    for identifier in function.identifiers() {
        let mut end = 0;
        for range in &identifier.occurrences {
            prop_assert!(range.start >= end);
            prop_assert_eq!(&text[range.clone()], &identifier.text);
            end = range.end;
        }
        let renamed = function.replace_occurrences(&identifier.occurrences, "fresh_name_0");
        prop_assert!(renamed.contains("fresh_name_0"));
    }
    function.without_comments();
    Ok(())
}

proptest! {
    #[test]
    fn any_text_parses(text in any::<String>(), language in any_language()) {
        check_invariants(&text, language)?;
    }

    #[test]
    fn code_like_text_parses(text in code_like(), language in any_language()) {
        check_invariants(&text, language)?;
    }

    #[test]
    fn renaming_there_and_back_gives_the_same_text(
        names in prop::sample::subsequence(vec!["alpha", "beta", "gamma", "delta"], 4).prop_shuffle(),
        which in 0_usize..4,
        language in any_language(),
    ) {
        let [a, b, c, d] = [names[0], names[1], names[2], names[3]];
        let text = match language {
            Language::C => format!(
                "static int {a}(T *{b}) {{ int {c} = {b}->field; for (int {d} = 0; {d} < {c}; {d}++) \
                 {a}(&{b}[{d}]); /* {a} */ return {c}; }}"
            ),
            Language::Java => format!(
                "int {a}(T {b}) {{ int {c} = {b}.field; for (int {d} : {b}) {{ {a}({c} + {d}); }} \
                 return \"{c}\" + {c}; }}"
            ),
            Language::Python => format!(
                "def {a}({b}, *args):\n    {c} = {b}.field\n    for {d} in {c}:\n        {a}(k={d})\n    \
                 return f'{{{c}}} {c}'  # {c}\n"
            ),
        };
        let function = Function::parse(text, language);
        prop_assert!(!function.has_errors());
        prop_assert_eq!(function.identifiers().len(), if language == Language::Python { 5 } else { 4 });
        let renamed = function.rename(names[which], "fresh").expect("a fresh name");
        prop_assert_eq!(renamed.tokens().len(), function.tokens().len());
        prop_assert_eq!(renamed.has_errors(), function.has_errors());
        prop_assert_eq!(renamed.rename("fresh", names[which]).expect("the old name is free"), function);
    }
}

#[test]
fn several_names_change_at_once() {
    let code = "int f(int a, int b) { int c = a + b; return c ? f(a, c) : s.a; }";
    let function = Function::parse(code, Language::C);
    let check = |names: &[(&str, &str)], expected: &str| {
        let text = match function.rename_all(names) {
            Ok(renamed) => renamed.text().to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(text, expected);
    };
    check(&[], code);
    check(
        &[("c", "x"), ("a", "long_name"), ("f", "g")],
        "int g(int long_name, int b) { int x = long_name + b; return x ? g(long_name, x) : s.a; }",
    );
    check(&[("a", "x"), ("b", "x")], "`x` already occurs in this function");
    check(&[("a", "x"), ("b", "a")], "`a` already occurs in this function");
    check(&[("a", "x"), ("s", "y")], "`s` is not declared in this function");
    check(&[("a", "x"), ("a", "y")], "`a` is not declared in this function");
    check(&[("a", "x"), ("b", "int")], "`int` is not an identifier of c");
}
