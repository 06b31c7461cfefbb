//! Randomness from the operating system, for names and ids that must not collide or be guessed.

use std::cell::RefCell;

/// Bytes that a thread gets from the system at a time.
const STOCK_LEN: usize = 512;

struct Stock {
    bytes: [u8; STOCK_LEN],
    used: usize,
}

thread_local! {
    static STOCK: RefCell<Stock> = const { RefCell::new(Stock { bytes: [0; STOCK_LEN], used: STOCK_LEN }) };
}

/// `N` random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    const { assert!(N <= STOCK_LEN) };
    STOCK.with_borrow_mut(|stock| {
        if stock.used + N > STOCK_LEN {
            fill(&mut stock.bytes);
            stock.used = 0;
        }
        let given = &mut stock.bytes[stock.used..stock.used + N];
        let mut bytes = [0; N];
        bytes.copy_from_slice(given);
        given.fill(0);
        stock.used += N;
        bytes
    })
}

#[allow(clippy::disallowed_methods, reason = "the one place that reads the random source")]
fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system always has randomness after boot");
}
