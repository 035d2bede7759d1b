//! What is left when comments and docstrings are gone.

use super::drop_blank_lines;
use crate::{Function, Language};

fn check(language: Language, text: &str, expected: &str) {
    let function = Function::parse(text, language);
    assert_eq!(function.without_comments(), expected, "{text}");
}

#[test]
fn c_comments_become_a_space() {
    let check = |text, expected| check(Language::C, text, expected);
    check("int f() { return 1; }", "int f() { return 1; }");
    check("int/**/x;", "int x;");
    check("int f() {\n    // a\n    return 1; // b\n}\n", "int f() {\n    return 1;\n}\n");
    check("/* a\n b */\nint f() {\n\n}\n", "int f() {\n\n}\n");
    check("int f() { /* a\n b */ return 1; }", "int f() {   return 1; }");
    check("char *s = \"/* no */ // no\";", "char *s = \"/* no */ // no\";");
    check("int c = '\"'; // \"\n", "int c = '\"';\n");
    check("int a; /* x */\r\nint b;\r\n", "int a;\r\nint b;\r\n");
    check("// only", "");
    check("", "");
    check("int a; // x\r\nint b;\r\n", "int a;\r\nint b;\r\n");
    check("#define A 1 // one\nint b;\n", "#define A 1\nint b;\n");
    check("#define A \"//\"\nint b;\n", "#define A \"//\"\nint b;\n");
    check("/* é */ int é; /* ü */", "  int é;");
}

#[test]
fn java_comments_become_a_space() {
    let check = |text, expected| check(Language::Java, text, expected);
    check("/** doc */\nvoid f() { int a; /* b */ }", "void f() { int a;   }");
    check("Foo(int a) { // c\n x = \"// no\"; }", "Foo(int a) {\n x = \"// no\"; }");
}

#[test]
fn python_loses_comments_and_docstrings() {
    let check = |text, expected| check(Language::Python, text, expected);
    check("def f(a):\n    # x\n    return a  # y\n", "def f(a):\n    return a\n");
    check(
        "def f(a):\n    \"\"\"doc\n\n    more\n    \"\"\"\n    return a\n",
        "def f(a):\n    return a\n",
    );
    check("def f(a):\n    'doc'\n", "def f(a):\n    pass\n");
    check("def f(a): 'doc'", "def f(a): pass");
    check("def f(a): 'doc'; return 1", "def f(a): pass; return 1");
    check("def f(a):\n    # x\n    r'''doc'''\n    # y\n    return a", "def f(a):\n    return a");
    check(
        "def f(a):\n    x = '# no'\n    'not doc'\n",
        "def f(a):\n    x = '# no'\n    'not doc'\n",
    );
    check("def f(a):\n    f'{a}'\n", "def f(a):\n    f'{a}'\n");
    check("def f(a):\n    t'{a}'\n", "def f(a):\n    t'{a}'\n");
    check("def f(a):\n    'no doc',\n    a\n", "def f(a):\n    'no doc',\n    a\n");
    check("def f():\n    'a'; 'b'; 1\n", "def f():\n    pass; 'b'; 1\n");
    check(
        "def f():\n    'a'\n    def g():\n        'b'\n        'c'\n        1\n    'd'\n",
        "def f():\n    def g():\n        1\n    'd'\n",
    );
    check(
        "class A:\n    'doc'\n    def f(self):\n        'doc'\n",
        "class A:\n    def f(self):\n        pass\n",
    );
    check("def f():\n    return '''\n# no\n'''\n", "def f():\n    return '''\n# no\n'''\n");
}

#[test]
fn many_docstrings_and_comments_take_no_longer_than_they_are() {
    let n = 6_000;
    let text = format!("def f():\n{}    return 1\n", "    # a\n    'b'\n".repeat(n));
    check(Language::Python, &text, "def f():\n    return 1\n");
    let text = format!("def f():\n{}", "    'b'\n".repeat(n));
    check(Language::Python, &text, "def f():\n    pass\n");
    let blank = "\n".repeat(n);
    let text = format!("int a;\n{blank}{}int b;\n", "// c\n".repeat(n));
    check(Language::C, &text, &format!("int a;\n{blank}int b;\n"));
}

#[test]
fn blank_lines_behind_a_backslash_stay() {
    let kept = drop_blank_lines("a \\\n \n \nb\n \nc", &[4, 6, 10]);
    assert_eq!(kept, "a \\\n \n \nb\nc");
}
