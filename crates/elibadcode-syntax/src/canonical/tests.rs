//! Canonical text, language by language, and the law on small functions.

use super::*;

fn canonical(text: &str, language: Language) -> String {
    let options = CanonicalOptions { strip_comments: false, ..CanonicalOptions::all_names() };
    let once = canonicalize_text(text, language, &options);
    let twice = canonicalize_text(&once.text, language, &options);
    assert_eq!(twice.text, once.text, "not idempotent: {text}");
    assert_eq!(twice.has_errors, once.has_errors, "{text}");
    for name in &once.names {
        for range in &name.occurrences {
            assert_eq!(text[range.clone()], name.original, "{text}");
        }
    }
    once.text
}

#[test]
fn c_scopes() {
    let check = |text, expected| assert_eq!(canonical(text, Language::C), expected, "{text}");
    check("", "");
    // GNU C has functions within functions; a macro with a block is none.
    check(
        "int f(int a) { int g(int b) { return b; } return g(a); }",
        "int f0(int v0) { int f1(int v1) { return v1; } return f1(v0); }",
    );
    check("void f(int a) { each(a) { g(a); } }", "void f0(int v0) { each(v0) { g(v0); } }");
    check("int f(int f) { return f; }", "int f0(int v0) { return v0; }");
    check(
        "int f(int n) { int x = n; { int x = x + n; f(x); } return x; }",
        "int f0(int v0) { int v1 = v0; { int v2 = v2 + v0; f0(v2); } return v1; }",
    );
    check(
        "void g(void) { for (int i = 0; i < 3; i++) h(i); for (int i = 0;;) { s.i = i; } i = 1; }",
        "void f0(void) { for (int v0 = 0; v0 < 3; v0++) h(v0); for (int v1 = 0;;) { s.i = v1; } i = 1; }",
    );
    check(
        "void f(int out) { if (out) goto out; out: g(&out); }",
        "void f0(int v0) { if (v0) goto l0; l0: g(&v0); }",
    );
    check(
        "void f(void) { typedef struct s { int a; } t; t x; struct s y; struct u z; x.a = y.a; }",
        "void f0(void) { typedef struct t0 { int a; } t1; t1 v0; struct t0 v1; struct u v2; v0.a = v1.a; }",
    );
    check(
        "void f(void) { enum e { A, B = A } k = B; { int A = k; A++; } return A; }",
        "void f0(void) { enum t0 { v0, v1 = v0 } v2 = v1; { int v3 = v2; v3++; } return v0; }",
    );
    check(
        "int f(void (*cb)(int n, int n2), int n) { int (*p)(int n); return cb(n, v1); }",
        "int f0(void (*v0)(int v2, int v3), int v4) { int (*v5)(int v6); return v0(v4, v1); }",
    );
    check(
        "int f(a, b) int a; char *b; { return a; }",
        "int f0(v0, v1) int v0; char *v1; { return v0; }",
    );
    check(
        "void f(int a, int b) { a * b; (a) & b; }",
        "void f0(int v0, int v1) { v0 * v1; (v0) & v1; }",
    );
    check(
        "void f(void) { extern int e; int g(int); e = g(1); int f(void); f(); }",
        "void f0(void) { extern int e; int g(int); e = g(1); int f0(void); f0(); }",
    );
    check(
        "void f(int a) {\n#define X(b) a + b + p->a\n { int a = 1; X(a); } goto q;\n#define Y goto q\nq:; }",
        "void f0(int v0) {\n#define X(b) v0 + b + p->a\n { int v0 = 1; X(v0); } goto l0;\n#define Y goto l0\nl0:; }",
    );
    check(
        "static int n; static void f(void) { n = m; } int g(void) { f(); return n; }",
        "static int v0; static void f0(void) { v0 = m; } int f1(void) { f0(); return v0; }",
    );
    check(
        "void HELPER(f)(int a, int b) { f(a); HELPER(f)(b); HELPER(g)(b); }",
        "void f0(f1)(int v0, int v1) { f1(v0); f0(f1)(v1); f0(g)(v1); }",
    );
    check("f(a, b) { return a + b; }", "f0(v0, v1) { return v0 + v1; }");
    check("START_TEST(f) { int a; }", "START_TEST(f0) { int v0; }");
    check(
        "void f(int a) { x = (T) { .a = a, [a] = v0 }; }",
        "void f0(int v1) { x = (T) { .a = v1, [v1] = v0 }; }",
    );
}

#[test]
fn java_scopes() {
    let check = |text, expected| assert_eq!(canonical(text, Language::Java), expected, "{text}");
    check("", "");
    // A component has a method of its name.
    check(
        "void f() { record P(int x) { } P p = new P(1); g(p.x()); }",
        "void f0() { record t0(int x) { } t0 v0 = new t0(1); g(v0.x()); }",
    );
    check(
        "int size(int size) { return size(size) + this.size(1) + o.size() + this.size; }",
        "int f0(int v0) { return f0(v0) + this.f0(1) + o.size() + this.size; }",
    );
    check(
        "void f(List<A> x) { for (A a : x) { g(a); } for (A a : a.b) h(a); a = 1; }",
        "void f0(List<A> v0) { for (A v1 : v0) { g(v1); } for (A v2 : a.b) h(v2); a = 1; }",
    );
    check(
        "<T extends C<T>> T f(T t) { try (R r = o()) { r.t(); } catch (E e) { g(e); } catch (F e) { throw e; } }",
        "<t0 extends C<t0>> t0 f0(t0 v0) { try (R v1 = o()) { v1.t(); } catch (E v2) { g(v2); } catch (F v3) { throw v3; } }",
    );
    check(
        "void f() { out: for (;;) { run((p, q) -> p + q); run(r -> r); break out; } }",
        "void f0() { l0: for (;;) { run((v0, v1) -> v0 + v1); run(v2 -> v2); break l0; } }",
    );
    check(
        "void f(Object o) { if (o instanceof A x) x.a(); else if (o instanceof B x) x.b(); }",
        "void f0(Object v0) { if (v0 instanceof A v1) v1.a(); else if (v0 instanceof B v2) v2.b(); }",
    );
    check(
        "void f(int a) { new R(a) { int b = a; public void run() { b = this.b; f(1); h(); } private void h() {} }; }",
        "void f0(int v0) { new R(v0) { int v1 = v0; public void run() { v1 = this.v1; f0(1); f1(); } private void f1() {} }; }",
    );
    check(
        "void f() { class L { int n, m; L(int n) { this.n = n; } int g() { return m; } } L l = new L(1); l.n = L.x; }",
        "void f0() { class t0 { int n, v0; t0(int v1) { this.n = v1; } int f1() { return v0; } } t0 v2 = new t0(1); v2.n = t0.x; }",
    );
    check("Foo(int a) { super(a); this.a = a; }", "f0(int v0) { super(v0); this.a = v0; }");
    check(
        "void f(E a) { switch (a) { case X: int b; b = 1; break; case Y: b = 2; } }",
        "void f0(E v0) { switch (v0) { case X: int v1; v1 = 1; break; case Y: v1 = 2; } }",
    );
    check(
        "void f(X x) { g(x::get, this::f, this::g, \"x\", 'x'); }",
        "void f0(X v0) { g(v0::get, this::f0, this::g, \"x\", 'x'); }",
    );
}

#[test]
fn java_resources_end_with_the_block_of_their_try() {
    let check = |text, expected| assert_eq!(canonical(text, Language::Java), expected, "{text}");
    check(
        "void f() { try (A x = a()) { } try (A x = b()) { g(x); } x = 1; }",
        "void f0() { try (A v0 = a()) { } try (A v1 = b()) { g(v1); } x = 1; }",
    );
    check(
        "void f() { try (A y = x; A x = y.b()) { try (x) { } int z = x; } catch (E e) { x = e; } finally { y(x, y, z); } }",
        "void f0() { try (A v0 = x; A v1 = v0.b()) { try (v1) { } int v2 = v1; } catch (E v3) { x = v3; } finally { y(x, y, z); } }",
    );
    check(
        "void f(A o) { try (A x = o) { } catch (E x) { int p = x; } finally { A x = o; x.y(); } }",
        "void f0(A v0) { try (A v1 = v0) { } catch (E v2) { int v3 = v2; } finally { A v4 = v0; v4.y(); } }",
    );
    // In the clauses `x` is a field.
    let code =
        |x: &str| format!("void f() {{ try (A {x} = a()) {{ g({x}); }} catch (E e) {{ h(x); }} }}");
    assert_eq!(canonical(&code("y"), Language::Java), canonical(&code("x"), Language::Java));
    let renamed = Function::parse(code("x"), Language::Java).rename("x", "y");
    assert_eq!(renamed.expect("a legal rename").text(), code("y"));
}

#[test]
fn python_scopes() {
    let check = |text, expected| assert_eq!(canonical(text, Language::Python), expected, "{text}");
    check("", "");
    // A comment is no clause.
    check(
        "def f(a):\n    return [c for b in a  # each\n            for c in b]",
        "def f0(v0):\n    return [v1 for v2 in v0  # each\n            for v1 in v2]",
    );
    check(
        "def f(q, name):\n    return q.\\\n        name(name)",
        "def f0(v0, v1):\n    return v0.\\\n        name(v1)",
    );
    check(
        "def f(self, a, *b, c: a = a, **d):\n    return self.a(a, b, c, d, f)",
        "def f0(v0, v1, *v2, v3: a = a, **v4):\n    return v0.a(v1, v2, v3, v4, f0)",
    );
    check(
        "def f(x):\n    y = [x for x in x if x]\n    return {x: y for y in y for z in z}, x, z",
        "def f0(v0):\n    v1 = [v2 for v2 in v0 if v2]\n    return {v0: v3 for v3 in v1 for v4 in v4}, v0, z",
    );
    check(
        "def f(n):\n    g = map(lambda n: [0 for i in range(n)], n)\n    return [[m for k in m] for m in n]",
        "def f0(v0):\n    v1 = map(lambda v2: [0 for v3 in range(v2)], v0)\n    return [[v4 for v5 in v4] for v4 in v0]",
    );
    check(
        "def f(n):\n    print(f'{n!r:>{n}} {m} {n=}', 'n')\n    return lambda n=n: n + k",
        "def f0(v0):\n    print(f'{v0!r:>{v0}} {m} {v0=}', 'n')\n    return lambda v1=v0: v1 + k",
    );
    check(
        "def f():\n    g(a=1)\n    def g(a, **k):\n        nonlocal z\n        z = a\n        return f(a=a)\n    z = g(a=2, b=3) + h(a=4)",
        "def f0():\n    f1(v0=1)\n    def f1(v0, **v1):\n        nonlocal v2\n        v2 = v0\n        return f0(a=v0)\n    v2 = f1(v0=2, b=3) + h(a=4)",
    );
    check(
        "def f():\n    global c, d\n    c = d\n    import a.b, e as g\n    from h import i\n    return a.b + i + g",
        "def f0():\n    global c, d\n    c = d\n    import a.b, e as v0\n    from h import i\n    return a.b + i + v0",
    );
    check(
        "c = 1\ndef f():\n    global c\n    c = 2",
        "v0 = 1\ndef f0():\n    global v0\n    v0 = 2",
    );
    check(
        "def f(x):\n    class A(x):\n        x = 1\n        def __init__(self, x):\n            self.x = x\n        def g(self):\n            return x, A, g\n        y = x\n    return A(x=1).x",
        "def f0(v0):\n    class t0(v0):\n        x = 1\n        def __init__(v1, v2):\n            v1.x = v2\n        def g(v3):\n            return v0, t0, g\n        y = x\n    return t0(v2=1).x",
    );
    check(
        "def f():\n    with o as a, p as (b, c):\n        try: a\n        except E as e: raise e\n    if (n := 1) and any((m := q) for q in b): return n, m, q",
        "def f0():\n    with o as v0, p as (v1, v2):\n        try: v0\n        except E as v3: raise v3\n    if (v4 := 1) and any((v5 := v6) for v6 in v1): return v4, v5, q",
    );
    check(
        "def f(p):\n    match p:\n        case A(x=y) | [y, *z]: return x, y, z\n        case B.C as w: return w\n        case {'k': v, **r}: return v, r",
        "def f0(v0):\n    match v0:\n        case A(x=v1) | [v1, *v2]: return x, v1, v2\n        case B.C as v3: return v3\n        case {'k': v4, **v5}: return v4, v5",
    );
    check(
        "def f(x):\n    try: pass\n    except E, e: print e\n    g = lambda a: a\n    g(a=x)",
        "def f0(v0):\n    try: pass\n    except E, v1: print v1\n    v2 = lambda v3: v3\n    v2(v3=v0)",
    );
}

#[test]
fn comments_go_by_option() {
    let check = |language, text, expected| {
        let options = CanonicalOptions::all_names();
        let once = canonicalize_text(text, language, &options).text;
        assert_eq!(once, expected);
        assert_eq!(canonicalize_text(&once, language, &options).text, once);
    };
    check(
        Language::C,
        "int add(int a) { /* v0 */ return a; // a\n}",
        "int f0(int v0) {   return v0;\n}",
    );
    check(
        Language::Python,
        "def f(a):\n    \"\"\"a v0\"\"\"\n    'and more'\n    # b\n    return a",
        "def f0(v0):\n    return v0",
    );
    check(Language::Python, "def f(a):\n    'one'\n    'two'", "def f0(v0):\n    pass");
    // A comment that goes on in the next line, in code that does not parse.
    let spliced = "int f(int a) { // note \\\ntesto rb\n return a @ 1; }";
    let options = CanonicalOptions::all_names();
    let canonical = canonicalize_text(spliced, Language::C, &options);
    assert!(canonical.has_errors && !canonical.text.contains("testo"), "{}", canonical.text);
}

#[test]
fn only_the_function_name() {
    let options = CanonicalOptions::function_name();
    let text = "int g(int a) { int f0 = a; return g(f0); } int h(void) { return g(1); }";
    let canonical = canonicalize_text(text, Language::C, &options);
    assert_eq!(
        canonical.text,
        "int f1(int a) { int f0 = a; return f1(f0); } int h(void) { return f1(1); }"
    );
    assert_eq!(canonical.names.len(), 1);

    // What the text is about is declared first, and need not occur first.
    let check = |text, language, expected| {
        let canonical = canonicalize_text(text, language, &options);
        assert_eq!((&*canonical.text, canonical.names.len()), (expected, 1));
    };
    check(
        "static int g(int); int f(int a) { return g(a); } static int g(int b) { return b; }",
        Language::C,
        "static int g(int); int f0(int a) { return g(a); } static int g(int b) { return b; }",
    );
    check(
        "@g\ndef f(x):\n    return x\ndef g(h): return h\n",
        Language::Python,
        "@g\ndef f0(x):\n    return x\ndef g(h): return h\n",
    );
}

#[test]
fn fields_in_arguments_of_macros_stay() {
    let check = |text, expected| assert_eq!(canonical(text, Language::C), expected, "{text}");
    check(
        "void f(Dev *dev) { S *s = DO_UPCAST(S, dev, dev); g(s, dev); }",
        "void f0(Dev *v0) { S *v1 = DO_UPCAST(S, dev, v0); g(v1, v0); }",
    );
    check(
        "void f(N *next, H *h) { QLIST_INSERT_HEAD(h, next, next); QLIST_REMOVE(next, next); }",
        "void f0(N *v0, H *v1) { QLIST_INSERT_HEAD(v1, v0, next); QLIST_REMOVE(v0, next); }",
    );
}

/// Some of these took more than a minute when names looked through what stands before or above them: long
/// specifiers (also of old C), deep blocks with errors, long names of types, long and deep patterns and
/// comprehensions.
#[test]
fn long_and_deep_code_takes_time_in_proportion() {
    let list = |n: usize, part: &str| vec![part; n].join(",");
    let numbered = |n: usize, name: &str| {
        (0..n).map(|it| format!("{name}{it}=1")).collect::<Vec<_>>().join(",")
    };
    let n = 12_000;
    for (language, text) in [
        (Language::C, format!("void f() {{ {}int {}; }}", "const ".repeat(n), list(n, "a"))),
        (Language::C, format!("int {}f({}) {{ }}", "const ".repeat(n), list(n, "a"))),
        (Language::C, format!("int {}f({}) int a; {{ }}", "const ".repeat(n), list(n, "a"))),
        (Language::C, format!("void f() {{ {}{}", "{ int a b; ".repeat(n / 2), "}".repeat(n / 2))),
        (Language::C, format!("void f() {{ int a{}; }}", "()".repeat(n))),
        (Language::C, format!("void f() {{ QLIST_INSERT_HEAD({}); }}", list(n, "a"))),
        (Language::C, format!("void f() {{ int {} @; }}", list(n, "a"))),
        (Language::Java, format!("void f() {{ {} x; }}", vec!["A"; n].join("."))),
        (Language::Python, format!("[x {}]", "for x in y ".repeat(n / 2))),
        (Language::Python, format!("{}z{}", "[x for y in ".repeat(n / 2), "]".repeat(n / 2))),
        (
            Language::Python,
            format!("match x:\n  case {}: pass\n", vec!["a as b"; n / 2].join(" | ")),
        ),
        (Language::Python, format!("{}def f(): pass", "@a\n".repeat(n))),
        (
            Language::Python,
            format!("{}f({})", "def f(a): pass\n".repeat(n / 8), numbered(n / 8, "a")),
        ),
    ] {
        let start = std::time::Instant::now();
        Function::parse(&*text, language);
        canonicalize_text(&text, language, &CanonicalOptions::all_names());
        let shown = &text[..40];
        assert!(start.elapsed().as_secs() < 10, "{shown}: {:?}", start.elapsed());
    }
}

/// The canonical form does not depend on what the variable is called.
#[track_caller]
fn same_whatever_the_name(language: Language, code: impl Fn(&str) -> String, own: &str) {
    let form =
        |name: &str| canonicalize_text(&code(name), language, &CanonicalOptions::all_names());
    let of_own = form(own);
    for other in ["zz", "longer_than_the_other"] {
        let of_other = form(other);
        assert_eq!(of_own.text, of_other.text, "{own}, {other}");
    }
}

#[test]
fn a_field_that_is_called_like_a_variable_keeps_its_name_behind_errors() {
    let container = |name: &str| {
        format!(
            "void f(void *{name}) {{ struct node *n = container_of({name}, struct node, next); use(n); }}"
        )
    };
    same_whatever_the_name(Language::C, container, "next");
    let each = |name: &str| {
        format!(
            "void f(struct l *q, struct n *{name}) {{ QTAILQ_FOREACH({name}, &q->head, next) {{ use({name}); }} }}"
        )
    };
    same_whatever_the_name(Language::C, each, "next");
}

#[test]
fn a_variable_of_python_that_is_called_type_is_renamed() {
    for statement in ["[k] = 1", "(k).x = 1", "[k][1] = k", "(k)[0] = 1", "[k] += 1"] {
        let code =
            |name: &str| format!("def f({name}, k):\n    {name}{statement}\n    return {name}\n");
        same_whatever_the_name(Language::Python, code, "type");
        let form =
            canonicalize_text(&code("type"), Language::Python, &CanonicalOptions::all_names());
        assert!(!form.text.contains("type"), "{}", form.text);
    }
    let alias = "def f(k):\n    type X = int\n    return k\n";
    let form = canonicalize_text(alias, Language::Python, &CanonicalOptions::all_names());
    assert!(form.text.contains("type "), "{}", form.text);
}

#[test]
fn deeply_nested_names_take_no_time_and_are_promised_nothing() {
    let nested = |n: usize| {
        let (open, close) = ("{".repeat(n), "}".repeat(n));
        format!("int f(void) {{ {open}{} {close} }}", "zz;".repeat(n))
    };
    let parse = |n| canonicalize_text(&nested(n), Language::C, &CanonicalOptions::all_names());
    assert!(!parse(200).has_errors);
    // Looking through all scopes for each name took a minute.
    assert!(parse(40_000).has_errors);
}

#[test]
fn some_names_alone_are_canonical() {
    let code = "int f(int a, int b) { /* a */ return f(b, a); }";
    let canonical = canonicalize_text(code, Language::C, &CanonicalOptions::all_names());
    let check = |indices: &[usize], expected: &str| {
        assert_eq!(canonical.with_names(code, |index| indices.contains(&index)), expected);
    };
    check(&[0, 1, 2], &canonical.text);
    check(&[], "int f(int a, int b) {   return f(b, a); }");
    check(&[0], "int f0(int a, int b) {   return f0(b, a); }");
    check(&[2], "int f(int a, int v1) {   return f(v1, a); }");
    let code = "int f(int a, int v0, int v3) { return a - v0; }";
    let canonical = canonicalize_text(code, Language::C, &CanonicalOptions::all_names());
    let one = canonical.with_names(code, |index| index == 1);
    assert_eq!(one, "int f(int v4, int v0, int v3) { return v4 - v0; }");
}
