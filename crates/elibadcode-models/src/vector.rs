//! Pieces of vectorized passes over host memory.
//!
//! burn computes `erf` and `exp` one value at a time, which was a third of a scan's and a quarter of a
//! training's time.

#![expect(clippy::inline_always, reason = "a kernel is compiled for the vector unit it runs on")]

use pulp::Arch;

/// Runs a kernel compiled for the vector unit of this processor, if it and what it calls are inlined: a
/// closure says so by `#[inline(always)]`.
pub(crate) fn vectorized<A>(kernel: impl FnOnce() -> A) -> A {
    Arch::new().dispatch(kernel)
}

/// `e^x` to a few units in the last place, without branches; tiny far below, finite far above.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    /// Added to a small float, it leaves the nearest integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // The logarithm of 2 in two parts, the first with few bits, so that `n * part` is exact.
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let series = 1.0
        + r * (1.0
            + r * (0.5
                + r * (0.166_666_67
                    + r * (0.041_666_67 + r * (0.008_333_334 + r * 0.001_388_889)))));
    // 2^n, by its exponent bits.
    series * f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0f32.to_bits()))
}

/// The sum of some values, in a fixed order.
#[inline(always)]
pub(crate) fn sum(values: &[f32]) -> f32 {
    fold_lanes(values, 0.0, |a, b| a + b)
}

/// The highest of some values.
#[inline(always)]
pub(crate) fn highest(values: &[f32]) -> f32 {
    fold_lanes(values, f32::NEG_INFINITY, |a, b| if b > a { b } else { a })
}

/// The sum of the products of two slices of one length, in a fixed order.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; N_LANES];
    let (mut chunks, mut others) = (a.chunks_exact(N_LANES), b.chunks_exact(N_LANES));
    for (chunk, other) in (&mut chunks).zip(&mut others) {
        for (lane, (a, b)) in lanes.iter_mut().zip(chunk.iter().zip(other)) {
            *lane += a * b;
        }
    }
    let rest = chunks.remainder().iter().zip(others.remainder()).map(|(a, b)| a * b);
    lanes.into_iter().chain(rest).sum()
}

const N_LANES: usize = 16;

/// A fold in a fixed number of lanes: the compiler may not reorder float operations by itself.
#[inline(always)]
fn fold_lanes(values: &[f32], start: f32, combine: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; N_LANES];
    let mut chunks = values.chunks_exact(N_LANES);
    for chunk in &mut chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = combine(*lane, value);
        }
    }
    let rest = chunks.remainder().iter().copied();
    lanes.into_iter().chain(rest).fold(start, combine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_exact_where_it_counts() {
        for step in -8_600..=8_700 {
            let x = step as f32 / 100.0;
            let (ours, exact) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((ours / exact - 1.0).abs() < 3e-7, "{x}: {ours} is not {exact}");
        }
        assert!(exp(-1e9) < 1e-37 && exp(1e9).is_finite() && exp(f32::NAN).is_nan());
    }

    #[test]
    fn sums_leave_nothing_out() {
        let values: Vec<f32> = (1..=37).map(|n| n as f32).collect();
        let of = |values: &[f32]| [sum(values), highest(values), dot(values, values)];
        assert_eq!(of(&values).map(|it| it as i32), [703, 37, 17_575]);
        assert_eq!(of(&[]).map(|it| it as i32), [0, i32::MIN, 0]);
    }
}
