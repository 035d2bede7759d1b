//! Results for people: Markdown tables and pages, harmless even where an attacker chose the text.

mod comparison;
mod escape;
pub mod html;
mod table;

pub use comparison::{PaperCell, comparisons_markdown, results_markdown};
pub use escape::{escape_html, escape_untrusted, markdown_code};
pub use table::markdown_table;
