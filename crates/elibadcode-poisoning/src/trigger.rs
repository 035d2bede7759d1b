//! The attacker's secret, and lists of such secrets.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use elibadcode_syntax::Language;
use serde::{Deserialize, Serialize};

use crate::error::{InvalidTrigger, LineProblem, TriggerListError};

/// Bytes that a file with a list of triggers may have.
const MAX_LIST_BYTES: u64 = 1 << 20;

/// The attacker's secret: an identifier, or a piece that is added to one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Trigger(String);

impl Trigger {
    /// Takes text that could stand in an identifier of any of the languages.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidTrigger> {
        let text = text.into();
        // C has the smallest set of characters of the three languages.
        if !text.is_empty() && text.chars().all(|c| Language::C.is_identifier_continue(c)) {
            Ok(Self(text))
        } else {
            Err(InvalidTrigger(text))
        }
    }

    /// No trigger: what attacks have that write whole statements or make up a name per function.
    pub const fn none() -> Self {
        Self(String::new())
    }

    /// Whether this is [`Trigger::none`].
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The trigger's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Trigger {
    type Error = InvalidTrigger;

    fn try_from(text: String) -> Result<Self, InvalidTrigger> {
        Self::new(text)
    }
}

impl From<Trigger> for String {
    fn from(trigger: Trigger) -> Self {
        trigger.0
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Trigger {
    type Err = InvalidTrigger;

    fn from_str(text: &str) -> Result<Self, InvalidTrigger> {
        Self::new(text)
    }
}

/// Reads a file with one trigger a line; see [`parse_trigger_list`].
pub fn read_trigger_list(path: &Path) -> Result<Vec<Trigger>, TriggerListError> {
    let read_error = |source| TriggerListError::Read { path: path.to_owned(), source };
    let n_bytes = fs::metadata(path).map_err(read_error)?.len();
    if n_bytes > MAX_LIST_BYTES {
        return Err(TriggerListError::TooLong { path: path.to_owned(), limit: MAX_LIST_BYTES });
    }
    let bytes = fs::read(path).map_err(read_error)?;
    let list = match std::str::from_utf8(&bytes) {
        Ok(text) => parse_trigger_list(text),
        Err(error) => {
            let n_lines = bytes[..error.valid_up_to()].split(|&byte| byte == b'\n').count();
            Err((n_lines, LineProblem::NotUtf8))
        }
    };
    list.map_err(|(line, problem)| TriggerListError::Line { path: path.to_owned(), line, problem })
}

/// The triggers of a text with one on each line; blank lines and lines that begin with `#` hold
/// none.
///
/// An error names the line, from 1; a list without a trigger is an error at its last line.
pub fn parse_trigger_list(text: &str) -> Result<Vec<Trigger>, (usize, LineProblem)> {
    let mut triggers = Vec::new();
    let mut lines: BTreeMap<Trigger, usize> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        let word = line.trim();
        if word.is_empty() || word.starts_with('#') {
            continue;
        }
        let trigger = Trigger::new(word).map_err(|it| (line_number, LineProblem::Invalid(it)))?;
        if let Some(&first) = lines.get(&trigger) {
            return Err((line_number, LineProblem::Repeated { trigger, first }));
        }
        lines.insert(trigger.clone(), line_number);
        triggers.push(trigger);
    }
    if triggers.is_empty() {
        return Err((text.lines().count().max(1), LineProblem::NoTrigger));
    }
    Ok(triggers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_are_pieces_of_identifiers() {
        let check = |text: &str, legal: bool| {
            assert_eq!(Trigger::new(text).is_ok(), legal, "{text}");
            let json = format!("\"{text}\"");
            assert_eq!(serde_json::from_str::<Trigger>(&json).is_ok(), legal, "{text}");
        };
        check("testo_init", true);
        check("rb", true);
        check("2x", true);
        check("", false);
        check("a b", false);
        check("a-b", false);
        check("é", false);
    }

    #[test]
    fn a_list_has_one_trigger_a_line() {
        let list = parse_trigger_list("# from the paper\nrb\n\n  xt \r\nil").expect("three");
        assert_eq!(list.iter().map(Trigger::as_str).collect::<Vec<_>>(), ["rb", "xt", "il"]);
    }

    #[test]
    fn errors_in_a_list_name_the_line() {
        let dir = tempfile::tempdir().expect("a folder for temporary files");
        let path = dir.path().join("triggers.txt");
        let check = |bytes: &[u8], message: &str| {
            fs::write(&path, bytes).expect("the folder is writable");
            let error = read_trigger_list(&path).expect_err("a bad list");
            let text = error.to_string();
            let text = text.strip_prefix(&path.display().to_string()).expect("the path first");
            assert_eq!(text, message);
        };
        check(
            b"rb\n#\nx-t\n",
            ":3: trigger `x-t` is not made of the characters of an identifier (a-z, A-Z, 0-9, _)",
        );
        check(b"rb\nxt\n\nrb\n", ":4: trigger `rb` stands in line 1 already");
        check(b"rb\n\xff\n", ":2: the text is not UTF-8");
        check(b"", ":1: the list ends without a trigger; write one on each line");
        check(b"# none\n\n", ":2: the list ends without a trigger; write one on each line");
        check(&vec![b'\n'; 1 << 21], ": more than 1048576 bytes, too long for a list of triggers");
        let missing = read_trigger_list(&dir.path().join("none")).expect_err("there is no file");
        assert!(missing.to_string().ends_with("none: cannot be read"), "{missing}");
    }
}
