//! The paper's tables: `paper.toml` and the rows of a question.

use anyhow::Result;
use elibadcode_evaluation::PaperCell;
use elibadcode_evaluation::records::results::OWN_DEFENSE;
use serde::Deserialize;

/// One row.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    task: String,
    model: String,
    attack: String,
    /// How the model was defended; [`OWN_DEFENSE`] if absent.
    variant: Option<String>,
    /// The backdoored model.
    #[serde(default)]
    before: Numbers,
    /// The model after the defense.
    #[serde(default)]
    after: Numbers,
    /// What else the paper says.
    note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    score: Option<f64>,
    asr: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    cells: Vec<Row>,
}

impl From<Row> for PaperCell {
    fn from(row: Row) -> Self {
        Self {
            task: row.task,
            model: row.model,
            attack: row.attack,
            variant: row.variant.unwrap_or_else(|| OWN_DEFENSE.to_owned()),
            score_undefended: row.before.score,
            score_repaired: row.after.score,
            asr_undefended: row.before.asr,
            asr_repaired: row.after.asr,
            note: row.note,
        }
    }
}

/// The rows of `paper.toml`.
pub(super) fn cells() -> Result<Vec<PaperCell>> {
    let file: File = toml::from_str(include_str!("../../experiments/paper.toml"))?;
    Ok(file.cells.into_iter().map(PaperCell::from).collect())
}
