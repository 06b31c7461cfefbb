//! The examples of AWS's documentation, and what must not pass.

use super::*;
use crate::wire::error_code::ErrorCode;

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn lookup(key: &str) -> Option<Secret> {
    (key == KEY).then(|| Secret::new(SECRET))
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    map
}

fn request<'a>(
    method: &'a str,
    host_bucket: Option<&'a str>,
    target: &'a str,
    headers: &'a HeaderMap,
) -> Request<'a> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request { method, resource: Resource { host_bucket, path, query }, headers }
}

struct Vector {
    method: &'static str,
    bucket: Option<&'static str>,
    target: &'static str,
    headers: &'static [(&'static str, &'static str)],
    signature: &'static str,
}

/// "Signing and authenticating REST requests" of the user guide, in order.
const VECTORS: &[Vector] = &[
    Vector {
        method: "GET",
        bucket: Some("awsexamplebucket1"),
        target: "/photos/puppy.jpg",
        headers: &[("date", "Tue, 27 Mar 2007 19:36:42 +0000")],
        signature: "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
    },
    Vector {
        method: "PUT",
        bucket: Some("johnsmith"),
        target: "/photos/puppy.jpg",
        headers: &[("content-type", "image/jpeg"), ("date", "Tue, 27 Mar 2007 21:15:45 +0000")],
        signature: "MyyxeRY7whkBe+bq8fHCL/2kKUg=",
    },
    Vector {
        method: "GET",
        bucket: Some("johnsmith"),
        target: "/?prefix=photos&max-keys=50&marker=puppy",
        headers: &[("date", "Tue, 27 Mar 2007 19:42:41 +0000")],
        signature: "htDYFYduRNen8P9ZfE/s9SuKy0U=",
    },
    Vector {
        method: "GET",
        bucket: Some("johnsmith"),
        target: "/?acl",
        headers: &[("date", "Tue, 27 Mar 2007 19:44:46 +0000")],
        signature: "c2WLPFtWHVgbEmeEG93a4cG37dM=",
    },
    Vector {
        method: "DELETE",
        bucket: None,
        target: "/awsexamplebucket1/photos/puppy.jpg",
        headers: &[("date", "Tue, 27 Mar 2007 21:20:26 +0000")],
        signature: "XbyTlbQdu9Xw5o8P4iMwPktxQd8=",
    },
    Vector {
        method: "PUT",
        bucket: Some("static.johnsmith.net"),
        target: "/db-backup.dat.gz",
        headers: &[
            ("date", "Tue, 27 Mar 2007 21:06:08 +0000"),
            ("x-amz-acl", "public-read"),
            ("content-type", "application/x-download"),
            ("content-md5", "4gJE4saaMU4BqNR0kLY+lw=="),
            ("x-amz-meta-reviewedby", "joe@johnsmith.net"),
            ("x-amz-meta-reviewedby", "jane@johnsmith.net"),
            ("x-amz-meta-filechecksum", "0x02661779"),
            ("x-amz-meta-checksumalgorithm", "crc32"),
            ("content-disposition", "attachment; filename=database.dat"),
        ],
        signature: "ilyl83RwaSoYIEdixDQcA4OnAnc=",
    },
    Vector {
        method: "GET",
        bucket: None,
        target: "/",
        headers: &[("date", "Wed, 28 Mar 2007 01:29:59 +0000")],
        signature: "qGdzdERIC03wnaRNKh6OqZehG9s=",
    },
    Vector {
        method: "GET",
        bucket: None,
        target: "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re",
        headers: &[("date", "Wed, 28 Mar 2007 01:49:49 +0000")],
        signature: "DNEZGsoieTZ92F3bUfSPQcbGmlM=",
    },
];

#[test]
fn the_examples_of_the_user_guide_verify() {
    for vector in VECTORS {
        let mut map = headers(vector.headers);
        let now = http_date::parse(map["date"].to_str().unwrap()).unwrap();
        map.insert("authorization", format!("AWS {KEY}:{}", vector.signature).parse().unwrap());
        let request = request(vector.method, vector.bucket, vector.target, &map);
        assert_eq!(verify_header(&request, &lookup, now).unwrap(), KEY, "{}", vector.target);
        for now in [now - SKEW_MAX_S - 1, now + SKEW_MAX_S + 1] {
            let error = verify_header(&request, &lookup, now).unwrap_err();
            assert_eq!(error.code(), ErrorCode::RequestTimeTooSkewed);
        }
        // Whatever is signed, and is changed, is refused.
        let mut forged = map.clone();
        forged.append("x-amz-meta-more", "1".parse().unwrap());
        let forged = Request { headers: &forged, ..request };
        let error = verify_header(&forged, &lookup, now).unwrap_err();
        assert_eq!(error.code(), ErrorCode::SignatureDoesNotMatch);
        let resource = Resource { query: "policy", ..request.resource };
        assert!(verify_header(&Request { resource, ..request }, &lookup, now).is_err());
    }
}

#[test]
fn the_example_of_a_query_verifies_until_it_expires() {
    let map = headers(&[]);
    let target = "/photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&\
                  Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620";
    let request = request("GET", Some("johnsmith"), target, &map);
    assert_eq!(verify_query(&request, &lookup, 1_175_139_620).unwrap(), KEY);
    let error = verify_query(&request, &lookup, 1_175_139_621).unwrap_err();
    assert_eq!(error, AuthError::SigV2Expired { expired_at: 1_175_139_620, now: 1_175_139_621 });
    assert_eq!(error.code(), ErrorCode::AccessDenied);
    // A plus that the client did not escape.
    let raw = target.replace("%2B", "+").replace("%3D", "=");
    let (path, query) = raw.split_once('?').unwrap();
    let resource = Resource { path, query, ..request.resource };
    assert!(verify_query(&Request { resource, ..request }, &lookup, 0).is_ok());
    assert!(verify_query(&Request { method: "PUT", ..request }, &lookup, 0).is_err());
}

#[test]
fn the_date_line_is_empty_when_x_amz_date_is_there() {
    let mut map = headers(&[
        ("date", "Tue, 27 Mar 2007 21:20:27 +0000"),
        ("x-amz-date", "Tue, 27 Mar 2007 21:20:26 +0000"),
    ]);
    let text =
        "DELETE\n\n\n\nx-amz-date:Tue, 27 Mar 2007 21:20:26 +0000\n/awsexamplebucket1/photos/puppy.jpg";
    let signature = sign(&Secret::new(SECRET), text.as_bytes());
    map.insert("authorization", format!("AWS {KEY}:{signature}").parse().unwrap());
    let now = http_date::parse("Tue, 27 Mar 2007 21:20:26 +0000").unwrap();
    let request = request("DELETE", None, "/awsexamplebucket1/photos/puppy.jpg", &map);
    assert!(verify_header(&request, &lookup, now).is_ok());
}

#[test]
fn headers_and_parameters_are_signed_in_one_form() {
    let map = headers(&[
        ("X-Amz-Meta-B", " b "),
        ("x-amz-acl", "private"),
        ("X-Amz-Meta-B", "c"),
        ("content-type", "text/plain"),
        ("range", "bytes=0-1"),
    ]);
    let target =
        "/bucket/a%20key?versionId=x%2By&max-keys=5&uploads=&response-content-type=text%2Fplain+x&uploadId";
    assert_eq!(
        string_to_sign(&request("PUT", None, target, &map), "now"),
        "PUT\n\ntext/plain\nnow\nx-amz-acl:private\nx-amz-meta-b:b,c\n/bucket/a%20key\
         ?response-content-type=text/plain x&uploadId&uploads&versionId=x+y"
    );
}

#[test]
fn headers_moved_into_a_query_count_where_they_are_missing() {
    let query = "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Expires=2000000000&x-amz-meta-a=one%20two&content-type=text/plain";
    let text = "PUT\n\ntext/plain\n2000000000\nx-amz-meta-a:one two\n/bucket/key";
    let signature = percent::encode(sign(&Secret::new(SECRET), text.as_bytes()).as_bytes()).into_owned();
    let target = format!("/bucket/key?{query}&Signature={signature}");
    let none = headers(&[]);
    assert!(verify_query(&request("PUT", None, &target, &none), &lookup, 0).is_ok());
    let same = headers(&[("x-amz-meta-a", "one two"), ("content-type", "text/plain")]);
    assert!(verify_query(&request("PUT", None, &target, &same), &lookup, 0).is_ok());
    let other = headers(&[("x-amz-meta-a", "three")]);
    assert!(verify_query(&request("PUT", None, &target, &other), &lookup, 0).is_err());
}

#[test]
fn claims_that_are_none_are_told_apart() {
    let now = 1_175_024_202;
    let date = ("date", "Tue, 27 Mar 2007 19:36:42 +0000");
    for (pairs, code) in [
        (vec![("authorization", "AWS nocolon"), date], ErrorCode::InvalidArgument),
        (vec![("authorization", "AWS :signature"), date], ErrorCode::InvalidArgument),
        (vec![("authorization", "AWS key:"), date], ErrorCode::InvalidArgument),
        (vec![("authorization", "AWS key:signature")], ErrorCode::AccessDenied),
        (vec![("authorization", "AWS key:signature"), ("date", "yesterday")], ErrorCode::AccessDenied),
        (vec![("authorization", "AWS key:signature"), date], ErrorCode::InvalidAccessKeyId),
        (
            vec![("authorization", "AWS AKIAIOSFODNN7EXAMPLE:signature"), date],
            ErrorCode::SignatureDoesNotMatch,
        ),
    ] {
        let map = headers(&pairs);
        let error = verify_header(&request("GET", None, "/b/k", &map), &lookup, now).unwrap_err();
        assert_eq!(error.code(), code, "{pairs:?}");
    }
    let map = headers(&[]);
    for (query, code) in [
        ("AWSAccessKeyId=k&Signature=s", ErrorCode::AccessDenied),
        ("AWSAccessKeyId=k&Signature=s&Expires=", ErrorCode::AccessDenied),
        ("AWSAccessKeyId=k&Signature=s&Expires=soon", ErrorCode::AccessDenied),
        ("AWSAccessKeyId=k&Signature=s&Expires=2000000000", ErrorCode::InvalidAccessKeyId),
    ] {
        let target = format!("/b/k?{query}");
        let error = verify_query(&request("GET", None, &target, &map), &lookup, now).unwrap_err();
        assert_eq!(error.code(), code, "{query}");
    }
}

#[test]
fn a_policy_is_signed_as_it_was_sent() {
    let policy = "eyJleHBpcmF0aW9uIjoiMjAwNy0xMi0wMVQxMjowMDowMC4wMDBaIn0=";
    let signature = sign(&Secret::new(SECRET), policy.as_bytes());
    assert!(verify_policy(policy, KEY, &signature, &lookup).is_ok());
    assert!(verify_policy("eyJ9", KEY, &signature, &lookup).is_err());
    let error = verify_policy(policy, "other", &signature, &lookup).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidAccessKeyId);
}

#[test]
fn a_bucket_is_signed_with_or_without_the_slash_behind_it() {
    let date = "Tue, 27 Mar 2007 19:36:42 +0000";
    let now = http_date::parse(date).unwrap();
    let verifies = |host_bucket, signed: &str, sent: &str| {
        let unsigned = headers(&[("date", date)]);
        let text = string_to_sign(&request("PUT", host_bucket, signed, &unsigned), date);
        let signature = format!("AWS {KEY}:{}", sign(&Secret::new(SECRET), text.as_bytes()));
        let map = headers(&[("date", date), ("authorization", &signature)]);
        verify_header(&request("PUT", host_bucket, sent, &map), &lookup, now).is_ok()
    };
    assert!(verifies(None, "/bucket", "/bucket") && verifies(None, "/bucket/", "/bucket"));
    assert!(verifies(None, "/bucket/?acl", "/bucket?acl") && verifies(None, "/bucket/", "/bucket/"));
    // Everywhere else a slash is part of a name.
    assert!(!verifies(None, "/bucket", "/bucket/") && !verifies(None, "/bucket/key/", "/bucket/key"));
    assert!(!verifies(None, "//", "/") && !verifies(Some("bucket"), "/key/", "/key"));
}

#[test]
fn a_date_before_the_epoch_is_none() {
    let map =
        headers(&[("date", "Tue, 07 Jul 1950 21:53:04 GMT"), ("authorization", &format!("AWS {KEY}:x"))]);
    let error = verify_header(&request("GET", None, "/", &map), &lookup, 0).unwrap_err();
    assert_eq!(error, AuthError::MissingDate);
}
