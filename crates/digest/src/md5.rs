//! MD5 of one stream in the caller's thread, and what the lanes share with it: state, start value and padding
//! ([RFC 1321](https://www.rfc-editor.org/rfc/rfc1321)). The compression function is in `kernel/`.

use crate::kernel::portable::compress;

/// Bytes in a block; the state changes a block at a time.
pub(crate) const BLOCK: usize = 64;

/// The four words a, b, c, d after some whole number of blocks.
pub(crate) type State = [u32; 4];

/// The state before the first block (RFC 1321, 3.3).
pub(crate) const START: State = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476];

/// The end of every stream: the rest that fills no block, a one bit, zeros, and the length in bits. One block if
/// that fits, else two; the number of bytes is returned.
///
/// `rest` is shorter than a block; `len` is that of the whole stream in bytes (MD5 keeps 64 bits of it in bits).
pub(crate) fn pad(rest: &[u8], len: u64) -> ([u8; 2 * BLOCK], usize) {
    let mut tail = [0; 2 * BLOCK];
    tail[..rest.len()].copy_from_slice(rest);
    tail[rest.len()] = 0x80;
    let tail_len = if rest.len() < BLOCK - 8 { BLOCK } else { 2 * BLOCK };
    tail[tail_len - 8..tail_len].copy_from_slice(&len.wrapping_mul(8).to_le_bytes());
    (tail, tail_len)
}

/// The digest that a state stands for.
pub(crate) fn digest_of(state: State) -> [u8; 16] {
    let mut digest = [0; 16];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    digest
}

/// MD5 over one stream, hashed where it is called. For many large bodies at once see
/// [`Md5Lanes`](crate::Md5Lanes).
#[derive(Clone)]
pub struct Md5 {
    state: State,
    /// Bytes taken in so far.
    len: u64,
    /// The last `len % BLOCK` bytes, which fill no block yet.
    rest: [u8; BLOCK],
}

impl Md5 {
    /// A hasher that has seen nothing.
    pub fn new() -> Md5 {
        Md5 { state: START, len: 0, rest: [0; BLOCK] }
    }

    /// Takes in the next bytes of the stream.
    pub fn update(&mut self, mut bytes: &[u8]) {
        let rest_len = self.rest_len();
        self.len = self.len.wrapping_add(bytes.len() as u64);
        if rest_len > 0 {
            let taken = bytes.len().min(BLOCK - rest_len);
            self.rest[rest_len..rest_len + taken].copy_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if rest_len + taken < BLOCK {
                return;
            }
            compress(&mut self.state, &self.rest);
        }
        let whole = bytes.len() / BLOCK * BLOCK;
        compress(&mut self.state, &bytes[..whole]);
        self.rest[..bytes.len() - whole].copy_from_slice(&bytes[whole..]);
    }

    /// The digest of everything taken in.
    pub fn finish(mut self) -> [u8; 16] {
        let (tail, tail_len) = pad(&self.rest[..self.rest_len()], self.len);
        compress(&mut self.state, &tail[..tail_len]);
        digest_of(self.state)
    }

    fn rest_len(&self) -> usize {
        (self.len % BLOCK as u64) as usize
    }
}

impl Default for Md5 {
    fn default() -> Md5 {
        Md5::new()
    }
}

/// The MD5 of bytes that are all there.
pub fn md5(bytes: &[u8]) -> [u8; 16] {
    let mut md5 = Md5::new();
    md5.update(bytes);
    md5.finish()
}
