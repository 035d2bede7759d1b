//! A part of the matrix, for machines that share the work.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Error, Result, ensure};

/// Part `index` of `of`, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    index: usize,
    of: usize,
}

impl Shard {
    /// The only part.
    pub(crate) const WHOLE: Self = Self { index: 1, of: 1 };

    /// The items of this part, in their order.
    ///
    /// Items of one group share stages, so that a group is kept together as long as there are
    /// groups enough for all parts. Which part has an item depends on the items only.
    pub(crate) fn part<T, K: PartialEq>(self, items: Vec<T>, group: impl Fn(&T) -> K) -> Vec<T> {
        let mut groups: Vec<K> = Vec::new();
        let mut group_of_item = Vec::with_capacity(items.len());
        for item in &items {
            let key = group(item);
            let known = groups.iter().position(|it| *it == key);
            group_of_item.push(known.unwrap_or(groups.len()));
            if known.is_none() {
                groups.push(key);
            }
        }
        let keeps_groups = groups.len() >= self.of;
        items
            .into_iter()
            .enumerate()
            .filter(|&(item, _)| {
                let place = if keeps_groups { group_of_item[item] } else { item };
                place % self.of == self.index - 1
            })
            .map(|(_, item)| item)
            .collect()
    }

    /// How many parts there are.
    pub(crate) fn count(self) -> usize {
        self.of
    }

    /// All parts of the same whole.
    pub(crate) fn all(of: usize) -> impl Iterator<Item = Self> {
        (1..=of).map(move |index| Self { index, of })
    }

    /// The part's name in folders; nothing for the whole.
    pub(crate) fn folder(self) -> Option<String> {
        (self != Self::WHOLE).then(|| format!("shard-{}-of-{}", self.index, self.of))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (index, of) = text.split_once('/').context("expected I/N, for example 1/4")?;
        let number = |text: &str| {
            text.parse::<usize>()
                .ok()
                .filter(|n| *n > 0)
                .with_context(|| format!("`{text}` in {index}/{of} is not a whole number from 1"))
        };
        let (index, of) = (number(index)?, number(of)?);
        ensure!(index <= of, "there is no part {index} of {of}: the first is 1, the last {of}");
        Ok(Self { index, of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_disjoint_and_complete() {
        // Three attacks on each of three models.
        let items: Vec<usize> = (0..9).collect();
        for of in 1..=12 {
            let mut seen = Vec::new();
            for shard in Shard::all(of) {
                let part = shard.part(items.clone(), |item| item / 3);
                assert!(part.is_sorted());
                if of <= 3 {
                    // Attacks on the same model stay together.
                    assert!(part.chunks(3).all(|it| it.iter().all(|item| item / 3 == it[0] / 3)));
                } else if of <= 9 {
                    assert!(!part.is_empty(), "{shard}");
                }
                seen.extend(part);
            }
            seen.sort_unstable();
            assert_eq!(seen, items);
        }
    }

    #[test]
    fn parts_are_written_as_fractions() {
        let shard: Shard = "2/4".parse().expect("a part");
        assert_eq!(
            (shard.to_string(), shard.folder()),
            ("2/4".into(), Some("shard-2-of-4".into()))
        );
        assert_eq!(("1/1".parse::<Shard>().expect("a part")).folder(), None);
        let refused = |text: &str| text.parse::<Shard>().expect_err("no part").to_string();
        assert_eq!(refused("2"), "expected I/N, for example 1/4");
        assert_eq!(refused("0/4"), "`0` in 0/4 is not a whole number from 1");
        assert_eq!(refused("5/4"), "there is no part 5 of 4: the first is 1, the last 4");
        assert!(refused("1/x").contains("`x`"));
    }
}
