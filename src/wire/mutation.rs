//! Runs `properties` on seeded mutations of good and bad examples, so that every test run tries some that nobody
//! wrote down. `fuzz/` goes much further.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::properties;

/// How many mutations of its examples each property sees in a test run.
const ROUNDS: usize = 4_000;

/// xorshift64*: small, and the same on every machine for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound.max(1)
    }
}

/// `DOVETAIL_TEST_SEED`, or a new one.
fn seed() -> u64 {
    match std::env::var("DOVETAIL_TEST_SEED") {
        Ok(text) => text.parse().expect("DOVETAIL_TEST_SEED is a number"),
        Err(_) => u64::from_le_bytes(crate::base::random::bytes()),
    }
}

/// One to four small changes: bytes and words of the format inserted, overwritten, removed, repeated, moved.
fn mutate(random: &mut Random, example: &[u8], words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = example.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = at + random.below((bytes.len() - at).min(32) + 1);
        match random.below(6) {
            0 => bytes.insert(at, random.next() as u8),
            1 if at < bytes.len() => bytes[at] = random.next() as u8,
            2 => drop(bytes.drain(at..end)),
            3 => {
                let copy = bytes[at..end].to_vec();
                let to = random.below(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            4 => bytes.truncate(at),
            _ => {
                let word = words[random.below(words.len())];
                bytes.splice(at..if random.below(2) == 0 { at } else { end }, word.iter().copied());
            }
        }
    }
    bytes
}

pub(crate) fn check(property: fn(&[u8]), examples: &[&[u8]], words: &[&[u8]]) {
    let seed = seed();
    let mut random = Random(seed | 1);
    for example in examples {
        property(example);
    }
    for _ in 0..ROUNDS {
        let example = examples[random.below(examples.len())];
        let bytes = mutate(&mut random, example, words);
        let outcome = catch_unwind(AssertUnwindSafe(|| property(&bytes)));
        assert!(outcome.is_ok(), "DOVETAIL_TEST_SEED={seed}: {:?}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn xml_of_any_shape_is_read_or_refused() {
    check(
        properties::xml,
        &[
            b"<?xml version=\"1.0\"?><Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>\
              <Object><Key>a&amp;b&#x1;</Key><VersionId>null</VersionId></Object></Delete>",
            b"<CompleteMultipartUpload><!-- c --><Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag></Part>\
              <s3:Part a='1' xsi:type=\"x\"/><![CDATA[ ]]></CompleteMultipartUpload>\n",
        ],
        &[b"<a>", b"</a>", b"<Key>", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<!DOCTYPE", b"&#", b"&x;", b"<?", b"\xEF\xBB\xBF", b"='"],
    );
}

#[test]
fn chunked_bodies_decode_alike_however_they_are_split() {
    let filler = vec![b'f'; 700];
    let unsigned = [b"\x0C\x052bc\r\n".as_slice(), &filler, b"\r\n0\r\n\r\n"].concat();
    let with_trailer =
        [b"\x0D\x102bc;a=b\r\n".as_slice(), &filler, b"\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"]
            .concat();
    let empty = b"\x05\x030\r\nx-amz-checksum-crc32: AAAAAA==\n\n";
    let signed =
        b"\x08\x032bc;chunk-signature=0000000000000000000000000000000000000000000000000000000000000000\r\nxx";
    check(
        properties::aws_chunked,
        &[&unsigned, &with_trailer, empty, signed],
        &[
            b"\r\n",
            b"\n",
            b"0\r\n",
            b";chunk-signature=",
            b"x-amz-trailer-signature:",
            b":",
            b"ffffffff",
            b"\r",
        ],
    );
}

#[test]
fn credentials_of_any_shape_are_read_or_refused() {
    let credential = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";
    let header = format!(
        "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature={}",
        "0".repeat(64)
    );
    let query = format!(
        "a=b+c&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400\
         &X-Amz-SignedHeaders=host&X-Amz-Signature=0",
        credential.replace('/', "%2F")
    );
    check(
        properties::sigv4,
        &[credential.as_bytes(), header.as_bytes(), query.as_bytes(), b"/a//b/../%2e%20+\xC3\xA9"],
        &[b"/", b",", b"=", b"&", b"%", b"%25", b"+", b"Credential=", b"X-Amz-Date=", b" ", b"\xC3\xA9"],
    );
}

#[test]
fn copy_sources_of_any_shape_are_read_or_refused() {
    check(
        properties::copy_source,
        &[b"/bucket/key%20with+plus%3F?versionId=null", b"b/k", b"%2Fb%2Fk%25"],
        &[b"/", b"?", b"%", b"%2F", b"%3F", b"?versionId=", b"arn:", b"+", b"\xFF", b"%00"],
    );
}

#[test]
fn ranges_of_any_shape_lie_within_the_body() {
    check(
        properties::range,
        &[
            b"\x64bytes=0-9",
            b"\x64bytes=-5",
            b"\x00bytes=5-",
            b"\xFFbytes=18446744073709551615-18446744073709551616",
        ],
        &[b"-", b",", b"=", b"bytes=", b"99999999999999999999", b"0", b" "],
    );
}

#[test]
fn values_of_any_shape_are_read_or_refused() {
    check(
        properties::values,
        &[
            b"Sun, 06 Nov 1994 08:49:37 GMT",
            b"Sunday, 06-Nov-94 08:49:37 GMT",
            b"Sun Nov  6 08:49:37 1994",
            b"1994-11-06T08:49:37.123+02:00",
            b"19941106T084937Z",
            b"=?UTF-8?B?w6k=?= =?ISO-8859-1?Q?=E9_?= caf\xE9",
            b"W/\"a\", \"b\",*",
            b"AAAAAA==-2",
            b"a%2Fb%25",
        ],
        &[
            b"=?",
            b"?=",
            b"?Q?",
            b"=",
            b"%",
            b"-",
            b"+",
            b":",
            b"Z",
            b"T",
            b"0000",
            b"9999",
            b"\"",
            b"\xC3\xA9",
            b".",
        ],
    );
}

#[test]
fn forms_of_any_shape_read_alike_however_they_are_cut() {
    check(
        properties::form,
        &[
            b"\x05--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na\r\n--b\r\nContent-Disposition: form-data; \
              name=\"file\"; filename=\"x\\\"y\"\r\nContent-Type: a/b\r\n\r\n\r\n-\r\n--\r\n--\r\n--b--\r\n",
            b"\x01multipart/form-data; boundary=b",
            b"multipart/form-data; charset=x; boundary=\"a b\"",
        ],
        &[b"\r\n--b", b"\r\n--b--", b"\r\n\r\n", b"--", b"\r", b";", b"=", b"\"", b"\\", b"filename*=UTF-8''", b"%22", b"\xFF"],
    );
}

#[test]
fn policies_of_any_shape_allow_what_they_say_or_nothing() {
    check(
        properties::post_policy,
        &[
            br#"{"expiration": "2026-01-01T00:00:00Z", "conditions": [{"bucket": "b"}, ["starts-with", "$key", "a"]]}"#,
            br#"{"expiration": "2026-01-01T00:00:00Z", "conditions": [["content-length-range", 1, "10"], ["eq", "x", ""]]}"#,
            b"eyJleHBpcmF0aW9uIjogIjIwMjYtMDEtMDFUMDA6MDA6MDBaIn0=",
        ],
        &[b"{", b"}", b"[", b"]", b",", b"\"", b"$", b"-1", b"1e9", b"null", b"starts-with", b"99999999999999999999"],
    );
}
