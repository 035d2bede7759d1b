//! `canonicalize`: functions in, the same functions with canonical names out.

use std::fmt::Write as _;
use std::io::{BufRead, Read, Write};

use anyhow::{Context as _, Result, bail};
use elibadcode_corpus::{MAX_ROW_BYTES, open_text, stage_rng, text_reader};
use elibadcode_syntax::{CanonicalOptions, Language, canonicalize_text, law_violation};
use rand::RngExt;
use rayon::prelude::*;

use crate::args::{CanonicalizeArgs, Global};
use crate::context::{Context, is_another_language};
use crate::row::{self, Field};
use crate::{Outcome, output};

/// Rows that are worked on at the same time.
const BATCH_ROWS: usize = 512;
/// A batch ends after this many bytes even if it has fewer rows.
const BATCH_BYTES: usize = 8 << 20;

/// Fields that hold the function, if nothing else is said.
const FIELDS: [&str; 2] = ["func", "code"];
/// Fields of public corpora that can hold it once more, as text and as tokens.
const TEXTS: [&str; 5] =
    ["func", "code", "original_string", "whole_func_string", "func_code_string"];
const TOKENS: [&str; 3] = ["code_tokens", "func_code_tokens", "function_tokens"];

/// One function and where it comes from.
struct Input {
    /// The file, and in it the line.
    place: String,
    row: Option<(String, Field)>,
    code: String,
}

/// What came of one function.
struct Done {
    output: String,
    has_errors: bool,
    is_violation: bool,
}

/// How many there were.
#[derive(Default)]
struct Tally {
    functions: usize,
    with_errors: usize,
    bad_rows: usize,
    violations: usize,
    /// Fields of the first row that hold the function, too.
    copies: Vec<&'static str>,
}

struct Plan<'a> {
    args: &'a CanonicalizeArgs,
    options: CanonicalOptions,
    seed: u64,
}

pub(crate) fn run(args: &CanonicalizeArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "canonicalize");
    if let Some(path) = &args.output {
        output::check_file(path, global.force)?;
    }
    let options = CanonicalOptions {
        function_name_only: args.function_name_only,
        strip_comments: !args.keep_comments,
    };
    let plan = Plan { args, options, seed: global.seed };
    let mut tally = Tally::default();
    if let Some(path) = &args.output {
        output::write_file(path, |out| plan.run(out, &mut tally))?;
    } else if args.check_law.is_some() {
        let mut found = Vec::new();
        plan.run(&mut found, &mut tally)?;
        context.print(&String::from_utf8_lossy(&found))?;
    } else {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        plan.run(&mut out, &mut tally)?;
        out.flush()?;
    }
    if global.record.is_some() {
        for path in &args.files {
            context.note_file(path)?;
        }
    }
    let mut text =
        format!("{} functions, {} with syntax errors", tally.functions, tally.with_errors);
    if tally.with_errors > 0 && !args.strict {
        text.push_str(", in which names may be left (--strict refuses them)");
    }
    if args.keep_going {
        let _ = write!(text, ", {} bad rows left out", tally.bad_rows);
    }
    if let Some(n) = args.check_law {
        let _ = write!(text, ", {n} renamings each: {} break the law", tally.violations);
    }
    context.say(&text);
    if !tally.copies.is_empty() {
        context.warn(&format!(
            "the rows have the function in {}, too, where it keeps its names: leave these fields out for programs \
             that read them",
            tally.copies.join(", ")
        ));
    }
    context.finish(&options)?;
    Ok(if tally.violations > 0 { Outcome::Found } else { Outcome::Done })
}

impl Plan<'_> {
    fn run(&self, out: &mut dyn Write, tally: &mut Tally) -> Result<()> {
        if self.args.files.is_empty() {
            let reader = text_reader(std::io::stdin()).context("reading standard input")?;
            self.read("standard input", reader, out, tally)?;
        }
        for path in &self.args.files {
            self.read(&path.display().to_string(), open_text(path)?, out, tally)?;
        }
        let Tally { functions, with_errors, .. } = *tally;
        if is_another_language(with_errors, functions) {
            bail!(
                "{with_errors} of {functions} functions do not parse as {}, and keep names; --language \
                 says which language they are in",
                self.args.language
            );
        }
        Ok(())
    }

    fn read(
        &self,
        name: &str,
        mut reader: impl BufRead,
        out: &mut dyn Write,
        tally: &mut Tally,
    ) -> Result<()> {
        if !self.args.jsonl {
            let mut bytes = Vec::new();
            reader
                .take(MAX_ROW_BYTES)
                .read_to_end(&mut bytes)
                .with_context(|| format!("reading {name}"))?;
            if bytes.len() as u64 == MAX_ROW_BYTES {
                bail!("{name}: the text is longer than {} MiB", MAX_ROW_BYTES >> 20);
            }
            let code = utf8(bytes).map_err(|problem| anyhow::anyhow!("{name}: {problem}"))?;
            let first_line = code.lines().next().unwrap_or_default();
            if serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(first_line).is_ok() {
                bail!("{name} holds rows of JSON, not source text: say --jsonl");
            }
            let input = Input { place: name.to_owned(), row: None, code };
            return self.work(&[input], out, tally);
        }
        let mut batch = Vec::new();
        let mut n_bytes = 0;
        for line_number in 1_usize.. {
            let mut line = Vec::new();
            let n_read = reader
                .by_ref()
                .take(MAX_ROW_BYTES)
                .read_until(b'\n', &mut line)
                .with_context(|| format!("reading {name}"))?;
            let place = format!("{name}, line {line_number}");
            if n_read as u64 == MAX_ROW_BYTES && line.last() != Some(&b'\n') {
                if !self.args.keep_going {
                    self.work(&batch, out, tally)?;
                    bail!("{place}: the row is longer than {} MiB", MAX_ROW_BYTES >> 20);
                }
                reader.skip_until(b'\n').with_context(|| format!("reading {name}"))?;
                tally.bad_rows += 1;
                continue;
            }
            if n_read > 0 && line.trim_ascii().is_empty() {
                continue;
            }
            n_bytes += n_read;
            if n_read == 0 || batch.len() == BATCH_ROWS || n_bytes > BATCH_BYTES {
                self.work(&batch, out, tally)?;
                batch.clear();
                n_bytes = n_read;
            }
            if n_read == 0 {
                return Ok(());
            }
            match self.parse_row(line) {
                Ok((row, mut field)) => {
                    if tally.functions == 0 && batch.is_empty() {
                        tally.copies = self.copies(&row);
                    }
                    let code = std::mem::take(&mut field.value);
                    batch.push(Input { place, row: Some((row, field)), code });
                }
                Err(_) if self.args.keep_going => tally.bad_rows += 1,
                Err(problem) => {
                    self.work(&batch, out, tally)?;
                    bail!("{place}: {problem}");
                }
            }
        }
        Ok(())
    }

    fn parse_row(&self, mut line: Vec<u8>) -> Result<(String, Field), String> {
        line.truncate(line.trim_ascii_end().len());
        let row = utf8(line)?;
        let field = match &self.args.field {
            Some(name) => row::find(&row, &[name])?,
            None => row::find(&row, &FIELDS)?,
        };
        Ok((row, field))
    }

    /// Fields that hold the function beside the one that is changed.
    fn copies(&self, row: &str) -> Vec<&'static str> {
        let has = |name: &str| row::find(row, &[name]).is_ok();
        let has_tokens = |name: &str| row.contains(&format!("\"{name}\""));
        let own = self.args.field.as_deref().or(FIELDS.into_iter().find(|name| has(name)));
        let others = TEXTS.into_iter().filter(|name| has(name) && own != Some(name));
        others.chain(TOKENS.into_iter().filter(|name| has_tokens(name))).collect()
    }

    /// Works on a batch in parallel and writes the results in order.
    fn work(&self, batch: &[Input], out: &mut dyn Write, tally: &mut Tally) -> Result<()> {
        let first = tally.functions;
        let done: Vec<Done> = batch
            .par_iter()
            .enumerate()
            .map(|(index, input)| self.one(input, first + index))
            .collect();
        for (Done { output, has_errors, is_violation }, input) in done.into_iter().zip(batch) {
            if has_errors && self.args.strict {
                bail!(
                    "{}: does not parse as {}, so that names may be left",
                    input.place,
                    self.args.language
                );
            }
            out.write_all(output.as_bytes())?;
            tally.functions += 1;
            tally.with_errors += usize::from(has_errors);
            tally.violations += usize::from(is_violation);
        }
        Ok(())
    }

    fn one(&self, input: &Input, index: usize) -> Done {
        let language: Language = self.args.language;
        let canonical = canonicalize_text(&input.code, language, &self.options);
        let has_errors = canonical.has_errors;
        if let Some(n_renamings) = self.args.check_law {
            let mut rng = stage_rng(self.seed, &format!("canonical law {index}"));
            let mut pick = |n: usize| rng.random_range(0..n);
            let violation =
                law_violation(&input.code, language, &self.options, n_renamings, &mut pick);
            let is_violation = violation.is_some();
            let output =
                violation.map_or(String::new(), |it| format!("{}: {}\n", input.place, it.problem));
            return Done { output, has_errors, is_violation };
        }
        let output = match &input.row {
            _ if self.args.names => {
                let names = serde_json::json!({
                    "names": canonical.names,
                    "has_errors": has_errors,
                });
                format!("{names}\n")
            }
            Some((row, field)) => format!("{}\n", row::replace(row, field, &canonical.text)),
            None => canonical.text,
        };
        Done { output, has_errors, is_violation: false }
    }
}

fn utf8(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes)
        .map_err(|error| format!("byte {} is not UTF-8", error.utf8_error().valid_up_to() + 1))
}
