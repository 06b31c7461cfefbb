//! What must hold for any bytes at all, one function a parser: never a panic, and a relation that a wrong parser
//! breaks. The unit tests run them on seeded mutations; `fuzz/` includes this file and runs them on everything.

use bytes::Bytes;
use dovetail_digest::{Algorithm, Digest};
use http::HeaderMap;

use crate::wire::aws_chunked::{ChunkedError, Decoder};
use crate::wire::copy_source::CopySource;
use crate::wire::form::{self, Event, FormError, HEAD_LEN_MAX, Parser, PartHead};
use crate::wire::post_policy::{PolicyError, PostPolicy};
use crate::wire::range::{CopyRange, Range};
use crate::wire::sigv4::{
    Authorization, Credential, PayloadKind, Presigned, Scheme, Scope, Secret, SigningKey, Verified,
    canonical_query, canonical_uri,
};
use crate::wire::xml::{DEPTH_MAX, Document, Element, Malformed};
use crate::wire::{checksum, etag, header_value, http_date, percent};

/// A document that can be read to its end can also be skipped, and no deeper than allowed.
pub fn xml(bytes: &[u8]) {
    fn names(element: &mut Element<'_, '_>, depth: usize) -> Result<usize, Malformed> {
        assert!(depth <= DEPTH_MAX);
        assert!(!element.name().is_empty());
        let _ = element.attribute("type")?;
        let mut count = 1;
        while let Some(mut child) = element.next_child()? {
            if child.name() == "Key" {
                child.text()?;
            } else {
                count += names(&mut child, depth + 1)?;
            }
        }
        Ok(count)
    }
    let roots = ["Delete", "CompleteMultipartUpload"];
    let read = |bytes| names(&mut Document::new(bytes)?.root(&roots)?, 1);
    let skipped = |bytes| Document::new(bytes)?.root(&roots)?.skip();
    let (read, skipped) = (read(bytes), skipped(bytes));
    assert!(read.is_err() || skipped.is_ok(), "read to the end, but: {skipped:?}");
}

/// However the frames are cut, the outcome is the same. The first byte chooses form and length, the second the cut.
pub fn aws_chunked(bytes: &[u8]) {
    let [choice, cut, body @ ..] = bytes else { return };
    let decoder = || {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-decoded-content-length", (u32::from(choice >> 3) * 700).into());
        if choice & 1 != 0 {
            headers.insert("x-amz-trailer", "x-amz-checksum-crc32".parse().expect("a header value"));
        }
        match choice & 6 {
            0 => Decoder::new(PayloadKind::SignedChunks, &headers, Some(&verified())),
            2 => Decoder::new(PayloadKind::SignedChunksTrailer, &headers, Some(&verified())),
            _ => Decoder::new(PayloadKind::UnsignedChunksTrailer, &headers, None),
        }
    };
    let Ok(whole) = decoder() else { return };
    let whole = decode(whole, body, body.len().max(1));
    for frame_len in [1, 2 + usize::from(*cut)] {
        let split = decode(decoder().expect("made before"), body, frame_len);
        assert!(split == whole, "frames of {frame_len}: {split:?} instead of {whole:?}");
    }
}

type Decoded = Result<(Vec<u8>, Option<(Algorithm, Digest)>), ChunkedError>;

fn decode(mut decoder: Decoder, body: &[u8], frame_len: usize) -> Decoded {
    let mut data = Vec::new();
    for frame in body.chunks(frame_len) {
        let mut frame = Bytes::copy_from_slice(frame);
        while let Some(piece) = decoder.decode(&mut frame)? {
            data.extend_from_slice(&piece);
            assert!(data.len() as u64 <= decoder.decoded_len());
        }
    }
    let decoded_len = decoder.decoded_len();
    let checksum = decoder.finish()?;
    assert_eq!(data.len() as u64, decoded_len);
    Ok((data, checksum))
}

/// The signature that signed chunks in `aws_chunked` continue from.
pub fn verified() -> Verified {
    let scope = Scope { date: "20130524".into(), region: "us-east-1".into() };
    Verified {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
        session_token: None,
        payload: PayloadKind::SignedChunks,
        seed_signature: "0".repeat(64),
        signing_key: SigningKey::derive(&Secret::new("secret"), &scope),
        scope,
        timestamp: 1_369_353_600,
    }
}

/// Canonical forms are fixed points, and a credential that parses prints as it came.
pub fn sigv4(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let query = canonical_query(&text, None);
    assert_eq!(canonical_query(&query, None), query);
    let path = canonical_uri(&text);
    assert_eq!(canonical_uri(&path), path);
    if let Ok(credential) = Credential::parse(&text) {
        assert_eq!(credential.to_string(), text);
    }
    let mut headers = HeaderMap::new();
    if let Ok(value) = http::HeaderValue::from_bytes(bytes) {
        headers.insert("authorization", value);
        let _ = PayloadKind::anonymous(&headers);
    }
    let authorization = Authorization::parse(&text);
    let presigned = Presigned::parse(&text);
    for error in
        [authorization.err(), presigned.err(), Scheme::of(&headers, &text).err()].into_iter().flatten()
    {
        assert!(error.code().status() >= 400 && error.fields().len() < 8);
    }
}

/// A source that parses is written so that it parses to the same.
pub fn copy_source(bytes: &[u8]) {
    if let Ok(source) = CopySource::parse(bytes) {
        assert!(!source.bucket.is_empty() && !source.bucket.contains('/') && !source.key.is_empty());
        assert_eq!(CopySource::parse(source.to_header().as_bytes()), Ok(source));
    }
}

/// A part lies within the body. The first byte is the body's length.
pub fn range(bytes: &[u8]) {
    let Some((len, header)) = bytes.split_first() else { return };
    let header = String::from_utf8_lossy(header);
    if let Range::Part { first, last } = Range::parse(&header, u64::from(*len)) {
        assert!(first <= last && last < u64::from(*len));
    }
    if let Some(range) = CopyRange::parse(&header) {
        assert!(range.first <= range.last && !range.is_empty());
    }
}

/// However the frames are cut, a form reads the same, and no more than a head and a frame is held. The first byte
/// chooses the cut.
pub fn form(bytes: &[u8]) {
    let Some((cut, body)) = bytes.split_first() else { return };
    let whole = read_form(body, body.len().max(1));
    for frame_len in [1, 2 + usize::from(*cut)] {
        let split = read_form(body, frame_len);
        assert!(split == whole, "frames of {frame_len}: {split:?} instead of {whole:?}");
    }
    if let Some(boundary) = form::boundary(&String::from_utf8_lossy(bytes)) {
        assert!((1..=70).contains(&boundary.len()));
    }
}

/// The parts of a form and whether it has ended, up to the first fault.
type ReadForm = (Vec<(PartHead, Vec<u8>)>, Result<bool, FormError>);

fn read_form(body: &[u8], frame_len: usize) -> ReadForm {
    let mut parser = Parser::new("b");
    let mut parts = Vec::new();
    for frame in body.chunks(frame_len) {
        parser.feed(Bytes::copy_from_slice(frame));
        loop {
            match parser.next_event() {
                Ok(None) => break,
                Ok(Some(Event::Part(head))) => parts.push((head, Vec::new())),
                Ok(Some(Event::Data(data))) => {
                    assert!(!data.is_empty());
                    parts.last_mut().expect("data is in a part").1.extend_from_slice(&data);
                }
                Ok(Some(Event::PartEnd)) => {}
                Ok(Some(Event::End)) => return (parts, Ok(true)),
                Err(error) => return (parts, Err(error)),
            }
        }
        assert!(parser.held_len() <= HEAD_LEN_MAX + frame_len);
    }
    (parts, Ok(false))
}

/// A policy that can be read allows nothing after it has expired, and its own fields only.
pub fn post_policy(bytes: &[u8]) {
    let _ = PostPolicy::parse(&String::from_utf8_lossy(bytes));
    let Ok(policy) = PostPolicy::from_json(bytes) else { return };
    let stranger = [("no condition is about this".to_owned(), String::new())];
    assert_eq!(policy.check(&stranger, i64::MAX), Err(PolicyError::Expired));
    assert!(policy.check(&stranger, policy.expiration).is_err());
    let _ = policy.length();
}

/// The small ones: dates, percent-encoding, metadata values, tags, checksums.
pub fn values(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(unix_s) = http_date::parse(&text) {
        let read = http_date::parse(&http_date::iso8601(unix_s)).expect("our own form");
        assert_eq!(http_date::parse(&http_date::rfc1123(unix_s)), Some(read));
        assert_eq!(http_date::parse_basic(&http_date::basic(unix_s)), Some(read));
    }
    assert_eq!(percent::decode_query(&percent::encode(bytes)), bytes);
    if let Ok(decoded) = percent::decode(bytes) {
        assert_eq!(percent::decode(percent::encode_path(decoded.as_bytes()).as_bytes()), Ok(decoded.clone()));
        assert_eq!(percent::decode(percent::encode_listing(&decoded).as_bytes()), Ok(decoded));
    }
    let value = header_value::decode(bytes);
    assert_eq!(header_value::decode(header_value::encode(&value).as_bytes()), value);
    let tag = etag::unquote(&text);
    let _ = etag::TagList::parse(&text).matches(tag);
    for algorithm in Algorithm::ALL {
        if let Some(read) = checksum::ObjectChecksum::decode(algorithm, &text) {
            assert_eq!(read.encode(), text);
        }
    }
}
