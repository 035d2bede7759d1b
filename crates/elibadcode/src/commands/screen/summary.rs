//! What was flagged, for people.

use std::fmt::Write as _;

use elibadcode_evaluation::escape_untrusted;
use elibadcode_evaluation::records::screen::{FlaggedSubject, NameEvidence, ScreenReport};

/// Flagged subjects that are printed; the document has all.
const N_SHOWN: usize = 20;

/// One line per flagged subject, then how often clean ones are flagged.
pub(super) fn text(report: &ScreenReport) -> String {
    let mut text = String::new();
    for subject in report.flagged.iter().take(N_SHOWN) {
        let _ = writeln!(text, "{}", line(subject));
    }
    if report.flagged.len() > N_SHOWN {
        let _ = writeln!(text, "and {} more", report.flagged.len() - N_SHOWN);
    }
    if report.clean.is_some() && !report.flagged.is_empty() {
        text += "(p: the share of clean ones that are as suspicious, itself counted as one)\n";
    }
    let _ = writeln!(
        text,
        "{} of {} flagged{}{}",
        report.flagged.len(),
        report.n_subjects,
        if report.flagged.is_empty() { "" } else { ": the answer hangs on names or comments" },
        match report.n_with_errors {
            0 => String::new(),
            n => format!("; {n} do not parse"),
        }
    );
    if report.clean.is_none() && !report.flagged.is_empty() {
        let _ = writeln!(
            text,
            "how many clean functions would be flagged, too, is not known (--clean says): this is no \
             evidence of an attack"
        );
    }
    if let Some(clean) = &report.clean {
        let alarms = &clean.false_alarms;
        if let Some(rate) = clean.wanted_rate {
            // These very samples set the threshold: their own rate says nothing new.
            let _ = writeln!(
                text,
                "false alarms: at most {:.1} % of clean ones like the {} that set the threshold",
                100.0 * rate,
                alarms.total
            );
            return text;
        }
        let percent = |value: Option<f64>| value.map_or(f64::NAN, |it| 100.0 * it);
        let interval = alarms.wilson(0.95);
        let _ = writeln!(
            text,
            "false alarms: {:.1} % of clean ones [{:.1}, {:.1}]  ({}/{})",
            percent(alarms.value()),
            percent(interval.map(|it| it.low)),
            percent(interval.map(|it| it.high)),
            alarms.hits,
            alarms.total
        );
    }
    text
}

fn line(subject: &FlaggedSubject) -> String {
    let mut text = format!("{}: ", escape_untrusted(&subject.place));
    if let (Some(own), Some(without)) = (subject.label, subject.label_without_names)
        && own != without
    {
        let _ = write!(text, "label {own}, without names {without}; ");
    }
    match &subject.responsible {
        Some(name) => {
            let share = subject.names.iter().find(|it| it.name == *name).map(NameEvidence::share);
            let _ = write!(text, "it hangs on `{}`", escape_untrusted(name));
            // Of the change that all names make together; one name can change a label that all do not.
            let is_changed =
                subject.label.is_none() || subject.label != subject.label_without_names;
            if let Some(share) = share.filter(|_| is_changed) {
                let _ = write!(text, " ({:.0} % of the change)", 100.0 * share);
            }
        }
        None if subject.comments > 0.0 => text.push_str("it hangs on comments"),
        None => text.push_str("it hangs on no single name"),
    }
    if let Some(p_value) = subject.p_value {
        let _ = write!(text, ", p = {p_value:.3}");
    }
    text
}
