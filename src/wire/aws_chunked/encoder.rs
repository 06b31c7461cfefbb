//! Frames a body as aws-chunked, for the client and for tests.

use bytes::Bytes;
use dovetail_digest::{Algorithm, Digest};
use sha2::{Digest as _, Sha256};

use super::TRAILER_SIGNATURE;
use super::signing::Chain;
use crate::wire::checksum;
use crate::wire::sigv4::{PayloadKind, Signed};

const CRLF: Bytes = Bytes::from_static(b"\r\n");

/// Frames one body: `chunk` for each piece, then `finish`.
#[derive(Debug)]
pub struct Encoder {
    chain: Option<Chain>,
    signs_trailer: bool,
}

impl Encoder {
    /// # Panics
    /// If `kind` is not chunked, or is signed and `signed` is missing.
    pub fn new(kind: PayloadKind, signed: Option<&Signed>) -> Encoder {
        assert!(kind.is_chunked(), "{kind:?} is not aws-chunked");
        let is_signed = kind != PayloadKind::UnsignedChunksTrailer;
        Encoder {
            chain: is_signed.then(|| Chain::of_signed(signed.expect("signed chunks continue a signature"))),
            signs_trailer: kind == PayloadKind::SignedChunksTrailer,
        }
    }

    /// One chunk, to be sent in this order; the data is not copied. Signed chunks but the last need 8 KiB.
    ///
    /// # Panics
    /// On empty data, which would end the body.
    pub fn chunk(&mut self, data: Bytes) -> [Bytes; 3] {
        assert!(!data.is_empty(), "an empty chunk ends the body");
        [self.header(&data).into(), data, CRLF]
    }

    /// The end of the body, with the checksum of all data as its trailer.
    pub fn finish(mut self, trailer: Option<(Algorithm, &Digest)>) -> Bytes {
        let mut end = self.header(&[]);
        if let Some((algorithm, digest)) = trailer {
            let line = format!("{}:{}", checksum::header_name(algorithm), checksum::encode(digest));
            end += &line;
            end += "\r\n";
            if self.signs_trailer
                && let Some(chain) = &self.chain
            {
                end += &format!("{TRAILER_SIGNATURE}:{}\r\n", chain.trailer(&format!("{line}\n")).0);
            }
        }
        end += "\r\n";
        end.into()
    }

    /// How long a body of `decoded_len` bytes becomes in chunks of `chunk_len`, for its `Content-Length`.
    pub fn encoded_len(
        kind: PayloadKind,
        decoded_len: u64,
        chunk_len: u64,
        trailer: Option<Algorithm>,
    ) -> u64 {
        let is_signed = kind != PayloadKind::UnsignedChunksTrailer;
        let signature_len = if is_signed { ";chunk-signature=".len() as u64 + 64 } else { 0 };
        let header_len = |len: u64| format!("{len:x}").len() as u64 + signature_len + 2;
        let (whole, rest) = (decoded_len / chunk_len, decoded_len % chunk_len);
        let mut len = whole * (header_len(chunk_len) + chunk_len + 2) + header_len(0) + 2;
        if rest > 0 {
            len += header_len(rest) + rest + 2;
        }
        if let Some(algorithm) = trailer {
            let value_len = algorithm.digest_len().div_ceil(3) * 4;
            len += (checksum::header_name(algorithm).len() + 1 + value_len + 2) as u64;
            if kind == PayloadKind::SignedChunksTrailer {
                len += TRAILER_SIGNATURE.len() as u64 + 1 + 64 + 2;
            }
        }
        len
    }

    fn header(&mut self, data: &[u8]) -> String {
        match &mut self.chain {
            Some(chain) => {
                let (signature, _) = chain.chunk(Sha256::new_with_prefix(data));
                format!("{:x};chunk-signature={signature}\r\n", data.len())
            }
            None => format!("{:x}\r\n", data.len()),
        }
    }
}
