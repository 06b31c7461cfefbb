//! Signature Version 2, where it is turned on and where it is not.

use super::*;
use crate::wire::{http_date, percent, sigv2};

fn resource<'a>(host_bucket: Option<&'a str>, target: &'a str) -> sigv2::Resource<'a> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    sigv2::Resource { host_bucket, path, query }
}

/// Signs in a header, as alice.
fn sign(ask: &mut Ask<'_>, host_bucket: Option<&str>) {
    let date = http_date::rfc1123(ask.client.clock.now_ms() / 1000);
    ask.headers.insert("date", date.parse().unwrap());
    let request = sigv2::Request {
        method: &ask.method,
        resource: resource(host_bucket, &ask.target),
        headers: &ask.headers,
    };
    let signature =
        sigv2::sign(&user("alice").secret_access_key, sigv2::string_to_sign(&request, &date).as_bytes());
    ask.headers.insert("authorization", format!("AWS KEYalice:{signature}").parse().unwrap());
}

/// Presigns, as alice. `headers` are signed too, and moved into the query.
fn presign(method: &str, target: &str, headers: &[(&str, &str)], expires: i64) -> String {
    let mut map = HeaderMap::new();
    let mut query = format!("AWSAccessKeyId=KEYalice&Expires={expires}");
    for (name, value) in headers {
        map.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        query += &format!("&{name}={}", percent::encode(value.as_bytes()));
    }
    let request = sigv2::Request { method, resource: resource(None, target), headers: &map };
    let text = sigv2::string_to_sign(&request, &expires.to_string());
    let signature = sigv2::sign(&user("alice").secret_access_key, text.as_bytes());
    let separator = if target.contains('?') { '&' } else { '?' };
    format!("{target}{separator}{query}&Signature={}", percent::encode(signature.as_bytes()))
}

#[tokio::test]
async fn requests_signed_in_a_header_are_served() {
    let client = Client::with_sigv2().await;
    let mut put = client.ask("PUT", "/bucket/a%20key").header("x-amz-meta-a", "b").body("bytes");
    put.headers.insert("content-type", HeaderValue::from_static("text/plain"));
    sign(&mut put, None);
    put.send_as_is().await.expect(200);
    for target in ["/bucket/a%20key", "/bucket?list-type=2&prefix=a", "/bucket?versioning", "/"] {
        let mut get = client.ask("GET", target);
        sign(&mut get, None);
        get.send_as_is().await.expect(200);
    }
    let mut get = client.ask("GET", "/a%20key?response-content-type=x%2Fy");
    get.headers.insert("host", format!("bucket.{HOST}").parse().unwrap());
    sign(&mut get, Some("bucket"));
    let answer = get.send_as_is().await.expect(200);
    assert_eq!((answer.header("content-type"), answer.header("x-amz-meta-a")), ("x/y".into(), "b".into()));
    // Newer SDKs frame bodies even so.
    let mut put = client
        .ask("PUT", "/bucket/framed")
        .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        .header("x-amz-decoded-content-length", "5")
        .header("x-amz-trailer", "x-amz-checksum-crc32")
        .body("5\r\nbytes\r\n0\r\nx-amz-checksum-crc32:sZlDzg==\r\n\r\n");
    sign(&mut put, None);
    put.send_as_is().await.expect(200);
    assert_eq!(client.get("/bucket/framed").await.text(), "bytes");
}

#[tokio::test]
async fn what_is_wrong_with_a_signature_is_said() {
    let client = Client::with_sigv2().await;
    let signed = |change: &dyn Fn(&mut Ask<'_>)| {
        let mut ask = client.ask("GET", "/bucket?prefix=p");
        sign(&mut ask, None);
        change(&mut ask);
        ask.send_as_is()
    };
    let set = |name: &'static str, value: &'static str| {
        move |ask: &mut Ask<'_>| drop(ask.headers.insert(name, value.parse().unwrap()))
    };
    // What is not signed may change.
    signed(&|ask| ask.target = "/bucket?prefix=other".into()).await.expect(200);
    signed(&|ask| ask.target = "/bucket?prefix=p&acl".into())
        .await
        .expect_error(403, "SignatureDoesNotMatch");
    let answer = signed(&set("x-amz-meta-a", "b")).await.expect_error(403, "SignatureDoesNotMatch");
    assert!(answer.element("StringToSign").contains("x-amz-meta-a:b"));
    assert_eq!(answer.element("AWSAccessKeyId"), "KEYalice");
    signed(&set("authorization", "AWS KEYnobody:x")).await.expect_error(403, "InvalidAccessKeyId");
    signed(&set("authorization", "AWS KEYalice")).await.expect_error(400, "InvalidArgument");
    signed(&|ask| drop(ask.headers.remove("date"))).await.expect_error(403, "AccessDenied");
    for (seconds, is_fine) in [(899, true), (901, false), (-899, true), (-901, false)] {
        let mut ask = client.ask("GET", "/bucket");
        sign(&mut ask, None);
        client.clock.advance(seconds * 1000);
        let answer = ask.send_as_is().await;
        client.clock.advance(-seconds * 1000);
        match is_fine {
            true => drop(answer.expect(200)),
            false => drop(answer.expect_error(403, "RequestTimeTooSkewed")),
        }
    }
    let both = presign("GET", "/bucket", &[], NOW_S + 60);
    let mut ask = client.ask("GET", &both);
    sign(&mut ask, None);
    ask.send_as_is().await.expect_error(400, "InvalidArgument");
}

#[tokio::test]
async fn presigned_urls_of_version_2_are_served_until_they_expire() {
    let client = Client::with_sigv2().await;
    let send = async |method: &str, url: &str, body: &'static str| {
        client.ask(method, url).body(body).anonymous().send_as_is().await
    };
    let headers = [("x-amz-meta-a", "one two"), ("content-type", "text/plain")];
    let put = presign("PUT", "/bucket/key", &headers, NOW_S + 60);
    send("PUT", &put, "bytes").await.expect(200);
    let get = presign("GET", "/bucket/key?response-cache-control=no-store", &[], NOW_S + 60);
    let answer = send("GET", &get, "").await.expect(200);
    assert_eq!(answer.text(), "bytes");
    assert_eq!(answer.header("x-amz-meta-a"), "one two");
    assert_eq!(answer.header("content-type"), "text/plain");
    assert_eq!(answer.header("cache-control"), "no-store");
    send("DELETE", &get, "").await.expect_error(403, "SignatureDoesNotMatch");
    for (query, code) in [
        ("AWSAccessKeyId=KEYalice&Signature=x", "AccessDenied"),
        ("Signature=x&Expires=2000000000", "AccessDenied"),
        ("AWSAccessKeyId=KEYalice&Signature=x&Expires=soon", "AccessDenied"),
        ("AWSAccessKeyId=KEYalice&Signature=x&Expires=2000000000", "SignatureDoesNotMatch"),
        ("AWSAccessKeyId=KEYnobody&Signature=x&Expires=2000000000", "InvalidAccessKeyId"),
    ] {
        send("GET", &format!("/bucket/key?{query}"), "").await.expect_error(403, code);
    }
    client.clock.advance(60_000);
    send("GET", &get, "").await.expect(200);
    client.clock.advance(1_000);
    let expired = send("GET", &get, "").await.expect_error(403, "AccessDenied");
    assert_eq!(expired.element("Message"), "Request has expired");
    assert!(expired.has_element("Expires") && expired.has_element("ServerTime"));
}

#[tokio::test]
async fn it_is_off_unless_turned_on() {
    let client = Client::with_bucket().await;
    let mut ask = client.ask("GET", "/bucket");
    sign(&mut ask, None);
    ask.send_as_is().await.expect_error(400, "InvalidRequest");
    let url = presign("GET", "/bucket", &[], NOW_S + 60);
    client.ask("GET", &url).anonymous().send_as_is().await.expect_error(400, "InvalidRequest");
}
