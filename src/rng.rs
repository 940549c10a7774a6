//! A small seeded generator for jitter.
//!
//! `SplitMix64` (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014): one word of state, the
//! same sequence for the same seed on every machine. Not for secrets.

/// A seeded generator of numbers that look random.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `low..high`, evenly spread.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        // 53 bits are what an f64 holds exactly.
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let unit = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        low + unit * (high - low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_within_the_bounds() {
        let (mut a, mut b) = (Rng::new(7), Rng::new(7));
        let mut sum = 0.0;
        for _ in 0..10_000 {
            let x = a.between(2.0, 4.0);
            assert!((2.0..4.0).contains(&x), "{x} is out of bounds");
            assert_eq!(x.to_bits(), b.between(2.0, 4.0).to_bits());
            sum += x;
        }
        assert!((sum / 10_000.0 - 3.0).abs() < 0.03, "the mean is {}", sum / 10_000.0);
    }
}
