//! Randomness from the operating system, for names and ids that must not collide or be guessed.

/// `N` random bytes.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the random source")]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system always has randomness after boot");
    bytes
}
