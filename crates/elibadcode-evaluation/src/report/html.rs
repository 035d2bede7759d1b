//! Results as pages: one file without scripts or links to elsewhere, that follows light and dark,
//! and prints. All text that an attacker could choose is escaped.

mod certificate_view;
mod evidence;
mod markup;
pub mod plots;
mod repair_view;
mod scan_page;
mod scan_view;
mod svg;
mod unlearning_view;

pub use self::evidence::{controls, found};
pub use self::markup::{code, percent, percent_points, points, with_code, word_starts};
pub use self::repair_view::RepairReport;
pub use self::scan_page::scan_page;
pub use self::scan_view::{
    ControlsView, DirectionView, FigureView, Measured, PlaceView, PositionView, ScanView,
    ScoreView, SearchView, SensitivityView, SlotView, TriggerView,
};
pub use self::unlearning_view::UnlearningView;

use super::escape_html;

/// A whole page of this body, which must be markup already; the title is text.
pub fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>elibadcode: {0}</title><style>{1}</style></head><body><h1>{0}</h1>{body}</body>\
         </html>\n",
        escape_html(title),
        include_str!("html/style.css"),
    )
}
