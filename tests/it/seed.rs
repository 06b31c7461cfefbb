//! Random numbers that can be had again: every test that uses them prints its seed.

/// A small generator (splitmix64, by Steele, Lea and Flood); good enough to mix test programs.
pub struct Seed(u64);

impl Seed {
    /// The seed of `DOVETAIL_TEST_SEED`, or a fresh one; printed, so that a failure can be replayed.
    pub fn from_environment(test: &str) -> Seed {
        let seed = std::env::var("DOVETAIL_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::from_be_bytes(dovetail::base::random::bytes()));
        println!("{test}: DOVETAIL_TEST_SEED={seed}");
        Seed(seed)
    }

    pub fn new(seed: u64) -> Seed {
        Seed(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.next().to_be_bytes());
        }
        bytes.truncate(len);
        bytes
    }
}
