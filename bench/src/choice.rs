//! Random choices: cheap, repeatable from a seed, and good enough for a load (never for secrets).

use crate::Skew;

/// A small generator of random numbers: a Weyl sequence whose values are mixed well ("`SplitMix64`").
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to, and without, `bound`, which is above 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        let wide = (self.next_u64() >> 32) * u64::from(bound);
        u32::try_from(wide >> 32).expect("below a u32")
    }

    /// A number from 0 up to, and without, 1.
    pub fn unit(&mut self) -> f64 {
        let top = u32::try_from(self.next_u64() >> 32).expect("32 bits");
        f64::from(top) / 4_294_967_296.0
    }
}

/// Chooses chats from 0 up to a count.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Chooser {
    Uniform(u32),
    Zipf(Zipf),
}

impl Chooser {
    pub(crate) fn new(count: u32, skew: Skew) -> Self {
        match skew {
            Skew::Zipf { exponent } if count > 1 => Self::Zipf(Zipf::new(count, exponent)),
            Skew::Zipf { .. } | Skew::Uniform => Self::Uniform(count),
        }
    }

    pub(crate) fn choose(&self, rng: &mut Rng) -> u32 {
        match self {
            Self::Uniform(count) => rng.below(*count),
            Self::Zipf(zipf) => zipf.rank(rng) - 1,
        }
    }
}

/// Ranks 1 to n in proportion to 1/k^s, without a table: rejection-inversion (Hörmann and Derflinger, 1996).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Zipf {
    count: f64,
    s: f64,
    low: f64,
    high: f64,
    sure: f64,
}

impl Zipf {
    fn new(count: u32, s: f64) -> Self {
        let mut zipf = Self { count: f64::from(count), s, low: 0.0, high: 0.0, sure: 0.0 };
        zipf.low = zipf.integral(1.5) - 1.0;
        zipf.high = zipf.integral(zipf.count + 0.5);
        zipf.sure = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.density(2.0));
        zipf
    }

    fn density(&self, x: f64) -> f64 {
        x.powf(-self.s)
    }

    /// The integral of the density from 1 to `x`.
    fn integral(&self, x: f64) -> f64 {
        let t = 1.0 - self.s;
        if t.abs() < 1e-9 { x.ln() } else { (t * x.ln()).exp_m1() / t }
    }

    fn inverse(&self, y: f64) -> f64 {
        let t = 1.0 - self.s;
        if t.abs() < 1e-9 { y.exp() } else { ((y * t).max(-1.0).ln_1p() / t).exp() }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 1..=count, a u32"
    )]
    fn rank(&self, rng: &mut Rng) -> u32 {
        loop {
            let y = self.high + rng.unit() * (self.low - self.high);
            let x = self.inverse(y);
            let k = x.round().clamp(1.0, self.count);
            if k - x <= self.sure || y >= self.integral(k + 0.5) - self.density(k) {
                return k as u32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zipf_gives_each_rank_its_share() {
        for s in [0.5, 0.99, 1.0, 1.5] {
            const COUNT: u32 = 50;
            const DRAWS: u32 = 400_000;
            let zipf = Zipf::new(COUNT, s);
            let mut rng = Rng::new(7);
            let mut seen = vec![0_u32; COUNT as usize];
            for _ in 0..DRAWS {
                seen[zipf.rank(&mut rng) as usize - 1] += 1;
            }
            let total: f64 = (1..=COUNT).map(|k| f64::from(k).powf(-s)).sum();
            for k in 1..=COUNT {
                let expected = f64::from(k).powf(-s) / total * f64::from(DRAWS);
                let got = f64::from(seen[k as usize - 1]);
                assert!(
                    (got - expected).abs() < 6.0 * expected.sqrt(),
                    "s {s}, rank {k}: {got}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn uniform_reaches_every_chat_and_no_other() {
        let mut rng = Rng::new(1);
        let mut seen = [0; 7];
        for _ in 0..7_000 {
            seen[rng.below(7) as usize] += 1;
        }
        assert!(seen.iter().all(|&n| n > 800 && n < 1_200), "{seen:?}");
        assert!((0..1000).map(|_| rng.unit()).all(|u| (0.0..1.0).contains(&u)));
    }
}
