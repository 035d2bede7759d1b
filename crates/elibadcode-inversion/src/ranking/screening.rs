//! Every word on its own, before any search: to which of them can a trigger be tied more closely than
//! clean code is?
//!
//! The words of the queries are known, and their vectors are the same for every trigger. So every
//! word gets its own trigger: the token of the vocabulary that goes with it best, and greedy steps
//! from there. A natural trigger is found in few steps and gains little by more; a planted one of
//! many tokens gains with each of them. So the steps go to the promising half of the words, then to
//! the promising half of those, and so on (successive halving).

use rand::{Rng, RngExt};

use super::clean_code::CleanCode;
use super::climb::{Climb, Climber, ScreenedPair, dot, mean};
use super::objective::RankingObjective;
use super::{MAX_START_DRAWS, Spaces};
use crate::config::{ScanConfig, StartRule};
use crate::error::Error;
use crate::event::{ScanEvent, Screened};
use crate::expected::climbing_step;
use crate::masking::TriggerIds;
use crate::space::TriggerSpace;
use crate::start::by_parts;

/// With this many words left there is no further halving.
const SURVIVORS: usize = 6;

/// Finds a trigger for every word, of those that are not `known` to go with it; the most promising
/// words first: those with the most steps, and among them the closest, beyond what clean code is.
pub(crate) fn screen(
    objective: &RankingObjective<'_>,
    spaces: Spaces<'_>,
    clean: &CleanCode<'_>,
    config: &ScanConfig,
    rng: &mut impl Rng,
    observe: &mut dyn FnMut(ScanEvent),
) -> Result<Vec<ScreenedPair>, Error> {
    let screening = Screening::new(Climber::new(objective, spaces, config), clean, observe);
    let mut climbs = screening.starts(rng)?;
    let mut n_left = climbs.len();
    while n_left > 0 {
        for (done, climb) in climbs[..n_left].iter_mut().enumerate() {
            observe(ScanEvent::Screening { screened: Screened::Words, done, total: n_left });
            for _ in 0..config.screening_steps {
                screening.climber.step(climb, rng);
            }
        }
        climbs[..n_left].sort_by(|a, b| {
            b.best.affinity.total_cmp(&a.best.affinity).then(a.best.word.cmp(&b.best.word))
        });
        n_left = halved(n_left, config);
    }
    Ok(climbs.into_iter().map(|climb| climb.best).collect())
}

/// How many words the next round keeps of those of the last; 0 if there is none.
fn halved(n_words: usize, config: &ScanConfig) -> usize {
    let is_last = n_words <= SURVIVORS || config.screening_steps == 0;
    if is_last { 0 } else { (n_words / 2).max(SURVIVORS) }
}

/// Functions through the model for a screening of so many words and tokens.
pub(crate) fn screening_forwards(
    config: &ScanConfig,
    (n_words, n_tokens): (usize, usize),
    n_samples: usize,
) -> u64 {
    if config.start_rule == StartRule::Random {
        return 0;
    }
    let n_samples = n_samples.min(super::climb::SAMPLES);
    let rounds = std::iter::successors(Some(n_words), |&n| Some(halved(n, config)));
    let n_climbs: usize = rounds.take_while(|&n| n > 0).sum();
    let n_steps = (n_climbs * config.screening_steps) as u64;
    (n_tokens * n_samples) as u64 + n_steps * climbing_step(config, n_samples)
}

/// Every word's start, from all tokens on their own.
struct Screening<'a> {
    climber: Climber<'a>,
    clean: &'a CleanCode<'a>,
    tokens: Vec<TriggerIds>,
    /// The mean vector of the functions with each token.
    codes: Vec<Vec<f64>>,
    average_code: Vec<f64>,
}

impl<'a> Screening<'a> {
    fn new(
        climber: Climber<'a>,
        clean: &'a CleanCode<'a>,
        observe: &mut dyn FnMut(ScanEvent),
    ) -> Self {
        let tokens = climber.spaces.triggers.single_tokens();
        let codes = by_parts(&tokens, observe, |part| climber.mean_codes(part));
        let average_code = mean(&codes);
        Self { climber, clean, tokens, codes, average_code }
    }

    /// Every word with its best token, but for words that clean samples tie to every token.
    fn starts(&self, rng: &mut impl Rng) -> Result<Vec<Climb>, Error> {
        let climber = &self.climber;
        let mut climbs = Vec::new();
        for (word, direction) in climber.directions() {
            // What single tokens do on average is no affinity yet, nor is what clean code has.
            let clean = self.clean.affinity(word, &direction);
            let origin = dot(&self.average_code, &direction) + clean;
            let affinities = self.codes.iter().map(|code| dot(code, &direction) - origin);
            let mut allowed: Vec<(f64, &TriggerIds)> =
                affinities.zip(&self.tokens).filter(|(_, it)| climber.allows(it, word)).collect();
            allowed.sort_by(|(a, _), (b, _)| b.total_cmp(a));
            let Some(&(affinity, token)) = allowed.first() else { continue };
            let start = ScreenedPair { trigger: token.clone(), word, affinity, n_steps: 0 };
            let tokens: Vec<&TriggerIds> = allowed.into_iter().map(|(_, token)| token).collect();
            let candidates = self.full_length(&tokens, word, rng)?;
            // A single token has no slots to climb with.
            let mut climb = Climb::new(start, direction, origin);
            if climber.go_on(&mut climb, candidates) {
                climbs.push(climb);
            }
        }
        Ok(climbs)
    }

    /// Triggers of full length from the best tokens: one in a random trigger, one again and again,
    /// and one of each.
    fn full_length(
        &self,
        tokens: &[&TriggerIds],
        word: u32,
        rng: &mut impl Rng,
    ) -> Result<Vec<TriggerIds>, Error> {
        let Climber { spaces: Spaces { triggers, .. }, config, .. } = self.climber;
        let allows = |trigger: &TriggerIds| self.climber.allows(trigger, word);
        let mut candidates: Vec<TriggerIds> =
            grown(tokens[0], triggers, config, &allows, rng)?.into_iter().collect();
        let ids = |keeps_name: bool| {
            tokens.iter().filter(move |it| it.keeps_name == keeps_name).map(|it| it.ids[0])
        };
        if let (Some(first), Some(rest)) = (ids(false).next(), ids(true).next()) {
            let n_rest = config.trigger_len - 1;
            let again = std::iter::once(first).chain(std::iter::repeat_n(rest, n_rest));
            let each = std::iter::once(first).chain(ids(true).take(n_rest));
            let full = [again.collect(), each.collect()].map(TriggerIds::replacing);
            candidates.extend(full.into_iter().filter(|it| triggers.is_legal(it) && allows(it)));
        }
        Ok(candidates)
    }
}

/// A random legal trigger of full length with these tokens in it, if one is drawn that is allowed.
pub(crate) fn grown(
    part: &TriggerIds,
    triggers: &TriggerSpace<'_>,
    config: &ScanConfig,
    is_allowed: &dyn Fn(&TriggerIds) -> bool,
    rng: &mut impl Rng,
) -> Result<Option<TriggerIds>, Error> {
    let n = config.trigger_len;
    if part.ids.len() >= n && !part.keeps_name {
        return Ok(Some(part.clone()));
    }
    for _ in 0..MAX_START_DRAWS {
        let mut trigger = triggers.random(n, false, rng)?;
        let room = n.saturating_sub(part.ids.len());
        let start = if part.keeps_name && room > 0 { rng.random_range(1..=room) } else { 0 };
        for (slot, &id) in trigger.ids[start..].iter_mut().zip(&part.ids) {
            *slot = id;
        }
        if triggers.is_legal(&trigger) && is_allowed(&trigger) {
            return Ok(Some(trigger));
        }
    }
    Ok(None)
}
