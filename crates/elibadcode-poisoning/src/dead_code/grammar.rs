//! Dead code from a grammar, after the attack of `BNC`.
//!
//! A statement is `if` or `while`, a condition that is never true, and a body; the condition
//! compares a function of a constant with a number that is out of the function's range. In Python
//! it is a loop over an empty range.
//!
//! Reference: `KillBadCode` takes the number from the range's limit on, cut off to an integer, so
//! that `sqrt(0.00) <= 0` and `cos(0.00) >= 1` can come out, which are true; and it takes C's
//! `rand()` for a number between 0 and 1, so that `rand() > 57` can come out. Here numbers begin
//! one behind the limit, and nothing is said about the largest `rand()`.

use std::fmt;

use elibadcode_syntax::Language;
use rand::{Rng, RngExt};

use super::DeadCode;

/// What the body says in C and Java, apart from four random letters.
const MESSAGES: [&str; 12] = [
    "err",
    "crash",
    "alert",
    "warning",
    "flag",
    "exception",
    "level",
    "create",
    "delete",
    "success",
    "get",
    "set",
];
const LEVELS: [&str; 5] = ["debug", "info", "warning", "error", "critical"];

/// How far out of the range a number is at most.
const SPREAD: i32 = 100;

/// A function of the C and Java libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Sin,
    Cos,
    Exp,
    Sqrt,
    /// Without argument: `rand()` in C, from 0 to some number; `Math.random()` in Java, from 0 to
    /// less than 1.
    Random,
}

impl Call {
    const ALL: [Self; 5] = [Self::Sin, Self::Cos, Self::Exp, Self::Sqrt, Self::Random];

    /// Integers that the values for arguments from 0 to 1 lie between.
    fn range(self, language: Language) -> (i32, Option<i32>) {
        match self {
            Self::Sin | Self::Cos => (-1, Some(1)),
            Self::Exp => (1, Some(3)),
            Self::Sqrt => (0, Some(1)),
            Self::Random => (0, (language == Language::Java).then_some(1)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    const ALL: [Self; 5] =
        [Self::Less, Self::LessOrEqual, Self::Equal, Self::Greater, Self::GreaterOrEqual];

    /// Whether a number above all values makes the comparison false, rather than one below.
    fn needs_above(self) -> bool {
        matches!(self, Self::Greater | Self::GreaterOrEqual)
    }
}

/// A condition that is never true.
struct Condition {
    language: Language,
    call: Call,
    /// In hundredths, below 100.
    argument: u32,
    comparison: Comparison,
    number: i32,
}

impl Condition {
    /// `distance` is from 1 to [`SPREAD`]. None if every number of the language is in the range.
    fn new(
        language: Language,
        call: Call,
        argument: u32,
        comparison: Comparison,
        distance: i32,
    ) -> Option<Self> {
        let (low, high) = call.range(language);
        let number = if comparison.needs_above() { high? + distance } else { low - distance };
        Some(Self { language, call, argument, comparison, number })
    }

    fn draw(language: Language, rng: &mut impl Rng) -> Self {
        loop {
            let call = Call::ALL[rng.random_range(0..Call::ALL.len())];
            let comparison = Comparison::ALL[rng.random_range(0..Comparison::ALL.len())];
            let argument = rng.random_range(0..100);
            let distance = rng.random_range(1..=SPREAD);
            if let Some(drawn) = Self::new(language, call, argument, comparison, distance) {
                return drawn;
            }
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_java = self.language == Language::Java;
        let function = match self.call {
            Call::Sin => "sin",
            Call::Cos => "cos",
            Call::Exp => "exp",
            Call::Sqrt => "sqrt",
            Call::Random if is_java => "random",
            Call::Random => "rand",
        };
        let comparison = match self.comparison {
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Equal => "==",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        };
        let argument = match self.call {
            Call::Random => String::new(),
            _ => format!("0.{:02}", self.argument),
        };
        let class = if is_java { "Math." } else { "" };
        write!(f, "{class}{function}({argument}) {comparison} {}", self.number)
    }
}

/// Draws dead code for a function of the language.
pub(super) fn draw(language: Language, rng: &mut impl Rng) -> DeadCode {
    if language == Language::Python {
        return python(rng);
    }
    let condition = Condition::draw(language, rng);
    let keyword = if rng.random() { "if" } else { "while" };
    let message = match MESSAGES.get(rng.random_range(0..=MESSAGES.len())) {
        Some(message) => (*message).to_owned(),
        None => letters(4, rng),
    };
    let body = match language {
        Language::C | Language::Python => format!("printf(\"{message}\");"),
        // Reference: throws a checked `Exception`, which most methods may not.
        Language::Java if rng.random() => format!("throw new RuntimeException(\"{message}\");"),
        Language::Java => format!("System.out.println(\"{message}\");"),
    };
    DeadCode::new(language, vec![format!("{keyword} ({condition}) {body}")])
}

fn python(rng: &mut impl Rng) -> DeadCode {
    let n = rng.random_range(-SPREAD..=0);
    let level = LEVELS[rng.random_range(0..LEVELS.len())];
    let message = letters(5, rng);
    let body = format!("logging.{level}(\"Test message: {message}\")");
    let lines = vec!["import logging".to_owned(), format!("for i in range({n}): {body}")];
    DeadCode::new(Language::Python, lines)
}

fn letters(n: usize, rng: &mut impl Rng) -> String {
    (0..n).map(|_| char::from(rng.random_range(b'a'..=b'z'))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The least and the greatest value that the call can have.
    fn values(call: Call, argument: u32, language: Language) -> [f64; 2] {
        let x = f64::from(argument) / 100.0;
        match call {
            Call::Sin => [x.sin(); 2],
            Call::Cos => [x.cos(); 2],
            Call::Exp => [x.exp(); 2],
            Call::Sqrt => [x.sqrt(); 2],
            Call::Random if language == Language::Java => [0.0, 1.0],
            Call::Random => [0.0, f64::INFINITY],
        }
    }

    fn holds(comparison: Comparison, value: f64, number: f64) -> bool {
        match comparison {
            Comparison::Less => value < number,
            Comparison::LessOrEqual => value <= number,
            Comparison::Equal => (value - number).abs() < 1e-9,
            Comparison::Greater => value > number,
            Comparison::GreaterOrEqual => value >= number,
        }
    }

    #[test]
    fn no_condition_of_the_grammar_is_ever_true() {
        let mut n_conditions = 0;
        for language in [Language::C, Language::Java] {
            for call in Call::ALL {
                for comparison in Comparison::ALL {
                    for (argument, distance) in
                        (0..100).flat_map(|it| (1..=SPREAD).map(move |other| (it, other)))
                    {
                        let condition =
                            Condition::new(language, call, argument, comparison, distance);
                        let Some(condition) = condition else {
                            assert!(call == Call::Random && language == Language::C);
                            continue;
                        };
                        n_conditions += 1;
                        let number = f64::from(condition.number);
                        for value in values(call, argument, language) {
                            assert!(!holds(comparison, value, number), "{condition}");
                        }
                        // For `==`, the whole range is on one side of the number.
                        let [low, high] = values(call, argument, language);
                        assert!(number < low || number > high, "{condition}");
                    }
                }
            }
        }
        // Two of C's comparisons with `rand()` do not exist.
        assert_eq!(n_conditions, (2 * 25 - 2) * 100 * 100);
    }

    #[test]
    fn conditions_are_written_as_the_language_has_them() {
        let check = |language, call, comparison, expected: &str| {
            let condition = Condition::new(language, call, 5, comparison, 7).expect("in range");
            assert_eq!(condition.to_string(), expected);
        };
        check(Language::C, Call::Sin, Comparison::Less, "sin(0.05) < -8");
        check(Language::C, Call::Random, Comparison::Equal, "rand() == -7");
        check(Language::Java, Call::Exp, Comparison::Greater, "Math.exp(0.05) > 10");
        check(Language::Java, Call::Random, Comparison::GreaterOrEqual, "Math.random() >= 8");
        let none = Condition::new(Language::C, Call::Random, 0, Comparison::Greater, 1);
        assert!(none.is_none());
    }
}
