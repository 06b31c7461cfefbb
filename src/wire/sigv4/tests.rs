use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;
use crate::wire::error_code::ErrorCode;
use crate::wire::http_date;

const ACCESS_KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const HOST: &str = "examplebucket.s3.amazonaws.com";
/// 20130524T000000Z.
const NOW: i64 = 1_369_353_600;

fn signer() -> Signer {
    Signer {
        access_key_id: ACCESS_KEY_ID.into(),
        secret: Secret::new(SECRET),
        region: "us-east-1".into(),
        session_token: None,
    }
}

fn verifier() -> Verifier {
    Verifier::new("us-east-1", false)
}

fn lookup(access_key_id: &str) -> Option<Secret> {
    (access_key_id == ACCESS_KEY_ID).then(|| Secret::new(SECRET))
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    map
}

fn request<'a>(method: &'a str, path: &'a str, query: &'a str, headers: &'a HeaderMap) -> Request<'a> {
    Request { method, path, query, headers, authority: None }
}

fn empty_body() -> PayloadKind {
    PayloadKind::parse(EMPTY_SHA256).unwrap()
}

/// A `GET /key` that verifies, for the tests that break one thing.
fn signed_get() -> HeaderMap {
    let mut map = headers(&[("host", HOST)]);
    signer().sign_header("GET", "/key", "", &mut map, empty_body(), NOW);
    map
}

fn verify_get(map: &HeaderMap) -> Result<Verified, AuthError> {
    verifier().verify_header(&request("GET", "/key", "", map), &lookup, NOW)
}

/// The recorded vectors: what AWS documents, recomputed.
#[test]
fn agrees_with_the_recorded_signatures() {
    let key = SigningKey::derive(
        &Secret::new(SECRET),
        &Scope { date: "20130524".into(), region: "us-east-1".into() },
    );
    assert_eq!(to_hex(key.expose()), "dbb893acc010964918f1fd433add87c70e8b0db6be30c1fbeafefa5ec6ba8378");

    let welcome = PayloadKind::parse(&sha256_hex(b"Welcome to Amazon S3.")).unwrap();
    let date = ("date", "Fri, 24 May 2013 00:00:00 GMT");
    let reduced = ("x-amz-storage-class", "REDUCED_REDUNDANCY");
    type Vector<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)], PayloadKind, &'a str);
    let vectors: [Vector<'_>; 4] = [
        (
            "GET",
            "/test.txt",
            "",
            &[("range", "bytes=0-9")],
            empty_body(),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test%24file.text",
            "",
            &[date, reduced],
            welcome,
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET",
            "/",
            "lifecycle",
            &[],
            empty_body(),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET",
            "/",
            "max-keys=2&prefix=J",
            &[],
            empty_body(),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ];
    for (method, path, query, extra, payload, signature) in vectors {
        let mut map = headers(extra);
        map.insert("host", HOST.parse().unwrap());
        let signed = signer().sign_header(method, path, query, &mut map, payload, NOW);
        assert_eq!(signed.signature, signature, "{method} {path}?{query}");
        let verified = verifier().verify_header(&request(method, path, query, &map), &lookup, NOW).unwrap();
        assert_eq!(verified.seed_signature, signature);
        assert_eq!((verified.access_key_id.as_str(), verified.payload), (ACCESS_KEY_ID, payload));
        assert_eq!(
            (verified.timestamp, verified.scope.to_string().as_str()),
            (NOW, "20130524/us-east-1/s3/aws4_request")
        );
        assert_eq!(verified.signing_key, key);
    }
}

#[test]
fn agrees_with_the_recorded_presigned_url() {
    let map = headers(&[("host", HOST)]);
    let query = signer().presign("GET", "/test.txt", "", &map, 86_400, NOW);
    assert_eq!(
        query,
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
    let verified = verifier()
        .verify_presigned(&request("GET", "/test.txt", &query, &map), &lookup, NOW + 86_400)
        .unwrap();
    assert_eq!(verified.payload, PayloadKind::Unsigned);
}

#[test]
fn canonical_queries_are_decoded_encoded_and_sorted() {
    for (query, expected) in [
        ("", ""),
        ("uploads", "uploads="),
        ("b=2&a=1&a=0", "a=0&a=1&b=2"),
        ("prefix=a/b+c%2bd~", "prefix=a%2Fb%20c%2Bd~"),
        ("a=b=c", "a=b%3Dc"),
        ("%61=%zz", "a=%25zz"),
        ("a-=1&a=2", "a=2&a-=1"),
    ] {
        assert_eq!(canonical_query(query, None), expected, "{query}");
    }
    assert_eq!(canonical_query("a=1&x-amz-signature=x&X-Amz-Signature=y", Some("X-Amz-Signature")), "a=1");
}

#[test]
fn accepts_what_honest_clients_vary() {
    // Parts in any order and without spaces, repeated headers, runs of spaces.
    let mut map = headers(&[
        ("host", HOST),
        ("x-amz-meta-a", "  one   two "),
        ("x-amz-meta-b", "1"),
        ("x-amz-meta-b", "2"),
    ]);
    signer().sign_header("PUT", "/a//b/../%E2%82%AC%20(1)", "", &mut map, PayloadKind::Unsigned, NOW);
    let text = map["authorization"].to_str().unwrap().replace(", ", ",");
    let (algorithm, parts) = text.split_once(' ').unwrap();
    let mut parts: Vec<&str> = parts.split(',').collect();
    parts.reverse();
    map.insert("authorization", format!("{algorithm} {}", parts.join(" , ")).parse().unwrap());
    let request = request("PUT", "/a//b/../%E2%82%AC%20(1)", "", &map);
    verifier().verify_header(&request, &lookup, NOW).unwrap();

    // HTTP/2 has :authority instead of Host.
    let mut map = signed_get();
    map.remove("host");
    let request = Request { method: "GET", path: "/key", query: "", headers: &map, authority: Some(HOST) };
    verifier().verify_header(&request, &lookup, NOW).unwrap();
}

#[test]
fn accepts_a_path_signed_as_it_was_sent() {
    let path = "/a(1)!'*:@$&,;=";
    let mut map = headers(&[
        ("host", HOST),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
    ]);
    let names = "host;x-amz-content-sha256;x-amz-date";
    let scope = Scope { date: "20130524".into(), region: "us-east-1".into() };
    let canonical = request("GET", path, "", &map).canonical(path, "", names, "UNSIGNED-PAYLOAD");
    let text = super::canonical::string_to_sign(NOW, &scope, &canonical);
    let signature = SigningKey::derive(&Secret::new(SECRET), &scope).sign(text.as_bytes());
    let value = format!(
        "{ALGORITHM} Credential={ACCESS_KEY_ID}/{scope}, SignedHeaders={names}, Signature={signature}"
    );
    map.insert("authorization", value.parse().unwrap());
    assert!(verifier().verify_header(&request("GET", path, "", &map), &lookup, NOW).is_ok());
    let other = verifier().verify_header(&request("GET", "/a(2)!'*:@$&,;=", "", &map), &lookup, NOW);
    assert_eq!(other.unwrap_err().code(), ErrorCode::SignatureDoesNotMatch);
}

#[test]
fn falls_back_to_the_date_header() {
    let mut map = headers(&[
        ("host", HOST),
        ("date", "Fri, 24 May 2013 00:00:00 GMT"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
    ]);
    let names = "date;host;x-amz-content-sha256";
    let scope = Scope { date: "20130524".into(), region: "us-east-1".into() };
    let canonical = request("GET", "/key", "", &map).canonical("/key", "", names, "UNSIGNED-PAYLOAD");
    let text = super::canonical::string_to_sign(NOW, &scope, &canonical);
    let signature = SigningKey::derive(&Secret::new(SECRET), &scope).sign(text.as_bytes());
    let value =
        format!("{ALGORITHM} Credential={ACCESS_KEY_ID}/{scope},SignedHeaders={names},Signature={signature}");
    map.insert("authorization", value.parse().unwrap());
    assert_eq!(verify_get(&map).unwrap().timestamp, NOW);
}

#[test]
fn refuses_a_request_that_was_changed_on_its_way() {
    let map = signed_get();
    let try_request = |request: &Request<'_>| verifier().verify_header(request, &lookup, NOW).map(drop);
    try_request(&request("GET", "/key", "", &map)).unwrap();
    for changed in [
        request("PUT", "/key", "", &map),
        request("GET", "/key2", "", &map),
        request("GET", "//key", "", &map),
        request("GET", "/key", "acl", &map),
    ] {
        let error = try_request(&changed).unwrap_err();
        assert_eq!(error.code(), ErrorCode::SignatureDoesNotMatch, "{changed:?}");
    }
    let mut other_host = map.clone();
    other_host.insert("host", "evil.example".parse().unwrap());
    let error = verify_get(&other_host).unwrap_err();
    let fields = error.fields();
    let field =
        |name: &str| fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.clone()).unwrap();
    assert_eq!(field("AWSAccessKeyId"), ACCESS_KEY_ID);
    assert!(
        field("StringToSign")
            .starts_with("AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n")
    );
    assert!(field("StringToSignBytes").starts_with("41 57 53 34 "));
    assert_eq!(
        field("CanonicalRequest"),
        format!(
            "GET\n/key\n\nhost:evil.example\nx-amz-content-sha256:{EMPTY_SHA256}\nx-amz-date:20130524T000000Z\n\n\
                 host;x-amz-content-sha256;x-amz-date\n{EMPTY_SHA256}"
        )
    );
    assert!(field("CanonicalRequestBytes").starts_with("47 45 54 0a "));
    assert_eq!(field("SignatureProvided").len(), 64);
}

#[test]
fn refuses_a_header_that_somebody_added() {
    let mut map = signed_get();
    map.insert("range", "bytes=0-1".parse().unwrap());
    verify_get(&map).unwrap();
    map.insert("x-amz-acl", "public-read".parse().unwrap());
    map.insert("x-amz-meta-a", "1".parse().unwrap());
    let error = verify_get(&map).unwrap_err();
    assert_eq!(error.code(), ErrorCode::AccessDenied);
    assert_eq!(error.fields(), [("HeadersNotSigned", "x-amz-acl, x-amz-meta-a".to_owned())]);
}

#[test]
fn every_malformed_authorization_has_its_answer() {
    use ErrorCode::*;
    let good = signed_get()["authorization"].to_str().unwrap().to_owned();
    let answer = |value: &str| {
        let mut map = signed_get();
        map.insert("authorization", HeaderValue::from_bytes(value.as_bytes()).unwrap());
        match Scheme::of(&map, "") {
            Ok(Scheme::Header) => verify_get(&map).map(drop).map_err(|error| error.code()),
            Ok(scheme) => panic!("{value:?} is {scheme:?}"),
            Err(error) => Err(error.code()),
        }
    };
    assert_eq!(answer(&good), Ok(()));
    for (value, code) in [
        ("", InvalidArgument),
        ("AWS4-HMAC-SHA256", InvalidArgument),
        ("Basic dTpw", InvalidArgument),
        ("Bearer x", InvalidArgument),
        ("AWS4-ECDSA-P256-SHA256 Credential=x", NotImplemented),
        ("AWS4-HMAC-SHA256 x", AuthorizationHeaderMalformed),
        ("AWS4-HMAC-SHA256 Credential=,SignedHeaders=,Signature=", AuthorizationHeaderMalformed),
    ] {
        assert_eq!(answer(value), Err(code), "{value:?}");
    }
    for (part, replacement, code) in [
        ("Signature=", "Sig=", AuthorizationHeaderMalformed),
        ("SignedHeaders=host;", "SignedHeaders=", AccessDenied),
        ("Signature=", "Signature=x, Signature=", AuthorizationHeaderMalformed),
        ("SignedHeaders=", "SignedHeaders=host;", AuthorizationHeaderMalformed),
        ("/20130524/", "/2013-05-24/", AuthorizationHeaderMalformed),
        ("/20130524/", "/20139924/", AuthorizationHeaderMalformed),
        ("/20130524/", "/20130523/", AuthorizationHeaderMalformed),
        ("/20130524/", "/", AuthorizationHeaderMalformed),
        ("us-east-1", "eu-west-1", AuthorizationHeaderMalformed),
        ("us-east-1", "", AuthorizationHeaderMalformed),
        ("/s3/", "/ec2/", AuthorizationHeaderMalformed),
        ("aws4_request", "aws5_request", AuthorizationHeaderMalformed),
        (ACCESS_KEY_ID, "AKIAUNKNOWN", InvalidAccessKeyId),
        (ACCESS_KEY_ID, "a/b", InvalidAccessKeyId),
        ("Signature=", "Signature=0", SignatureDoesNotMatch),
        ("Signature=", "Signature=é", InvalidArgument),
    ] {
        assert!(good.contains(part));
        assert_eq!(answer(&good.replace(part, replacement)), Err(code), "{part} -> {replacement}");
    }
    let mut twice = signed_get();
    twice.append("authorization", good.parse().unwrap());
    assert_eq!(Scheme::of(&twice, "").unwrap_err().code(), InvalidArgument);
}

#[test]
fn a_wrong_region_says_the_right_one() {
    let map = signed_get();
    let request = request("GET", "/key", "", &map);
    let error = Verifier::new("eu-west-1", false).verify_header(&request, &lookup, NOW).unwrap_err();
    assert_eq!(error.code(), ErrorCode::AuthorizationHeaderMalformed);
    assert_eq!(
        error.to_string(),
        "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'"
    );
    assert_eq!(error.fields(), [("Region", "eu-west-1".to_owned())]);
    Verifier::new("eu-west-1", true).verify_header(&request, &lookup, NOW).unwrap();
}

#[test]
fn the_schemes_are_told_apart() {
    let none = HeaderMap::new();
    let v4 = headers(&[("authorization", "AWS4-HMAC-SHA256 x")]);
    let v2 = headers(&[("authorization", "AWS a:b")]);
    let presigned = "X-Amz-Signature=x";
    for (map, query, scheme) in [
        (&none, "", Scheme::Anonymous),
        (&none, "Expires=1", Scheme::Anonymous),
        (&none, "Expires=1&Signature=2", Scheme::SigV2Query),
        (&none, "AWSAccessKeyId=a", Scheme::SigV2Query),
        (&none, "AWSAccessKeyId=a&Expires=1&Signature=2", Scheme::SigV2Query),
        (&none, presigned, Scheme::Presigned),
        (&none, "x-amz-algorithm=x", Scheme::Presigned),
        (&none, "X%2DAmz-Credential", Scheme::Presigned),
        (&v4, "uploads", Scheme::Header),
        (&v2, "", Scheme::SigV2Header),
    ] {
        assert_eq!(Scheme::of(map, query), Ok(scheme), "{query}");
    }
    let both = Scheme::of(&v4, presigned).unwrap_err();
    assert_eq!(both.code(), ErrorCode::InvalidArgument);
    assert!(both.to_string().starts_with("Only one auth mechanism allowed"));
}

#[test]
fn a_clock_may_be_off_by_a_quarter_of_an_hour() {
    let map = signed_get();
    let at = |now: i64| verifier().verify_header(&request("GET", "/key", "", &map), &lookup, now).map(drop);
    assert!(at(NOW + 900).is_ok() && at(NOW - 900).is_ok());
    for now in [NOW + 901, NOW - 901, 0, i64::MAX, i64::MIN] {
        assert_eq!(at(now).unwrap_err().code(), ErrorCode::RequestTimeTooSkewed);
    }
    assert_eq!(
        at(NOW + 901).unwrap_err().fields(),
        [
            ("RequestTime", "20130524T000000Z".to_owned()),
            ("ServerTime", http_date::iso8601(NOW + 901)),
            ("MaxAllowedSkewMilliseconds", "900000".to_owned())
        ]
    );
    let mut undated = signed_get();
    undated.remove("x-amz-date");
    assert_eq!(verify_get(&undated).unwrap_err(), AuthError::MissingDate);
    undated.insert("x-amz-date", "yesterday".parse().unwrap());
    assert_eq!(verify_get(&undated).unwrap_err().code(), ErrorCode::AccessDenied);
}

#[test]
fn every_payload_kind_has_its_meaning() {
    use PayloadKind::*;
    for (value, kind) in [
        ("UNSIGNED-PAYLOAD", Unsigned),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", SignedChunks),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", SignedChunksTrailer),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", UnsignedChunksTrailer),
    ] {
        assert_eq!(PayloadKind::parse(value), Ok(kind));
        assert_eq!(kind.to_header(), value);
        let signs = matches!(kind, SignedChunks | SignedChunksTrailer);
        assert_eq!(PayloadKind::anonymous(&headers(&[("x-amz-content-sha256", value)])).is_err(), signs);
    }
    assert_eq!(empty_body().to_header(), EMPTY_SHA256);
    assert_eq!(PayloadKind::anonymous(&HeaderMap::new()), Ok(Unsigned));
    assert!(PayloadKind::anonymous(&headers(&[("x-amz-content-sha256", EMPTY_SHA256)])).is_err());
    for (value, code) in [
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", ErrorCode::NotImplemented),
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER", ErrorCode::NotImplemented),
        ("", ErrorCode::InvalidArgument),
        ("unsigned-payload", ErrorCode::InvalidArgument),
        (&EMPTY_SHA256[1..], ErrorCode::InvalidArgument),
        (&EMPTY_SHA256.replace('e', "g"), ErrorCode::InvalidArgument),
    ] {
        assert_eq!(PayloadKind::parse(value).unwrap_err().code(), code, "{value}");
    }
    let mut map = signed_get();
    map.remove("x-amz-content-sha256");
    let error = verify_get(&map).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidRequest);
    assert_eq!(error.to_string(), "Missing required header for this request: x-amz-content-sha256");
}

#[test]
fn every_malformed_presigned_url_has_its_answer() {
    use ErrorCode::*;
    let map = headers(&[("host", HOST)]);
    let good = signer().presign("GET", "/key", "response-content-type=a%2Fb", &map, 3600, NOW);
    let answer = |query: &str, now: i64| {
        let request = request("GET", "/key", query, &map);
        verifier().verify_presigned(&request, &lookup, now).map(drop).map_err(|error| error.code())
    };
    assert_eq!(answer(&good, NOW), Ok(()));
    // Names in another case are found; they were signed as they are, so the signature fails, not the form.
    assert_eq!(answer(&good.replace("X-Amz-Date", "x-amz-date"), NOW), Err(SignatureDoesNotMatch));
    for name in ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"] {
        let without = good.replace(&format!("X-Amz-{name}="), "other=");
        assert_eq!(answer(&without, NOW), Err(AuthorizationQueryParametersError), "without {name}");
    }
    for (part, replacement, code) in [
        ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1", AuthorizationQueryParametersError),
        ("%2F", "%252F", AuthorizationQueryParametersError),
        ("us-east-1", "eu-west-1", AuthorizationQueryParametersError),
        ("%2Fs3%2F", "%2Fec2%2F", AuthorizationQueryParametersError),
        ("aws4_request", "aws4", AuthorizationQueryParametersError),
        ("%2F20130524%2F", "%2F20130523%2F", AuthorizationQueryParametersError),
        ("20130524T000000Z", "2013-05-24T00:00:00Z", AuthorizationQueryParametersError),
        ("Expires=3600", "Expires=", AuthorizationQueryParametersError),
        ("Expires=3600", "Expires=1h", AuthorizationQueryParametersError),
        ("Expires=3600", "Expires=-1", AuthorizationQueryParametersError),
        ("Expires=3600", "Expires=604801", AuthorizationQueryParametersError),
        ("Expires=3600", "Expires=99999999999999999999", AuthorizationQueryParametersError),
        ("Expires=3600", "Expires=0", AccessDenied),
        ("Expires=3600", "Expires=604800", SignatureDoesNotMatch),
        ("SignedHeaders=host", "SignedHeaders=date", AccessDenied),
        ("SignedHeaders=host", "SignedHeaders=host%3BHOST", AuthorizationQueryParametersError),
        (ACCESS_KEY_ID, "AKIAUNKNOWN", InvalidAccessKeyId),
        ("a%2Fb", "a%2Fc", SignatureDoesNotMatch),
    ] {
        assert!(good.contains(part));
        assert_eq!(answer(&good.replace(part, replacement), NOW), Err(code), "{part} -> {replacement}");
    }
    assert_eq!(answer(&format!("{good}&extra"), NOW), Err(SignatureDoesNotMatch));
    assert_eq!(answer(&good, NOW + 3600), Ok(()));
    assert_eq!(answer(&good, NOW + 3601), Err(AccessDenied));
    assert_eq!(answer(&good, NOW - 900), Ok(()));
    assert_eq!(answer(&good, NOW - 901), Err(AccessDenied));
}

#[test]
fn an_expired_url_says_when_it_expired() {
    let map = headers(&[("host", HOST)]);
    let query = signer().presign("GET", "/key", "", &map, 60, NOW);
    let error =
        verifier().verify_presigned(&request("GET", "/key", &query, &map), &lookup, NOW + 61).unwrap_err();
    assert_eq!(error.to_string(), "Request has expired");
    assert_eq!(
        error.fields(),
        [
            ("X-Amz-Expires", "60".to_owned()),
            ("Expires", http_date::iso8601(NOW + 60)),
            ("ServerTime", http_date::iso8601(NOW + 61))
        ]
    );
}

#[test]
fn a_presigned_url_covers_the_headers_it_names() {
    let signed = headers(&[("host", HOST), ("x-amz-acl", "private")]);
    let query = signer().presign("PUT", "/key", "", &signed, 60, NOW);
    let verify =
        |map: &HeaderMap| verifier().verify_presigned(&request("PUT", "/key", &query, map), &lookup, NOW);
    verify(&signed).unwrap();
    let mut added = signed.clone();
    added.insert("x-amz-meta-a", "1".parse().unwrap());
    assert_eq!(verify(&added).unwrap_err().code(), ErrorCode::AccessDenied);
    let mut changed = signed.clone();
    changed.insert("x-amz-acl", "public-read".parse().unwrap());
    assert_eq!(verify(&changed).unwrap_err().code(), ErrorCode::SignatureDoesNotMatch);
    // Clients add this one to everything.
    let mut hashed = signed.clone();
    hashed.insert("x-amz-content-sha256", EMPTY_SHA256.parse().unwrap());
    assert_eq!(verify(&hashed).unwrap().payload, PayloadKind::Unsigned);
    // But frames are frames.
    let mut framed = signed.clone();
    framed.insert("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER".parse().unwrap());
    assert_eq!(verify(&framed).unwrap().payload, PayloadKind::UnsignedChunksTrailer);
}

#[test]
fn a_signed_payload_header_counts_in_a_presigned_url() {
    let map = headers(&[("host", HOST), ("x-amz-content-sha256", EMPTY_SHA256)]);
    let by_header = Presigned::parse(&signer().presign("PUT", "/key", "", &map, 60, NOW)).unwrap();
    assert_eq!(by_header.signed_headers, "host;x-amz-content-sha256");
    let host = headers(&[("host", HOST)]);
    let query = signer().presign("PUT", "/key", "X-Amz-Content-Sha256=UNSIGNED-PAYLOAD", &host, 60, NOW);
    let verified = verifier().verify_presigned(&request("PUT", "/key", &query, &host), &lookup, NOW).unwrap();
    assert_eq!(verified.payload, PayloadKind::Unsigned);
}

#[test]
fn session_tokens_are_handed_on() {
    let signer = Signer { session_token: Some("token/+=".into()), ..signer() };
    let mut map = headers(&[("host", HOST)]);
    let query = signer.presign("GET", "/key", "", &map, 60, NOW);
    let presigned = verifier().verify_presigned(&request("GET", "/key", &query, &map), &lookup, NOW).unwrap();
    assert_eq!(presigned.session_token.as_deref(), Some("token/+="));
    signer.sign_header("GET", "/key", "", &mut map, empty_body(), NOW);
    assert_eq!(verify_get(&map).unwrap().session_token.as_deref(), Some("token/+="));
}

#[test]
fn a_form_policy_is_signed_as_its_base64_text() {
    let policy = "eyJleHBpcmF0aW9uIjogIjIwMTMifQ==";
    let signed = signer().sign_policy(policy, NOW);
    let credential = format!("{ACCESS_KEY_ID}/{}", signed.scope);
    let verify = |policy: &str, date: &str| {
        verifier().verify_policy(policy, &credential, date, &signed.signature, &lookup)
    };
    assert_eq!(verify(policy, "20130524T000000Z").as_deref(), Ok(ACCESS_KEY_ID));
    let error = verify("e30=", "20130524T000000Z").unwrap_err();
    assert_eq!(error.code(), ErrorCode::SignatureDoesNotMatch);
    assert!(error.fields().iter().all(|(name, _)| *name != "CanonicalRequest"));
    assert!(verify(policy, "20130525T000000Z").is_err());
    assert_eq!(verify(policy, "").unwrap_err(), AuthError::MissingDate);
}

#[test]
fn the_key_cache_follows_a_changed_secret_and_stays_small() {
    let cache = KeyCache::default();
    let scope = Scope { date: "20130524".into(), region: "us-east-1".into() };
    let (old, new) = (Secret::new("old"), Secret::new("new"));
    for secret in [&old, &old, &new, &old] {
        assert_eq!(cache.get("a", secret, &scope), SigningKey::derive(secret, &scope));
    }
    for index in 0..3000 {
        let scope = Scope { region: format!("r{index}"), ..scope.clone() };
        assert_eq!(cache.get("a", &old, &scope), SigningKey::derive(&old, &scope));
    }
    assert!(cache.len() <= 1024);
}

#[test]
fn secrets_never_show() {
    let verified = verify_get(&signed_get()).unwrap();
    let text = format!("{:?} {:?} {verified:?}", signer(), KeyCache::default());
    assert!(!text.contains(SECRET) && text.contains("redacted"));
    assert!(!text.contains("dbb893ac"));
}
