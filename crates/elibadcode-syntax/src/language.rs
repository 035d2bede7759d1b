//! The three languages, and what each of them takes for an identifier.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A programming language of the paper's tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// C, of defect detection (Devign).
    C,
    /// Java, of clone detection (`BigCloneBench`).
    Java,
    /// Python, of code search (`CodeSearchNet`).
    Python,
}

/// The text is not the name of a [`Language`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown language `{0}`, expected c, java or python")]
pub struct UnknownLanguage(pub String);

impl Language {
    /// The language's keywords and literal words, sorted: what no identifier may be.
    ///
    /// C includes the GNU keywords and the constants `NULL`, `true` and `false`. Words that are
    /// keywords in some places only (Java `record`, Python `match`) are legal names, so not here.
    pub fn keywords(&self) -> &'static [&'static str] {
        match self {
            Self::C => C_KEYWORDS,
            Self::Java => JAVA_KEYWORDS,
            Self::Python => PYTHON_KEYWORDS,
        }
    }

    /// Whether `text` is an identifier (ASCII) and no keyword.
    ///
    /// In C the names of the standard integer types (`size_t`, `uint8_t`, …) are refused too: as
    /// names of variables they would be taken for types.
    pub fn is_identifier(&self, text: &str) -> bool {
        let mut characters = text.chars();
        characters.next().is_some_and(|first| self.is_identifier_start(first))
            && characters.all(|character| self.is_identifier_continue(character))
            && !self.is_reserved(text)
    }

    /// Whether an identifier may begin with `character`.
    pub fn is_identifier_start(&self, character: char) -> bool {
        self.is_identifier_continue(character) && !character.is_ascii_digit()
    }

    /// Whether `character` may stand in an identifier after its beginning.
    pub fn is_identifier_continue(&self, character: char) -> bool {
        character.is_ascii_alphanumeric()
            || character == '_'
            || (character == '$' && *self == Self::Java)
    }

    /// Whether `text` is a keyword, or in C one of the standard type names.
    pub(crate) fn is_reserved(self, text: &str) -> bool {
        self.keywords().binary_search(&text).is_ok()
            || (self == Self::C && C_TYPE_NAMES.binary_search(&text).is_ok())
    }

    /// The tree-sitter grammar.
    pub(crate) fn grammar(self) -> tree_sitter::Language {
        match self {
            Self::C => tree_sitter_c::LANGUAGE.into(),
            Self::Java => tree_sitter_java::LANGUAGE.into(),
            Self::Python => tree_sitter_python::LANGUAGE.into(),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::C => "c",
            Self::Java => "java",
            Self::Python => "python",
        })
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        match text {
            "c" => Ok(Self::C),
            "java" => Ok(Self::Java),
            "python" => Ok(Self::Python),
            other => Err(UnknownLanguage(other.to_owned())),
        }
    }
}

const C_KEYWORDS: &[&str] = &[
    "FALSE",
    "NULL",
    "TRUE",
    "_Alignas",
    "_Alignof",
    "_Atomic",
    "_BitInt",
    "_Bool",
    "_Complex",
    "_Decimal128",
    "_Decimal32",
    "_Decimal64",
    "_Generic",
    "_Imaginary",
    "_Nonnull",
    "_Noreturn",
    "_Static_assert",
    "_Thread_local",
    "__alignof",
    "__alignof__",
    "__asm",
    "__asm__",
    "__attribute",
    "__attribute__",
    "__based",
    "__cdecl",
    "__clrcall",
    "__const",
    "__const__",
    "__declspec",
    "__except",
    "__extension__",
    "__fastcall",
    "__finally",
    "__forceinline",
    "__func__",
    "__inline",
    "__inline__",
    "__leave",
    "__restrict",
    "__restrict__",
    "__signed",
    "__signed__",
    "__stdcall",
    "__thiscall",
    "__thread",
    "__try",
    "__typeof",
    "__typeof__",
    "__unaligned",
    "__vectorcall",
    "__volatile",
    "__volatile__",
    "alignas",
    "alignof",
    "asm",
    "auto",
    "bool",
    "break",
    "case",
    "char",
    "const",
    "constexpr",
    "continue",
    "default",
    "defined",
    "do",
    "double",
    "else",
    "enum",
    "extern",
    "false",
    "float",
    "for",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "noreturn",
    "nullptr",
    "offsetof",
    "register",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "static_assert",
    "struct",
    "switch",
    "thread_local",
    "true",
    "typedef",
    "typeof",
    "typeof_unqual",
    "union",
    "unsigned",
    "void",
    "volatile",
    "while",
];

const C_TYPE_NAMES: &[&str] = &[
    "char16_t",
    "char32_t",
    "char64_t",
    "char8_t",
    "charptr_t",
    "int16_t",
    "int32_t",
    "int64_t",
    "int8_t",
    "intptr_t",
    "max_align_t",
    "nullptr_t",
    "ptrdiff_t",
    "size_t",
    "ssize_t",
    "uint16_t",
    "uint32_t",
    "uint64_t",
    "uint8_t",
    "uintptr_t",
];

const JAVA_KEYWORDS: &[&str] = &[
    "_",
    "abstract",
    "assert",
    "boolean",
    "break",
    "byte",
    "case",
    "catch",
    "char",
    "class",
    "const",
    "continue",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "extends",
    "false",
    "final",
    "finally",
    "float",
    "for",
    "goto",
    "if",
    "implements",
    "import",
    "instanceof",
    "int",
    "interface",
    "long",
    "native",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "short",
    "static",
    "strictfp",
    "super",
    "switch",
    "synchronized",
    "this",
    "throw",
    "throws",
    "transient",
    "true",
    "try",
    "void",
    "volatile",
    "while",
];

const PYTHON_KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_lists_are_sorted() {
        for list in [C_KEYWORDS, C_TYPE_NAMES, JAVA_KEYWORDS, PYTHON_KEYWORDS] {
            assert!(list.is_sorted());
        }
    }

    #[test]
    fn identifiers_follow_the_language() {
        let check = |text: &str, legal: &[Language]| {
            for language in [Language::C, Language::Java, Language::Python] {
                let expected = legal.contains(&language);
                assert_eq!(language.is_identifier(text), expected, "`{text}` in {language}");
            }
        };
        let all = [Language::C, Language::Java, Language::Python];
        check("testo_init", &all);
        check("_", &[Language::C, Language::Python]);
        check("x9", &all);
        check("a$b", &[Language::Java]);
        check("$", &[Language::Java]);
        check("match", &all);
        check("", &[]);
        check("9x", &[]);
        check("a b", &[]);
        check("a-b", &[]);
        check("é", &[]);
        check("for", &[]);
        check("int", &[Language::Python]);
        check("None", &[Language::C, Language::Java]);
        check("null", &[Language::C, Language::Python]);
        check("true", &[Language::Python]);
        check("NULL", &[Language::Java, Language::Python]);
        check("size_t", &[Language::Java, Language::Python]);
        check("def", &[Language::C, Language::Java]);
    }

    #[test]
    fn names_round_trip() {
        for language in [Language::C, Language::Java, Language::Python] {
            assert_eq!(language.to_string().parse(), Ok(language));
        }
        let error = "cpp".parse::<Language>().expect_err("not one of the three");
        assert_eq!(error.to_string(), "unknown language `cpp`, expected c, java or python");
    }
}
