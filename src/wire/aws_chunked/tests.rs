use bytes::Bytes;
use dovetail_digest::{Algorithm, Digest};
use http::{HeaderMap, HeaderName};

use super::*;
use crate::wire::error_code::ErrorCode::*;
use crate::wire::sigv4::{PayloadKind, Request, Secret, Signed, Signer, Verified, Verifier};

const NOW: i64 = 1_369_353_600;
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    map
}

/// Signs and verifies the PUT of the recorded vectors.
fn authenticate(kind: PayloadKind, extra: &[(&str, &str)]) -> (HeaderMap, Signed, Verified) {
    let mut map = headers(extra);
    map.insert("host", "s3.amazonaws.com".parse().unwrap());
    let signer = Signer {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
        secret: Secret::new(SECRET),
        region: "us-east-1".into(),
        session_token: None,
    };
    let path = "/examplebucket/chunkObject.txt";
    let signed = signer.sign_header("PUT", path, "", &mut map, kind, NOW);
    let request = Request { method: "PUT", path, query: "", headers: &map, authority: None };
    let verifier = Verifier::new("us-east-1", false);
    let verified = verifier.verify_header(&request, &|_| Some(Secret::new(SECRET)), NOW).unwrap();
    (map, signed, verified)
}

type Outcome = Result<(Vec<u8>, Option<(Algorithm, Digest)>), ChunkedError>;

/// Decodes `body` in frames of `frame_len` bytes.
fn decode(mut decoder: Decoder, body: &[u8], frame_len: usize) -> Outcome {
    let mut data = Vec::new();
    for frame in body.chunks(frame_len) {
        let mut frame = Bytes::copy_from_slice(frame);
        while let Some(piece) = decoder.decode(&mut frame)? {
            assert!(!piece.is_empty());
            data.extend_from_slice(&piece);
        }
        assert!(frame.is_empty());
    }
    Ok((data, decoder.finish()?))
}

fn unsigned(decoded_len: usize, trailer: Option<&str>) -> Decoder {
    let mut map = headers(&[("x-amz-decoded-content-length", &decoded_len.to_string())]);
    if let Some(name) = trailer {
        map.insert("x-amz-trailer", name.parse().unwrap());
    }
    Decoder::new(PayloadKind::UnsignedChunksTrailer, &map, None).unwrap()
}

/// Decodes an unsigned body in several splits, which must agree.
fn decode_unsigned(decoded_len: usize, trailer: Option<&str>, body: &[u8]) -> Outcome {
    let whole = decode(unsigned(decoded_len, trailer), body, body.len().max(1));
    for frame_len in [1, 2, 3, 7] {
        let split = decode(unsigned(decoded_len, trailer), body, frame_len);
        assert_eq!(split, whole, "in frames of {frame_len}: {:?}", String::from_utf8_lossy(body));
    }
    whole
}

fn framed(
    kind: PayloadKind,
    signed: Option<&Signed>,
    pieces: &[&[u8]],
    trailer: Option<(Algorithm, &Digest)>,
) -> Vec<u8> {
    let mut encoder = Encoder::new(kind, signed);
    let mut body = Vec::new();
    for piece in pieces {
        for bytes in encoder.chunk(Bytes::copy_from_slice(piece)) {
            body.extend_from_slice(&bytes);
        }
    }
    body.extend_from_slice(&encoder.finish(trailer));
    body
}

/// CRC-32C of the recorded body.
fn recorded_crc32c() -> Digest {
    crate::wire::checksum::decode(Algorithm::Crc32c, "sOO8/Q==").unwrap()
}

const VECTOR_HEADERS: [(&str, &str); 3] = [
    ("content-encoding", "aws-chunked"),
    ("x-amz-decoded-content-length", "66560"),
    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
];

/// The documented vectors: signatures of the request, of each chunk, and of the trailer.
#[test]
fn agrees_with_the_recorded_signatures() {
    let data = vec![b'a'; 66_560];
    let pieces = [&data[..65_536], &data[65_536..]];
    let digest = recorded_crc32c();
    let trailer = Some((Algorithm::Crc32c, &digest));
    let columns = [
        (
            PayloadKind::SignedChunks,
            ("content-length", "66824"),
            None,
            vec![
                "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
                "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
                "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
                "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
            ],
        ),
        (
            PayloadKind::SignedChunksTrailer,
            ("x-amz-trailer", "x-amz-checksum-crc32c"),
            trailer,
            vec![
                "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
                "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
                "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
                "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
                "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435",
            ],
        ),
    ];
    for (kind, extra, trailer, signatures) in columns {
        let mut pairs = VECTOR_HEADERS.to_vec();
        pairs.push(extra);
        let (map, signed, verified) = authenticate(kind, &pairs);
        assert_eq!(signed.signature, signatures[0]);
        let body = framed(kind, Some(&signed), &pieces, trailer);
        let text = String::from_utf8(body.clone()).unwrap();
        for signature in &signatures[1..] {
            assert!(
                text.contains(&format!("signature={signature}\r\n"))
                    || text.contains(&format!("signature:{signature}\r\n"))
            );
        }
        let encoded_len = Encoder::encoded_len(kind, 66_560, 65_536, trailer.map(|(algorithm, _)| algorithm));
        assert_eq!(body.len() as u64, encoded_len);
        for frame_len in [1000, 4096, body.len()] {
            let decoder = Decoder::new(kind, &map, Some(&verified)).unwrap();
            assert_eq!(decoder.decoded_len(), 66_560);
            let outcome = decode(decoder, &body, frame_len);
            assert_eq!(outcome, Ok((data.clone(), trailer.map(|(algorithm, digest)| (algorithm, *digest)))));
        }
    }
}

#[test]
fn decodes_unsigned_bodies_however_they_are_split() {
    let crc = Some("x-amz-checksum-crc32");
    let zero = Some((Algorithm::Crc32, Digest::new(&[0; 4])));
    for (decoded_len, trailer, body, expected) in [
        (0, None, &b"0\r\n\r\n"[..], (&b""[..], None)),
        (5, None, b"5\r\nhello\r\n0\r\n\r\n", (b"hello", None)),
        (5, None, b"2\r\nhe\r\n3;x=y\r\nllo\r\n00\r\n\r\n", (b"hello", None)),
        (10, None, b"A\r\n0\r\n\r\n67890\r\n0\r\n\r\n", (b"0\r\n\r\n67890", None)),
        (1, crc, b"1\r\nx\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", (b"x", zero)),
        (1, crc, b"1\r\nx\r\n0\r\nX-Amz-Checksum-CRC32 : AAAAAA== \n\n", (b"x", zero)),
    ] {
        let outcome = decode_unsigned(decoded_len, trailer, body);
        assert_eq!(outcome, Ok((expected.0.to_vec(), expected.1)), "{:?}", String::from_utf8_lossy(body));
    }
}

#[test]
fn every_fault_of_an_unsigned_body_has_its_answer() {
    let crc = Some("x-amz-checksum-crc32");
    let long = format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(1100));
    let long_trailer = format!("0\r\nx-amz-checksum-crc32:{}\r\n\r\n", "A".repeat(20_000));
    let many_trailers = format!("0\r\n{}", "a:b\r\n".repeat(5_000));
    for (decoded_len, trailer, body, code) in [
        (1, None, "g\r\nx\r\n0\r\n\r\n", IncompleteBody),
        (1, None, "0x1\r\nx\r\n0\r\n\r\n", IncompleteBody),
        (1, None, "+1\r\nx\r\n0\r\n\r\n", IncompleteBody),
        (1, None, "\r\nx\r\n0\r\n\r\n", IncompleteBody),
        (1, None, "1\nx\r\n0\r\n\r\n", IncompleteBody),
        (1, None, "1\r\nx0\r\n\r\n", IncompleteBody),
        (1, None, "1\r\nx\n0\r\n\r\n", IncompleteBody),
        (1, None, "1\r\nx\r\n", IncompleteBody),
        (1, None, "1\r\nx\r\n0\r\n", IncompleteBody),
        (1, None, "1\r\n", IncompleteBody),
        (1, None, "", IncompleteBody),
        (1, None, "1\r\nx\r\n0\r\n\r\nmore", IncompleteBody),
        (2, None, "1\r\nx\r\n0\r\n\r\n", IncompleteBody),
        (0, None, "1\r\nx\r\n0\r\n\r\n", IncompleteBody),
        (1, None, "ffffffffffffffff\r\nx", IncompleteBody),
        (1, None, "10000000000000001\r\nx", IncompleteBody),
        (1, None, &long, IncompleteBody),
        (1, None, "1\r\nx\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", MalformedTrailerError),
        (1, crc, "1\r\nx\r\n0\r\n\r\n", MalformedTrailerError),
        (1, crc, "1\r\nx\r\n0\r\nx-amz-checksum-crc32c:AAAAAA==\r\n\r\n", MalformedTrailerError),
        (
            1,
            crc,
            "1\r\nx\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\nx-amz-meta-a:b\r\n\r\n",
            MalformedTrailerError,
        ),
        (
            1,
            crc,
            "1\r\nx\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
            MalformedTrailerError,
        ),
        (1, crc, "1\r\nx\r\n0\r\nx-amz-checksum-crc32\r\n\r\n", MalformedTrailerError),
        (1, crc, "1\r\nx\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n", IncompleteBody),
        (0, crc, &long_trailer, MalformedTrailerError),
        (0, crc, &many_trailers, MalformedTrailerError),
        (1, crc, "1\r\nx\r\n0\r\nx-amz-checksum-crc32:AAAAAA\r\n\r\n", InvalidRequest),
        (1, crc, "1\r\nx\r\n0\r\nx-amz-checksum-crc32:AAAAAAAAAAA=\r\n\r\n", InvalidRequest),
    ] {
        let error = decode_unsigned(decoded_len, trailer, body.as_bytes()).unwrap_err();
        assert_eq!(error.code(), code, "{:?}", body);
    }
    let invalid = decode_unsigned(0, crc, b"0\r\nx-amz-checksum-crc32:?\r\n\r\n").unwrap_err();
    assert_eq!(invalid.to_string(), "Value for x-amz-checksum-crc32 trailing header is invalid.");
}

#[test]
fn every_fault_of_the_headers_has_its_answer() {
    let kind = PayloadKind::UnsignedChunksTrailer;
    let len = ("x-amz-decoded-content-length", "1");
    let trailer = ("x-amz-trailer", "x-amz-checksum-crc32");
    let code = |pairs: &[(&str, &str)]| {
        Decoder::new(kind, &headers(pairs), None).map(drop).map_err(|error| error.code())
    };
    assert_eq!(code(&[len]), Ok(()));
    assert_eq!(code(&[len, ("x-amz-trailer", "X-Amz-Checksum-CRC32")]), Ok(()));
    for (pairs, expected) in [
        (&[][..], MissingContentLength),
        (&[("x-amz-decoded-content-length", "x")], MissingContentLength),
        (&[("x-amz-decoded-content-length", "-1")], MissingContentLength),
        (&[("x-amz-decoded-content-length", "+1")], MissingContentLength),
        (&[("x-amz-decoded-content-length", "")], MissingContentLength),
        (&[("x-amz-decoded-content-length", "99999999999999999999")], MissingContentLength),
        (&[len, ("x-amz-trailer", "x-amz-meta-a")], InvalidRequest),
        (&[len, ("x-amz-trailer", "x-amz-checksum-crc32,x-amz-checksum-sha1")], InvalidRequest),
        (&[len, ("x-amz-trailer", "")], InvalidRequest),
        (&[len, trailer, trailer], InvalidRequest),
        (&[len, trailer, ("x-amz-checksum-sha1", "x")], InvalidRequest),
    ] {
        assert_eq!(code(pairs), Err(expected), "{pairs:?}");
    }
    let (map, _, verified) = authenticate(PayloadKind::SignedChunksTrailer, &[len]);
    let error = Decoder::new(PayloadKind::SignedChunksTrailer, &map, Some(&verified)).unwrap_err();
    assert_eq!(error.code(), MalformedTrailerError);
}

/// A signed body of three chunks with a trailer, and its decoder.
fn signed_body(piece_lens: &[usize], seed: &str) -> (Vec<u8>, Decoder) {
    let kind = PayloadKind::SignedChunksTrailer;
    let decoded_len: usize = piece_lens.iter().sum();
    let decoded_len = decoded_len.to_string();
    let pairs = [
        ("x-amz-decoded-content-length", decoded_len.as_str()),
        ("x-amz-trailer", "x-amz-checksum-crc32c"),
        ("x-amz-meta-seed", seed),
    ];
    let (map, signed, verified) = authenticate(kind, &pairs);
    let data = vec![b'x'; 20_000];
    let pieces: Vec<&[u8]> = piece_lens.iter().map(|len| &data[..*len]).collect();
    let body = framed(kind, Some(&signed), &pieces, Some((Algorithm::Crc32c, &recorded_crc32c())));
    (body, Decoder::new(kind, &map, Some(&verified)).unwrap())
}

fn changed(from: &str, to: &str) -> ChunkedError {
    let (body, decoder) = signed_body(&[8192, 8192, 10], "");
    let text = String::from_utf8(body).unwrap();
    assert!(text.contains(from));
    decode(decoder, text.replacen(from, to, 1).as_bytes(), 5000).unwrap_err()
}

#[test]
fn notices_every_change_of_a_signed_body() {
    let (body, decoder) = signed_body(&[8192, 8192, 10], "");
    let text = String::from_utf8(body.clone()).unwrap();
    assert_eq!(decode(decoder, &body, 5000).unwrap().0.len(), 16_394);

    assert_eq!(changed("xxx", "xyx").code(), SignatureDoesNotMatch);
    assert_eq!(changed("sOO8/Q==", "sOO9/Q==").code(), SignatureDoesNotMatch);
    let zero_chunk = &text[text.find("\r\n0;chunk-signature=").unwrap()..][..40];
    assert_eq!(changed(zero_chunk, &format!("{}!", &zero_chunk[..39])).code(), SignatureDoesNotMatch);
    assert_eq!(
        changed("x-amz-trailer-signature:", "x-amz-trailer-signature:0").code(),
        SignatureDoesNotMatch
    );
    assert_eq!(changed("x-amz-trailer-signature:", "x-amz-other:").code(), MalformedTrailerError);
    assert_eq!(changed(";chunk-signature=", ";other=").code(), IncompleteBody);
    assert_eq!(changed("x-amz-checksum-crc32c:", "x-amz-checksum-crc32:").code(), MalformedTrailerError);

    // A chunk taken from another request with the same key does not fit the chain.
    let (other, _) = signed_body(&[8192, 8192, 10], "other");
    let (_, decoder) = signed_body(&[8192, 8192, 10], "");
    let error = decode(decoder, &other, 5000).unwrap_err();
    assert_eq!(error.code(), SignatureDoesNotMatch);
    let fields = error.fields();
    assert!(
        fields
            .iter()
            .any(|(name, text)| *name == "StringToSign" && text.starts_with("AWS4-HMAC-SHA256-PAYLOAD\n"))
    );
}

#[test]
fn holds_back_the_last_data_of_a_chunk_whose_signature_is_wrong() {
    let (body, mut decoder) = signed_body(&[10], "");
    let text = String::from_utf8(body).unwrap().replacen("xxxxxxxxxx", "xxxxxxxxxy", 1);
    let mut frame = Bytes::from(text);
    let error = decoder.decode(&mut frame).unwrap_err();
    assert_eq!(decoder.decode(&mut Bytes::from_static(b"0\r\n\r\n")), Err(error.clone()));
    assert_eq!(decoder.finish(), Err(error));
}

#[test]
fn signed_chunks_but_the_last_have_eight_kibibytes() {
    for (lens, fault) in [
        (&[8192, 1][..], None),
        (&[1], None),
        (&[], None),
        (&[8191, 1], Some((1, 8191))),
        (&[8192, 10, 8192], Some((2, 10))),
    ] {
        let (body, decoder) = signed_body(lens, "");
        let error = decode(decoder, &body, 3000).err();
        assert_eq!(error, fault.map(|(chunk, len)| ChunkedError::ChunkTooSmall { chunk, len }), "{lens:?}");
    }
    let error = ChunkedError::ChunkTooSmall { chunk: 2, len: 10 };
    assert_eq!(error.code(), InvalidChunkSizeError);
    assert_eq!(error.fields(), [("Chunk", "2".to_owned()), ("BadChunkSize", "10".to_owned())]);
}

#[test]
fn data_is_not_copied() {
    let frame = Bytes::from(b"5\r\nhello\r\n0\r\n\r\n".to_vec());
    let data = unsigned(5, None).decode(&mut frame.clone()).unwrap().unwrap();
    assert_eq!(data.as_ptr(), frame[3..].as_ptr());
}

#[test]
fn encoded_lengths_are_exact() {
    let digest = Digest::new(&[0; 8]);
    for (decoded_len, chunk_len) in [(0, 8192), (1, 8192), (8192, 8192), (8193, 8192), (100_000, 65_536)] {
        for trailer in [None, Some((Algorithm::Crc64Nvme, &digest))] {
            let data = vec![b'x'; decoded_len];
            let pieces: Vec<&[u8]> = data.chunks(chunk_len).collect();
            let kind = PayloadKind::UnsignedChunksTrailer;
            let body = framed(kind, None, &pieces, trailer);
            let encoded_len =
                Encoder::encoded_len(kind, decoded_len as u64, chunk_len as u64, trailer.map(|t| t.0));
            assert_eq!(body.len() as u64, encoded_len);
            let name = trailer.map(|_| "x-amz-checksum-crc64nvme");
            assert_eq!(decode(unsigned(decoded_len, name), &body, 1000).unwrap().0, data);
        }
    }
}

#[test]
fn only_the_objects_own_encoding_is_stored() {
    for (header, stored) in [
        ("aws-chunked", None),
        ("AWS-Chunked", None),
        ("", None),
        ("gzip,aws-chunked", Some("gzip")),
        ("aws-chunked, gzip , br", Some("gzip,br")),
        ("gzip", Some("gzip")),
    ] {
        assert_eq!(stored_content_encoding(header).as_deref(), stored, "{header}");
    }
}
