//! Cross-origin requests: the configuration, preflights, and what actual requests are told.

use super::*;

const APP: &str = "https://app.example.com";
const RULES: &str = "<CORSConfiguration><CORSRule><AllowedOrigin>https://*.example.com</AllowedOrigin>\
    <AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod><AllowedHeader>*</AllowedHeader>\
    <ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule></CORSConfiguration>";

async fn with_rules() -> Client {
    let client = Client::with_bucket().await;
    client.put("/bucket?cors", RULES).await.expect(200);
    client
}

#[tokio::test]
async fn a_configuration_is_set_read_and_removed() {
    let client = Client::with_bucket().await;
    client.get("/bucket?cors").await.expect_error(404, "NoSuchCORSConfiguration");
    client.delete("/bucket?cors").await.expect(204);
    assert!(client.put("/bucket?cors", RULES).await.expect(200).body.is_empty());
    for bad in ["", "<CORSConfiguration/>", "<CORSConfiguration><CORSRule/></CORSConfiguration>"] {
        client.put("/bucket?cors", bad).await.expect_error(400, "MalformedXML");
    }
    client.put("/bucket?cors", " ".repeat(65537)).await.expect_error(400, "MaxMessageLengthExceeded");
    let patch = RULES.replace("PUT", "PATCH");
    let refused = client.put("/bucket?cors", patch).await.expect_error(400, "InvalidRequest");
    assert!(refused.element("Message").ends_with("Unsupported method is PATCH"));
    let read = client.get("/bucket?cors").await.expect(200);
    assert_eq!(read.elements("AllowedMethod"), ["GET", "PUT"]);
    assert_eq!(read.element("MaxAgeSeconds"), "60");
    for (method, body) in [("GET", ""), ("PUT", RULES), ("DELETE", "")] {
        let bob = client.as_user("bob");
        bob.ask(method, "/bucket?cors").body(body).send().await.expect_error(403, "AccessDenied");
        client.ask(method, "/missing?cors").body(body).send().await.expect_error(404, "NoSuchBucket");
    }
    client.delete("/bucket?cors").await.expect(204);
    client.get("/bucket?cors").await.expect_error(404, "NoSuchCORSConfiguration");
}

#[tokio::test]
async fn preflights_are_answered_without_a_signature() {
    let client = with_rules().await;
    for target in ["/bucket/key", "/bucket", "/bucket/a/b?uploads"] {
        let ask = client.ask("OPTIONS", target).anonymous().header("origin", APP);
        let ask = ask.header("access-control-request-method", "PUT");
        let answer =
            ask.header("access-control-request-headers", "X-Amz-Date,authorization").send().await.expect(200);
        for (name, value) in [
            ("access-control-allow-origin", APP),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", "GET, PUT"),
            ("access-control-allow-headers", "x-amz-date, authorization"),
            ("access-control-expose-headers", "ETag"),
            ("access-control-max-age", "60"),
        ] {
            assert_eq!(answer.header(name), value, "{name}");
        }
        assert!(answer.header("vary").starts_with("Origin, ") && answer.body.is_empty());
    }
}

#[tokio::test]
async fn preflights_are_refused_when_nothing_allows_them() {
    let client = with_rules().await;
    client.put("/plain", "").await.expect(200);
    let not_enabled = "CORSResponse: CORS is not enabled for this bucket.";
    let not_found = "CORSResponse: Bucket not found";
    let not_allowed = "CORSResponse: This CORS request is not allowed.";
    for (target, origin, method, code, message) in [
        ("/bucket/key", "", "PUT", "BadRequest", "Insufficient information. Origin request header needed."),
        ("/bucket/key", APP, "", "AccessForbidden", "Invalid Access-Control-Request-Method: null"),
        ("/plain/key", APP, "PUT", "AccessForbidden", not_enabled),
        ("/plain/key", APP, "", "AccessForbidden", not_enabled),
        ("/missing/key", APP, "PUT", "AccessForbidden", not_found),
        ("/", APP, "GET", "AccessForbidden", not_found),
        ("/bucket/key", APP, "DELETE", "AccessForbidden", not_allowed),
        ("/bucket/key", "https://example.com", "PUT", "AccessForbidden", not_allowed),
        ("/bucket/key", "null", "PUT", "AccessForbidden", not_allowed),
    ] {
        let mut ask = client.ask("OPTIONS", target).anonymous();
        for (name, value) in [("origin", origin), ("access-control-request-method", method)] {
            if !value.is_empty() {
                ask = ask.header(name, value);
            }
        }
        let status = if code == "BadRequest" { 400 } else { 403 };
        let refused = ask.send().await.expect_error(status, code);
        assert_eq!(refused.element("Message"), message, "{target} {origin} {method}");
        assert!(refused.header("access-control-allow-origin").is_empty());
        if code == "AccessForbidden" {
            let resource = if target.ends_with("key") { "OBJECT" } else { "BUCKET" };
            assert_eq!(
                (refused.element("Method"), refused.element("ResourceType")),
                (method.into(), resource.into())
            );
        }
    }
}

#[tokio::test]
async fn actual_requests_are_told_with_errors_too() {
    let client = with_rules().await;
    let ask = |method: &str, target: &str| client.ask(method, target).header("origin", APP);
    let put = ask("PUT", "/bucket/key").body("x").send().await.expect(200);
    let get = ask("GET", "/bucket/key").send().await.expect(200);
    let missing = ask("GET", "/bucket/missing").send().await.expect_error(404, "NoSuchKey");
    let unsigned = ask("GET", "/bucket/key").anonymous().send().await.expect_error(403, "AccessDenied");
    let forged = client.ask("GET", "/bucket/key").header("origin", APP);
    let forged = forged.header("authorization", "AWS4-HMAC-SHA256 x").send_as_is().await.expect(400);
    let not_modified = ask("GET", "/bucket/key").header("if-none-match", "*").send().await.expect(304);
    let unknown = ask("GET", "/bucket/key?torrent").send().await.expect_error(501, "NotImplemented");
    for answer in [&put, &get, &missing, &unsigned, &forged, &not_modified, &unknown] {
        assert_eq!(answer.header("access-control-allow-origin"), APP, "{}", answer.text());
        assert_eq!(answer.header("access-control-expose-headers"), "ETag");
        assert_eq!(answer.headers.get_all("vary").iter().count(), 1);
    }
    // Not an allowed method, not an allowed origin, no page at all, no rules: nothing is said, and nothing refused.
    let head = ask("HEAD", "/bucket/key").send().await.expect(200);
    let other =
        client.ask("GET", "/bucket/key").header("origin", "https://evil.example").send().await.expect(200);
    let odd = client
        .ask("GET", "/bucket/key")
        .header("origin", b"https://\xff.example.com")
        .send()
        .await
        .expect(200);
    let plain = client.get("/bucket/key").await.expect(200);
    let gone = ask("GET", "/missing/key").send().await.expect_error(404, "NoSuchBucket");
    let service = ask("GET", "/").send().await.expect(200);
    for answer in [&head, &other, &odd, &plain, &gone, &service] {
        let is_told =
            |name: &&http::HeaderName| name.as_str().starts_with("access-control") || *name == "vary";
        assert_eq!(answer.headers.keys().find(is_told), None);
    }
    // The rules as they were when the request came.
    let deleted = client.ask("DELETE", "/bucket?cors").header("origin", APP);
    let deleted = deleted.header("access-control-request-method", "PUT").send().await.expect(204);
    assert_eq!(deleted.header("access-control-allow-origin"), APP);
    let after = ask("GET", "/bucket/key").send().await.expect(200);
    assert!(after.header("access-control-allow-origin").is_empty());
}
