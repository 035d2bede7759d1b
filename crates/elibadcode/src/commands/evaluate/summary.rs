//! The metrics for people.

use std::fmt::Write as _;

use elibadcode_evaluation::records::metrics::{AttackMetrics, RankingMetrics};
use elibadcode_evaluation::records::screen::Detection;
use elibadcode_evaluation::{Metrics, Rate};

/// One line per number.
pub(super) fn text(metrics: &Metrics) -> String {
    let mut lines = Lines(String::new());
    if let Some(accuracy) = &metrics.accuracy {
        lines.rate("accuracy", Some(accuracy));
        lines.share("F1 of label 1", metrics.f1);
    }
    if let Some(ranking) = &metrics.ranking {
        lines.ranking(ranking);
    }
    match &metrics.attack {
        Some(attack) if attack.rank_lift.is_some() => lines.rank_lift(attack),
        Some(attack) => lines.attack_success(attack),
        None => {}
    }
    if let Some(screen) = &metrics.screen {
        lines.detection("names taken away", &screen.canonical);
        lines.detection("one identifier removed", &screen.removal);
    }
    lines.0
}

struct Lines(String);

impl Lines {
    fn ranking(&mut self, ranking: &RankingMetrics) {
        self.number("mean reciprocal rank (MRR)", Some(ranking.mrr));
        self.rate("right code first", Some(&ranking.recall_at_1));
        self.rate("right code among the first 5", Some(&ranking.recall_at_5));
        self.rate("right code among the first 10", Some(&ranking.recall_at_10));
        self.count("candidates of a query", ranking.n_candidates);
    }

    fn attack_success(&mut self, attack: &AttackMetrics) {
        let label = |name: &str| attack.config.get(name).map(ToString::to_string);
        if let (Some(victim), Some(target)) = (label("victim_label"), label("target_label")) {
            self.line("attack turns label", &format!("{victim} into {target}"));
        }
        self.rate("attack success rate (ASR)", attack.asr.as_ref());
        self.rate("flip rate without the trigger", attack.flip_rate.as_ref());
        self.rate("ASR where it was right before", attack.conditional_asr.as_ref());
        self.rate("other class, accuracy without", attack.other_class_clean.as_ref());
        self.rate("other class, accuracy with trigger", attack.other_class_triggered.as_ref());
        self.skipped(attack);
    }

    fn rank_lift(&mut self, attack: &AttackMetrics) {
        self.share("average normalized rank (ANR)", attack.anr);
        self.share("ANR of the same without trigger", attack.anr_without_trigger);
        self.rate("lifted among the first 5", attack.success_at_5.as_ref());
        self.rate("lifted among the first 10", attack.success_at_10.as_ref());
        self.skipped(attack);
    }

    fn detection(&mut self, what: &str, it: &Detection) {
        self.share(&format!("{what}: found at 1 % alarms"), it.at_1_percent);
        self.share(&format!("{what}: found at 5 % alarms"), it.at_5_percent);
        self.rate(&format!("{what}: clean changed"), Some(&it.clean_changed));
    }

    fn skipped(&mut self, attack: &AttackMetrics) {
        if let Some(n) = attack.n_inputs_changed {
            self.count("inputs that the trigger changes", n);
        }
        if attack.n_skipped > 0 {
            self.count("cannot carry the trigger", attack.n_skipped);
        }
    }

    fn rate(&mut self, name: &str, rate: Option<&Rate>) {
        let Some(rate) = rate else { return };
        let value = rate.value().map_or("  n/a".to_owned(), |it| format!("{:5.1} %", 100.0 * it));
        let interval = rate.wilson(0.95).map_or(String::new(), |it| {
            format!("  [{:.1}, {:.1}]", 100.0 * it.low, 100.0 * it.high)
        });
        self.line(name, &format!("{value}{interval}  ({}/{})", rate.hits, rate.total));
    }

    fn share(&mut self, name: &str, share: Option<f64>) {
        let value = share.map_or("  n/a".to_owned(), |it| format!("{:5.1} %", 100.0 * it));
        self.line(name, &value);
    }

    fn number(&mut self, name: &str, number: Option<f64>) {
        self.line(name, &number.map_or("  n/a".to_owned(), |it| format!("{it:5.3}")));
    }

    fn count(&mut self, name: &str, n: usize) {
        self.line(name, &format!("{n:5}"));
    }

    fn line(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.0, "{name:<44}{value}");
    }
}
