//! Who is let in, and what everybody else is told.

use super::*;
use crate::wire::sigv4::PayloadKind;

async fn send_changed(client: &Client, change: impl FnOnce(&mut HeaderMap)) -> Answer {
    let mut ask = client.ask("GET", "/bucket?prefix=a%20b");
    let now = client.clock.now_ms() / 1000;
    client.signer.sign_header("GET", "/bucket", "prefix=a%20b", &mut ask.headers, PayloadKind::Unsigned, now);
    change(&mut ask.headers);
    ask.send_as_is().await
}

fn change_authorization(from: &str, to: &str) -> impl FnOnce(&mut HeaderMap) {
    let (from, to) = (from.to_owned(), to.to_owned());
    move |headers| {
        let text = headers["authorization"].to_str().unwrap().to_owned();
        assert!(text.contains(&from), "{text}");
        headers.insert("authorization", text.replacen(&from, &to, 1).parse().unwrap());
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_header_is_said() {
    let client = Client::with_bucket().await;
    send_changed(&client, |_| {}).await.expect(200);
    for (from, to, status, code) in [
        ("Signature=", "Signature=0", 403, "SignatureDoesNotMatch"),
        ("KEYalice", "KEYbob", 403, "SignatureDoesNotMatch"),
        ("KEYalice", "KEYnobody", 403, "InvalidAccessKeyId"),
        ("us-east-1", "eu-west-1", 400, "AuthorizationHeaderMalformed"),
        ("/s3/", "/ec2/", 400, "AuthorizationHeaderMalformed"),
        ("20260101", "20260102", 400, "AuthorizationHeaderMalformed"),
        ("Credential=", "Credentials=", 400, "AuthorizationHeaderMalformed"),
        ("AWS4-HMAC-SHA256", "Basic", 400, "InvalidArgument"),
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", 501, "NotImplemented"),
        ("AWS4-HMAC-SHA256", "AWS", 400, "InvalidRequest"),
    ] {
        let answer = send_changed(&client, change_authorization(from, to)).await;
        answer.expect_error(status, code);
    }
    let wrong_region = send_changed(&client, change_authorization("us-east-1", "eu-west-1")).await;
    assert_eq!(wrong_region.element("Region"), "us-east-1");
    assert_eq!(wrong_region.header("x-amz-bucket-region"), "us-east-1");

    let unsigned = send_changed(&client, |headers| {
        headers.insert("x-amz-meta-a", HeaderValue::from_static("b"));
    });
    assert_eq!(unsigned.await.expect_error(403, "AccessDenied").element("HeadersNotSigned"), "x-amz-meta-a");
    let no_hash = send_changed(&client, |headers| drop(headers.remove("x-amz-content-sha256"))).await;
    no_hash.expect_error(400, "InvalidRequest");
    let other_host =
        send_changed(&client, |headers| drop(headers.insert("host", HeaderValue::from_static("h"))));
    other_host.await.expect_error(403, "SignatureDoesNotMatch");
    let no_host = send_changed(&client, |headers| drop(headers.remove("host"))).await;
    no_host.expect(400);
}

#[tokio::test]
async fn a_wrong_signature_wins_over_a_missing_bucket() {
    let client = Client::new();
    let mut ask = client.ask("GET", "/missing");
    client.signer.sign_header("GET", "/other", "", &mut ask.headers, PayloadKind::Unsigned, NOW_S);
    ask.send_as_is().await.expect_error(403, "SignatureDoesNotMatch");
}

#[tokio::test]
async fn clocks_may_differ_by_a_quarter_of_an_hour() {
    let client = Client::with_bucket().await;
    for (offset, is_fine) in [(-901, false), (-899, true), (899, true), (901, false)] {
        let mut ask = client.ask("GET", "/bucket");
        let payload = PayloadKind::Unsigned;
        client.signer.sign_header("GET", "/bucket", "", &mut ask.headers, payload, NOW_S + offset);
        let answer = ask.send_as_is().await;
        // The day of the scope changes with the offset, which is fine too.
        if is_fine {
            answer.expect(200);
        } else {
            assert!(answer.expect_error(403, "RequestTimeTooSkewed").has_element("ServerTime"));
        }
    }
}

#[tokio::test]
async fn session_tokens_are_none_of_ours() {
    let mut client = Client::with_bucket().await;
    client.signer.session_token = Some("token".to_owned());
    client.get("/bucket").await.expect_error(400, "InvalidToken");
}

fn presigned(client: &Client, method: &str, path: &str, query: &str, expires_s: u32) -> String {
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static(HOST));
    let query = client.signer.presign(method, path, query, &headers, expires_s, NOW_S);
    format!("{path}?{query}")
}

#[tokio::test]
async fn presigned_urls_work_until_they_expire() {
    let client = Client::with_bucket().await;
    let url = presigned(&client, "PUT", "/bucket/key", "x-amz-meta-a=b", 60);
    client.ask("PUT", &url).body("x").anonymous().send().await.expect(200);
    let url = presigned(&client, "GET", "/bucket/key", "response-content-type=text%2Fplain", 60);
    let answer = client.ask("GET", &url).anonymous().send().await.expect(200);
    assert_eq!(answer.header("content-type"), "text/plain");
    assert_eq!(answer.header("x-amz-meta-a"), "b");

    let changed = url.replacen("text%2Fplain", "text%2Fhtml", 1);
    client.ask("GET", &changed).anonymous().send().await.expect_error(403, "SignatureDoesNotMatch");
    let with_header = client.ask("GET", &url).header("x-amz-checksum-mode", "ENABLED").anonymous();
    assert!(with_header.send().await.expect_error(403, "AccessDenied").has_element("HeadersNotSigned"));
    let both = client.ask("GET", &url).header("authorization", "AWS4-HMAC-SHA256 x").anonymous();
    both.send().await.expect_error(400, "InvalidArgument");
    let cut = url.split("&X-Amz-Expires").next().unwrap();
    client.ask("GET", cut).anonymous().send().await.expect_error(400, "AuthorizationQueryParametersError");
    let too_long = presigned(&client, "GET", "/bucket/key", "", 604_801);
    let answer = client.ask("GET", &too_long).anonymous().send().await;
    answer.expect_error(400, "AuthorizationQueryParametersError");

    client.clock.advance(61_000);
    let expired = client.ask("GET", &url).anonymous().send().await.expect_error(403, "AccessDenied");
    assert_eq!(expired.element("Message"), "Request has expired");
    assert_eq!(expired.element("X-Amz-Expires"), "60");
}

#[tokio::test]
async fn a_checksum_in_a_presigned_query_is_ignored() {
    let client = Client::with_bucket().await;
    let query = "x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32";
    let url = presigned(&client, "PUT", "/bucket/key", query, 60);
    client.ask("PUT", &url).body("not empty").anonymous().send().await.expect(200);
}

/// HTTP/2 has no Host header but an authority, which is what clients sign.
#[tokio::test]
async fn a_request_over_http2_is_signed_for_its_authority() {
    let client = Client::with_bucket().await;
    let mut ask = client.ask("PUT", "/key");
    ask.headers.insert("host", HeaderValue::from_static("bucket.s3.example.test"));
    client.signer.sign_header("PUT", "/key", "", &mut ask.headers, PayloadKind::Unsigned, NOW_S);
    ask.headers.remove("host");
    let frames = [Ok::<_, BodyError>(Frame::data(Bytes::from_static(b"no length")))];
    let body = StreamBody::new(futures::stream::iter(frames)).boxed_unsync();
    let uri = "https://bucket.s3.example.test/key";
    let mut req = http::Request::builder().method("PUT").version(http::Version::HTTP_2).uri(uri);
    *req.headers_mut().unwrap() = ask.headers;
    Answer::read(client.s3.handle(req.body(body).unwrap()).await, false).await.expect(200);
    assert_eq!(client.get("/bucket/key").await.expect(200).text(), "no length");
}

#[tokio::test]
async fn old_signatures_are_refused_by_name() {
    let client = Client::with_bucket().await;
    let answer = client.ask("GET", "/bucket?AWSAccessKeyId=a&Signature=b&Expires=1").anonymous().send().await;
    assert!(answer.expect_error(400, "InvalidRequest").element("Message").contains("AWS4-HMAC-SHA256"));
}
