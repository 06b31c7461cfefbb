//! Takes aws-chunked apart while it arrives.

use bytes::{Buf as _, Bytes};
use dovetail_digest::{Algorithm, Digest};
use http::HeaderMap;
use sha2::{Digest as _, Sha256};

use super::signing::Chain;
use super::{
    CHUNK_LEN_MAX, ChunkedError, HEADER_LEN_MAX, SIGNED_CHUNK_LEN_MIN, TRAILER_SIGNATURE, TRAILERS_LEN_MAX,
};
use crate::wire::checksum;
use crate::wire::sigv4::{Mismatch, PayloadKind, Verified, signatures_equal};

/// Decodes one body. Feed every frame to `decode`, then call `finish`:
///
/// ```
/// # use dovetail::wire::aws_chunked::{ChunkedError, Decoder};
/// # fn read(mut decoder: Decoder, frames: Vec<bytes::Bytes>, mut keep: impl FnMut(bytes::Bytes)) -> Result<(), ChunkedError> {
/// for mut frame in frames {
///     while let Some(data) = decoder.decode(&mut frame)? {
///         keep(data); // provisional: forget it all if anything below fails
///     }
/// }
/// let trailer = decoder.finish()?;
/// # let _ = trailer; Ok(()) }
/// ```
#[derive(Debug)]
pub struct Decoder {
    state: State,
    /// The start of a line whose end has not arrived.
    line: Vec<u8>,
    decoded_len: u64,
    /// Data bytes announced by chunk headers so far; at most `decoded_len`.
    received_len: u64,
    signatures: Option<Signatures>,
    signs_trailer: bool,
    /// What `x-amz-trailer` announced.
    announced: Option<Algorithm>,
    trailers: Vec<(String, String)>,
    trailers_len: usize,
    checksum: Option<(Algorithm, Digest)>,
}

///     Header --size > 0--> Data --all of it--> DataEnd --CRLF--> Header
///     Header --size 0--> Trailers --blank line--> Done
///     any --fault--> Failed
#[derive(Debug)]
enum State {
    Header,
    Data { remaining: u64 },
    DataEnd { has_cr: bool },
    Trailers,
    Done,
    Failed(ChunkedError),
}

#[derive(Debug)]
struct Signatures {
    chain: Chain,
    access_key_id: String,
    /// The chunk being read: its number from 1, its length, its data so far, and the signature it came with.
    chunk: u64,
    chunk_len: u64,
    hash: Sha256,
    provided: String,
}

impl Decoder {
    /// A decoder for a request with a chunked payload. `verified` is the request's verified signature, from which
    /// signed chunks continue.
    ///
    /// # Panics
    /// If `kind` is not chunked, or is signed and `verified` is missing: the caller has not authenticated.
    pub fn new(
        kind: PayloadKind,
        headers: &HeaderMap,
        verified: Option<&Verified>,
    ) -> Result<Decoder, ChunkedError> {
        assert!(kind.is_chunked(), "{kind:?} is not aws-chunked");
        let is_signed = kind != PayloadKind::UnsignedChunksTrailer;
        let signatures = is_signed.then(|| {
            let verified = verified.expect("a signed kind comes with the signature that named it");
            Signatures {
                chain: Chain::of_verified(verified),
                access_key_id: verified.access_key_id.clone(),
                chunk: 0,
                chunk_len: 0,
                hash: Sha256::new(),
                provided: String::new(),
            }
        });
        let announced = announced_trailer(headers)?;
        if kind == PayloadKind::SignedChunksTrailer && announced.is_none() {
            return Err(ChunkedError::MalformedTrailer("no trailer is announced in x-amz-trailer"));
        }
        Ok(Decoder {
            state: State::Header,
            line: Vec::new(),
            decoded_len: decoded_len(headers)?,
            received_len: 0,
            signatures,
            signs_trailer: kind == PayloadKind::SignedChunksTrailer,
            announced,
            trailers: Vec::new(),
            trailers_len: 0,
            checksum: None,
        })
    }

    /// The object's length, as announced. `finish` fails unless exactly so much was decoded.
    pub fn decoded_len(&self) -> u64 {
        self.decoded_len
    }

    /// The checksum that will follow the data, as announced: whoever hashes needs to know before the first byte.
    pub fn announced_checksum(&self) -> Option<Algorithm> {
        self.announced
    }

    /// Takes bytes off the front of `input` until some are data, which are returned without copying, or until it is
    /// empty (`None`). An error is final, and the data handed out before it worthless.
    pub fn decode(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, ChunkedError> {
        if let State::Failed(error) = &self.state {
            return Err(error.clone());
        }
        self.advance(input).inspect_err(|error| self.state = State::Failed(error.clone()))
    }

    /// The body has ended: checks that it ended where it should, and returns the trailing checksum, if there is one,
    /// which the caller must compare.
    pub fn finish(self) -> Result<Option<(Algorithm, Digest)>, ChunkedError> {
        match self.state {
            State::Done => Ok(self.checksum),
            State::Failed(error) => Err(error),
            _ => Err(ChunkedError::Framing("it ends early")),
        }
    }

    fn advance(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, ChunkedError> {
        while !input.is_empty() {
            match self.state {
                State::Header => {
                    let too_long = ChunkedError::Framing("a chunk header is too long");
                    if let Some(line) = take_line(&mut self.line, input, HEADER_LEN_MAX, too_long)? {
                        self.begin_chunk(&line)?;
                    }
                }
                State::Data { remaining } => return self.take_data(input, remaining).map(Some),
                State::DataEnd { has_cr } => self.end_data(input.get_u8(), has_cr)?,
                State::Trailers => {
                    let too_long = ChunkedError::MalformedTrailer("it is too long");
                    let len_max = TRAILERS_LEN_MAX - self.trailers_len;
                    if let Some(line) = take_line(&mut self.line, input, len_max, too_long)? {
                        self.trailers_len += line.len();
                        self.take_trailer(line.strip_suffix(b"\n").unwrap_or(&line))?;
                    }
                }
                State::Done | State::Failed(_) => return Err(ChunkedError::Framing("data follows its end")),
            }
        }
        Ok(None)
    }

    fn begin_chunk(&mut self, line: &[u8]) -> Result<(), ChunkedError> {
        let Some(line) = line.strip_suffix(b"\r\n") else {
            return Err(ChunkedError::Framing("a chunk header does not end in CRLF"));
        };
        let line = std::str::from_utf8(line).or(Err(ChunkedError::Framing("a chunk header is no text")))?;
        let mut fields = line.split(';');
        let len = parse_chunk_len(fields.next().unwrap_or(""))?;
        if len > self.decoded_len - self.received_len {
            return Err(ChunkedError::DecodedLength);
        }
        self.received_len += len;
        if let Some(signatures) = &mut self.signatures {
            let signature = fields.find_map(|field| field.trim_ascii().strip_prefix("chunk-signature="));
            signatures.begin(len, signature.ok_or(ChunkedError::Framing("a chunk has no signature"))?)?;
        }
        if len > 0 {
            self.state = State::Data { remaining: len };
            return Ok(());
        }
        if let Some(signatures) = &mut self.signatures {
            signatures.check()?;
        }
        if self.received_len != self.decoded_len {
            return Err(ChunkedError::DecodedLength);
        }
        self.state = State::Trailers;
        Ok(())
    }

    /// The data at the front of `input`. The last of a chunk is held back if the chunk's signature is wrong.
    fn take_data(&mut self, input: &mut Bytes, remaining: u64) -> Result<Bytes, ChunkedError> {
        let len = remaining.min(input.len() as u64);
        let data = input.split_to(len as usize);
        let is_last = len == remaining;
        if let Some(signatures) = &mut self.signatures {
            signatures.hash.update(&data);
            if is_last {
                signatures.check()?;
            }
        }
        self.state = if is_last {
            State::DataEnd { has_cr: false }
        } else {
            State::Data { remaining: remaining - len }
        };
        Ok(data)
    }

    fn end_data(&mut self, byte: u8, has_cr: bool) -> Result<(), ChunkedError> {
        self.state = match (has_cr, byte) {
            (false, b'\r') => State::DataEnd { has_cr: true },
            (true, b'\n') => State::Header,
            _ => return Err(ChunkedError::Framing("a chunk's data does not end in CRLF")),
        };
        Ok(())
    }

    /// A line after the zero chunk, which may end in a bare line feed. The empty one ends the body.
    fn take_trailer(&mut self, line: &[u8]) -> Result<(), ChunkedError> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            self.check_trailers()?;
            self.state = State::Done;
            return Ok(());
        }
        let line = std::str::from_utf8(line).or(Err(ChunkedError::MalformedTrailer("it is no text")))?;
        let (name, value) =
            line.split_once(':').ok_or(ChunkedError::MalformedTrailer("a line has no colon"))?;
        let name = name.trim_ascii().to_ascii_lowercase();
        if self.trailers.iter().any(|(known, _)| *known == name) {
            return Err(ChunkedError::MalformedTrailer("a name comes twice"));
        }
        self.trailers.push((name, value.trim_ascii().to_owned()));
        Ok(())
    }

    fn check_trailers(&mut self) -> Result<(), ChunkedError> {
        let mut trailers = std::mem::take(&mut self.trailers);
        let at = trailers.iter().position(|(name, _)| self.signs_trailer && name == TRAILER_SIGNATURE);
        let provided = at.map(|at| trailers.remove(at).1);
        let (algorithm, value) = match (self.announced, &trailers[..]) {
            (None, []) => return Ok(()),
            (Some(algorithm), [(name, value)]) if name == checksum::header_name(algorithm) => {
                (algorithm, value)
            }
            (Some(_), []) => return Err(ChunkedError::MalformedTrailer("the announced one is missing")),
            _ => return Err(ChunkedError::MalformedTrailer("one was not announced")),
        };
        let name = checksum::header_name(algorithm);
        if self.signs_trailer
            && let Some(signatures) = &self.signatures
        {
            let provided = provided.ok_or(ChunkedError::MalformedTrailer("its signature is missing"))?;
            let (signature, text) = signatures.chain.trailer(&format!("{name}:{value}\n"));
            signatures.compare(&signature, provided, text)?;
        }
        let digest = checksum::decode(algorithm, value).ok_or(ChunkedError::TrailerValue { name })?;
        self.checksum = Some((algorithm, digest));
        Ok(())
    }
}

impl Signatures {
    /// Takes up the next chunk. Only now is it known that the one before was not the last.
    fn begin(&mut self, len: u64, provided: &str) -> Result<(), ChunkedError> {
        if len > 0 && self.chunk > 0 && self.chunk_len < SIGNED_CHUNK_LEN_MIN {
            return Err(ChunkedError::ChunkTooSmall { chunk: self.chunk, len: self.chunk_len });
        }
        self.chunk += 1;
        self.chunk_len = len;
        provided.clone_into(&mut self.provided);
        Ok(())
    }

    /// All data of the chunk is there.
    fn check(&mut self) -> Result<(), ChunkedError> {
        let (signature, text) = self.chain.chunk(std::mem::take(&mut self.hash));
        self.compare(&signature, self.provided.clone(), text)
    }

    fn compare(&self, computed: &str, provided: String, string_to_sign: String) -> Result<(), ChunkedError> {
        if signatures_equal(computed, &provided) {
            return Ok(());
        }
        Err(ChunkedError::SignatureDoesNotMatch(Box::new(Mismatch {
            access_key_id: self.access_key_id.clone(),
            signature_provided: provided,
            string_to_sign,
            canonical_request: None,
        })))
    }
}

/// Moves bytes up to and including a line feed from `input` behind those in `partial`; the whole line, once it is
/// there. Nothing depends on how the line was split.
fn take_line(
    partial: &mut Vec<u8>,
    input: &mut Bytes,
    len_max: usize,
    too_long: ChunkedError,
) -> Result<Option<Vec<u8>>, ChunkedError> {
    let window = &input[..input.len().min(len_max.saturating_sub(partial.len()) + 1)];
    let end = window.iter().position(|byte| *byte == b'\n');
    let len = end.map_or(window.len(), |end| end + 1);
    partial.extend_from_slice(&window[..len]);
    input.advance(len);
    if partial.len() > len_max {
        return Err(too_long);
    }
    Ok(end.is_some().then(|| std::mem::take(partial)))
}

fn parse_chunk_len(text: &str) -> Result<u64, ChunkedError> {
    if text.is_empty() || text.len() > 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(ChunkedError::Framing("a chunk size is no hexadecimal number"));
    }
    match u64::from_str_radix(text, 16) {
        Ok(len) if len <= CHUNK_LEN_MAX => Ok(len),
        _ => Err(ChunkedError::Framing("a chunk is too large")),
    }
}

fn decoded_len(headers: &HeaderMap) -> Result<u64, ChunkedError> {
    let text = headers.get("x-amz-decoded-content-length").and_then(|value| value.to_str().ok());
    text.map(str::trim_ascii)
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or(ChunkedError::MissingDecodedLength)
}

/// The one checksum that `x-amz-trailer` may name. A checksum header beside it would be a second one.
fn announced_trailer(headers: &HeaderMap) -> Result<Option<Algorithm>, ChunkedError> {
    let mut values = headers.get_all("x-amz-trailer").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let algorithm = value.to_str().ok().and_then(|name| checksum::algorithm_of_header(name.trim_ascii()));
    if algorithm.is_none() || values.next().is_some() {
        return Err(ChunkedError::TrailerNotSupported);
    }
    if Algorithm::ALL.iter().any(|algorithm| headers.contains_key(checksum::header_name(*algorithm))) {
        return Err(ChunkedError::SeveralChecksums);
    }
    Ok(algorithm)
}
