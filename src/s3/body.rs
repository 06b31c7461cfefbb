//! Request bodies as the engine takes them: framing off, signatures and hashes of the payload verified, and what the
//! client claims about the bytes collected from headers and trailers.
//!
//! Nothing is polled before the engine asks for the first piece, because that is when `100 Continue` goes out.

use crate::base::body::{BodyError, RequestBody};
use crate::base::limits::PART_LEN_MAX;
use crate::engine::body::{Body, Claims, Source};
use crate::s3::checksums::Promised;
use crate::s3::error::S3Error;
use crate::s3::post_form::FormFile;
use crate::wire::aws_chunked::{ChunkedError, Decoder};
use crate::wire::error_code::ErrorCode;
use crate::wire::sigv4::{PayloadKind, Verified};
use async_trait::async_trait;
use bytes::Bytes;
use dovetail_digest::{Algorithm, Digest, Hasher};
use http::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Version};
use http_body_util::{BodyExt as _, Empty};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body nobody has looked at yet, and how it is protected.
pub struct Incoming {
    body: RequestBody,
    payload: PayloadKind,
    verified: Option<Verified>,
    /// The file of a form, which is the object then; the rest is as of an empty body.
    file: Option<Box<FormFile>>,
}

impl Incoming {
    pub fn new(body: RequestBody, payload: PayloadKind, verified: Option<Verified>) -> Incoming {
        Incoming { body, payload, verified, file: None }
    }

    /// The file of a form, of which everything before it has been read.
    pub fn of_form(file: FormFile) -> Incoming {
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        Incoming { body, payload: PayloadKind::Unsigned, verified: None, file: Some(Box::new(file)) }
    }

    /// The body of an object or a part. It must say how long it is, unless it comes in HTTP chunks or over HTTP/2,
    /// and must not be longer than S3 allows.
    pub fn into_object(self, parts: &Parts) -> Result<Body, S3Error> {
        let promised = Promised::from_headers(&parts.headers)?;
        promised.check_sdk_algorithm(&parts.headers)?;
        if let Some(mut file) = self.file {
            file.claim(Claims { md5: promised.md5, checksum: promised.checksum });
            return Ok(Body { source: file, len: None, algorithm: promised.algorithm() });
        }
        if !self.payload.is_chunked()
            && content_length(&parts.headers)?.is_none()
            && parts.version < Version::HTTP_2
            && !parts.headers.contains_key(TRANSFER_ENCODING)
        {
            return Err(ErrorCode::MissingContentLength.into());
        }
        check_transfer_encoding(&parts.headers)?;
        let body = self.into_body(parts, promised)?;
        match body.len {
            Some(len) if len > PART_LEN_MAX => Err(S3Error::from(ErrorCode::EntityTooLarge)
                .field("ProposedSize", len)
                .field("MaxSizeAllowed", PART_LEN_MAX)),
            _ => Ok(body),
        }
    }

    /// Any body, with what is promised for it.
    pub fn into_body(self, parts: &Parts, promised: Promised) -> Result<Body, S3Error> {
        let mut len = match content_length(&parts.headers)? {
            // Clients that send HTTP chunks may say this way how much will come.
            None if !self.payload.is_chunked() => decoded_content_length(&parts.headers),
            len => len,
        };
        let framing = match self.payload {
            PayloadKind::Sha256(expected) => {
                Framing::Hashed { hasher: Box::new(Hasher::new(Algorithm::Sha256)), expected }
            }
            PayloadKind::Unsigned => Framing::Plain,
            kind => {
                let decoder = Decoder::new(kind, &parts.headers, self.verified.as_ref())?;
                len = Some(decoder.decoded_len());
                Framing::Chunked(Box::new(decoder))
            }
        };
        if promised.trailer.is_some() && !self.payload.is_chunked() {
            return Err(ErrorCode::MalformedTrailerError.into());
        }
        let claims = Claims { md5: promised.md5, checksum: promised.checksum };
        let source = IncomingSource { body: self.body, framing, pending: Bytes::new(), claims };
        Ok(Body { source: Box::new(source), len, algorithm: promised.algorithm() })
    }
}

/// HTTP's own layer undoes `chunked` and no other coding: kept as they came, the bytes would be others than the
/// client's.
fn check_transfer_encoding(headers: &HeaderMap) -> Result<(), S3Error> {
    let is_undone = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    match headers.get_all(TRANSFER_ENCODING).iter().all(is_undone) {
        true => Ok(()),
        false => Err(S3Error::from(ErrorCode::NotImplemented).field("Header", "Transfer-Encoding")),
    }
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>, S3Error> {
    let Some(value) = headers.get(CONTENT_LENGTH) else { return Ok(None) };
    let len = value.to_str().ok().and_then(|text| text.parse().ok());
    len.map(Some).ok_or_else(|| ErrorCode::MissingContentLength.into())
}

fn decoded_content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get("x-amz-decoded-content-length")?.to_str().ok()?.parse().ok()
}

/// The engine's view of a request's body.
struct IncomingSource {
    body: RequestBody,
    framing: Framing,
    /// What of the last frame is not decoded yet; empty unless the body is chunked.
    pending: Bytes,
    claims: Claims,
}

enum Framing {
    Plain,
    /// Plain, with the SHA-256 that the signature covers.
    Hashed {
        hasher: Box<Hasher>,
        expected: [u8; 32],
    },
    Chunked(Box<Decoder>),
    Ended,
}

#[async_trait]
impl Source for IncomingSource {
    async fn next(&mut self) -> Result<Option<Bytes>, BoxError> {
        loop {
            if let Framing::Chunked(decoder) = &mut self.framing
                && !self.pending.is_empty()
                && let Some(piece) = decoder.decode(&mut self.pending).map_err(S3Error::from)?
            {
                return Ok(Some(piece));
            }
            let frame = match self.body.frame().await {
                None => {
                    self.finish()?;
                    return Ok(None);
                }
                Some(Ok(frame)) => frame,
                Some(Err(err)) => return Err(S3Error::from(err).into()),
            };
            // HTTP trailers mean nothing to S3.
            let Ok(bytes) = frame.into_data() else { continue };
            if bytes.is_empty() {
                continue;
            }
            match &mut self.framing {
                Framing::Chunked(_) => {
                    self.pending = bytes;
                    continue;
                }
                Framing::Hashed { hasher, .. } => hasher.update(&bytes),
                Framing::Plain | Framing::Ended => {}
            }
            return Ok(Some(bytes));
        }
    }

    fn claims(&self) -> Claims {
        self.claims
    }
}

impl IncomingSource {
    /// The body has ended: everything handed out so far counts only if this succeeds.
    fn finish(&mut self) -> Result<(), S3Error> {
        match std::mem::replace(&mut self.framing, Framing::Ended) {
            Framing::Plain | Framing::Ended => {}
            Framing::Hashed { hasher, expected } => {
                let computed = hasher.finish();
                if computed.as_bytes() != expected {
                    return Err(S3Error::from(ErrorCode::XAmzContentSHA256Mismatch)
                        .field("ClientComputedContentSHA256", Digest::new(&expected).to_hex())
                        .field("S3ComputedContentSHA256", computed.to_hex()));
                }
            }
            Framing::Chunked(decoder) => {
                if let Some(trailer) = decoder.finish()? {
                    self.claims.checksum = Some(trailer);
                }
            }
        }
        Ok(())
    }
}

impl From<BodyError> for S3Error {
    fn from(err: BodyError) -> S3Error {
        let code = match &err {
            BodyError::Idle | BodyError::TooSlow => ErrorCode::RequestTimeout,
            BodyError::Cut(_) => ErrorCode::IncompleteBody,
        };
        S3Error::from(code).source(err)
    }
}

impl From<ChunkedError> for S3Error {
    fn from(err: ChunkedError) -> S3Error {
        let error = S3Error::new(err.code(), err.to_string());
        err.fields().into_iter().fold(error, |error, (name, value)| error.field(name, value))
    }
}
