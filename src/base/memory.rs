//! Memory that disks read and write directly: aligned, on huge pages, used again.
//!
//! What a disk is given is a list of the physical pages that hold the bytes. 1 MiB in pages of 4 KiB is 256 of them, which is
//! as much as a virtual disk takes in one request and slow to take apart; on one huge page it is a single entry. On the
//! disk that docs/benchmarks.md describes, direct writes from huge pages are 1.7 times as fast. Fresh memory also costs a
//! page fault for every page, so it is never given back to the system: whoever takes pieces bounds how many.

use memmap2::{Advice, MmapMut};
use std::sync::{Mutex, PoisonError};

/// Direct I/O wants memory aligned to the device's block; 4 KiB satisfies all.
pub const ALIGNMENT: usize = 4096;

/// Bytes of a huge page where pages have 4 KiB (x86-64, most of ARM64). Elsewhere pages are larger anyway.
const HUGE_PAGE_LEN: usize = 2 << 20;

/// A piece of memory, aligned to [`ALIGNMENT`]. It belongs to who holds it, for as long as the process lives.
pub type Piece = &'static mut [u8];

/// Pieces of one length that are free.
#[derive(Debug)]
pub struct Pieces {
    piece_len: usize,
    free: Mutex<Vec<Piece>>,
}

impl Pieces {
    pub fn new(piece_len: usize) -> Pieces {
        Pieces { piece_len, free: Mutex::default() }
    }

    /// A piece, which holds anything.
    ///
    /// # Panics
    /// If the system has no more memory.
    pub fn take(&self) -> Piece {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.is_empty() {
            free.extend(map(self.piece_len));
        }
        free.pop().expect("there are some now")
    }

    pub fn give_back(&self, piece: Piece) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(piece);
    }
}

/// As many new pieces as fit a huge page, and at least one.
fn map(piece_len: usize) -> impl Iterator<Item = Piece> {
    let stride = piece_len.next_multiple_of(ALIGNMENT).max(ALIGNMENT);
    let count = (HUGE_PAGE_LEN / stride).max(1);
    let len = (count * stride).next_multiple_of(HUGE_PAGE_LEN);
    // The system may begin it anywhere. What stays unused at its ends is never touched, so it is no memory.
    let mapped = MmapMut::map_anon(len + HUGE_PAGE_LEN).expect("the system has memory");
    let start = mapped.as_ptr().align_offset(HUGE_PAGE_LEN);
    // A system without huge pages says no, and is as good as it was.
    let _ = mapped.advise_range(Advice::HugePage, start, len);
    let mapped: Piece = &mut *Box::leak(Box::new(mapped));
    mapped[start..start + len].chunks_exact_mut(stride).take(count).map(move |piece| &mut piece[..piece_len])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_aligned_apart_from_each_other_and_used_again() {
        for piece_len in [10, ALIGNMENT, 256 << 10, 1 << 20, 3 << 20] {
            let pieces = Pieces::new(piece_len);
            let mut taken: Vec<Piece> = (0..5).map(|_| pieces.take()).collect();
            for (number, piece) in taken.iter_mut().enumerate() {
                assert_eq!((piece.len(), piece.as_ptr().align_offset(ALIGNMENT)), (piece_len, 0));
                piece.fill(number as u8);
            }
            for (number, piece) in taken.iter().enumerate() {
                assert!(
                    piece.iter().all(|byte| *byte == number as u8),
                    "{piece_len}: {number} is another's too"
                );
            }
            let last = taken.pop().unwrap();
            let at = last.as_ptr();
            pieces.give_back(last);
            assert_eq!(pieces.take().as_ptr(), at);
        }
    }
}
