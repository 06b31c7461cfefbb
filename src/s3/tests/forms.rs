//! Browser forms: PostObject.

use super::*;
use crate::wire::sigv2;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BOUNDARY: &str = "boundary-of-tests";

/// A form being put together.
#[derive(Clone)]
pub(super) struct Form {
    fields: Vec<(String, String)>,
    /// Name and data of the file parts.
    files: Vec<(Option<String>, Bytes)>,
    fields_after: Vec<(String, String)>,
}

/// Conditions under which a form with `key` and a file of up to 1,000 bytes is good.
const CONDITIONS: &str =
    r#"{"bucket": "bucket"}, ["starts-with", "$key", "u/"], ["content-length-range", 0, 1000]"#;

fn policy(conditions: &str) -> String {
    STANDARD.encode(format!(r#"{{"expiration": "2026-01-01T00:10:00Z", "conditions": [{conditions}]}}"#))
}

impl Form {
    pub(super) fn new(key: &str) -> Form {
        let form = Form { fields: Vec::new(), files: Vec::new(), fields_after: Vec::new() };
        form.field("key", key)
    }

    pub(super) fn field(mut self, name: &str, value: &str) -> Form {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn file(mut self, name: Option<&str>, data: impl Into<Bytes>) -> Form {
        self.files.push((name.map(str::to_owned), data.into()));
        self
    }

    fn after(mut self, name: &str, value: &str) -> Form {
        self.fields_after.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Signs these conditions with version 4, as alice.
    fn signed(self, conditions: &str) -> Form {
        let policy = policy(conditions);
        let signed = signer("alice").sign_policy(&policy, NOW_S);
        self.field("policy", &policy)
            .field("x-amz-algorithm", "AWS4-HMAC-SHA256")
            .field("X-Amz-Credential", &format!("KEYalice/{}", signed.scope))
            .field("x-amz-date", "20260101T000000Z")
            .field("x-amz-signature", &signed.signature)
    }

    /// The same with version 2.
    fn signed_v2(self, conditions: &str) -> Form {
        let policy = policy(conditions);
        let User { access_key_id, secret_access_key, .. } = user("alice");
        let signature = sigv2::sign(&secret_access_key, policy.as_bytes());
        self.field("AWSAccessKeyId", &access_key_id).field("signature", &signature).field("policy", &policy)
    }

    fn encode(&self) -> Vec<u8> {
        let mut form = Vec::new();
        let mut part = |head: String, data: &[u8]| {
            form.extend_from_slice(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").as_bytes());
            form.extend_from_slice(data);
            form.extend_from_slice(b"\r\n");
        };
        let head = |name: &str| format!("Content-Disposition: form-data; name=\"{name}\"");
        for (name, value) in &self.fields {
            part(head(name), value.as_bytes());
        }
        for (name, data) in &self.files {
            let filename = name.as_ref().map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
            part(format!("{}{filename}\r\nContent-Type: application/x-ignored", head("file")), data);
        }
        for (name, value) in &self.fields_after {
            part(head(name), value.as_bytes());
        }
        form.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        form
    }

    pub(super) async fn send(&self, client: &Client) -> Answer {
        self.send_to(client, "/bucket").await
    }

    async fn send_to(&self, client: &Client, target: &str) -> Answer {
        post(client, target, self.encode()).send_as_is().await
    }
}

fn post<'c>(client: &'c Client, target: &str, body: Vec<u8>) -> Ask<'c> {
    client
        .ask("POST", target)
        .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
        .body(body)
        .anonymous()
}

#[tokio::test]
async fn a_signed_form_becomes_an_object() {
    let client = Client::with_sigv2().await;
    let conditions = format!(
        r#"{CONDITIONS}, {{"acl": "private"}}, ["starts-with", "$Content-Type", "text/"], ["eq", "$x-amz-meta-a", "b"],
           {{"x-amz-storage-class": "STANDARD_IA"}}, ["starts-with", "$tagging", ""], {{"Cache-Control": "no-store"}}"#
    );
    let fields = |form: Form| {
        form.field("acl", "private")
            .field("Content-Type", "text/plain")
            .field("x-amz-meta-a", "b")
            .field("x-amz-storage-class", "STANDARD_IA")
            .field("Cache-Control", "no-store")
            .field("tagging", "<Tagging><TagSet><Tag><Key>k</Key><Value>v w</Value></Tag></TagSet></Tagging>")
            .field("x-ignore-me", "whatever")
            .file(Some("C:\\photos\\cat.txt"), "a cat")
            .after("acl", "public-read")
            .after("submit", "Upload")
    };
    for (form, key) in [
        (Form::new("u/${filename}").signed(&conditions), "u/cat.txt"),
        (Form::new("u/v2").signed_v2(&conditions), "u/v2"),
    ] {
        let answer = fields(form).send(&client).await.expect(204);
        assert_eq!(answer.etag(), format!("\"{}\"", md5_hex(b"a cat")));
        assert_eq!(answer.header("location"), format!("http://{HOST}/bucket/{key}"));
        assert_eq!(answer.header("x-amz-checksum-type"), "FULL_OBJECT");
        let object = client.get(&format!("/bucket/{key}")).await.expect(200);
        assert_eq!(object.text(), "a cat");
        assert_eq!(object.header("content-type"), "text/plain");
        assert_eq!(object.header("cache-control"), "no-store");
        assert_eq!(object.header("x-amz-meta-a"), "b");
        assert_eq!(object.header("x-amz-storage-class"), "STANDARD_IA");
        let tags = client.get(&format!("/bucket/{key}?tagging")).await.expect(200);
        assert_eq!((tags.element("Key"), tags.element("Value")), ("k".into(), "v w".into()));
    }
}

#[tokio::test]
async fn the_form_says_what_the_browser_sees_then() {
    let client = Client::with_bucket().await;
    let conditions = format!(
        r#"{CONDITIONS}, ["starts-with", "$success_action_status", ""], ["starts-with", "$success_action_redirect", ""],
           ["starts-with", "$redirect", ""]"#
    );
    let send = async |name: &str, value: &str| {
        Form::new("u/a b").signed(&conditions).field(name, value).file(None, "bytes").send(&client).await
    };
    let etag = md5_hex(b"bytes");
    let location = format!("http://{HOST}/bucket/u/a%20b");
    for (value, status) in [("200", 200), ("204", 204), ("404", 204), ("", 204), ("201", 201)] {
        let answer = send("success_action_status", value).await.expect(status);
        assert_eq!(answer.header("location"), location);
        assert_eq!(answer.etag(), format!("\"{etag}\""));
        if status == 201 {
            assert!(answer.text().contains("<PostResponse><Location>"), "{}", answer.text());
            assert_eq!(answer.element("Location"), location);
            assert_eq!((answer.element("Bucket"), answer.element("Key")), ("bucket".into(), "u/a b".into()));
            assert_eq!(answer.element("ETag"), format!("\"{etag}\""));
        } else {
            assert!(answer.body.is_empty());
        }
    }
    for name in ["success_action_redirect", "redirect"] {
        let answer = send(name, "https://example.com/done?a=1").await.expect(303);
        let expected = format!("https://example.com/done?a=1&bucket=bucket&key=u%2Fa%20b&etag=%22{etag}%22");
        assert_eq!(answer.header("location"), expected);
        assert!(answer.body.is_empty());
    }
    send("success_action_redirect", "not a URL").await.expect(204);
}

#[tokio::test]
async fn whoever_signs_nothing_or_wrongly_is_not_let_in() {
    let client = Client::with_sigv2().await;
    let signed = |form: Form| form.signed(CONDITIONS).file(None, "x");
    let without = |name: &str| {
        let mut form = signed(Form::new("u/k"));
        form.fields.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        form
    };
    let with = |name: &str, value: &str| {
        let mut form = without(name);
        form.fields.push((name.to_owned(), value.to_owned()));
        form
    };
    let v2 = |form: Form| form.file(None, "x");
    for (form, status, code) in [
        (Form::new("u/k").file(None, "x"), 403, "AccessDenied"),
        (Form::new("u/k").field("policy", &policy(CONDITIONS)).file(None, "x"), 403, "AccessDenied"),
        (without("x-amz-signature"), 400, "InvalidArgument"),
        (without("x-amz-date"), 400, "InvalidArgument"),
        (without("x-amz-credential"), 400, "InvalidArgument"),
        (without("x-amz-algorithm"), 400, "InvalidArgument"),
        (without("policy"), 400, "InvalidArgument"),
        (with("x-amz-signature", &"0".repeat(64)), 403, "SignatureDoesNotMatch"),
        (with("policy", &policy("")), 403, "SignatureDoesNotMatch"),
        (with("x-amz-algorithm", "AWS4-ECDSA-P256-SHA256"), 400, "InvalidArgument"),
        (with("x-amz-credential", "nobody/20260101/us-east-1/s3/aws4_request"), 403, "InvalidAccessKeyId"),
        (with("x-amz-credential", "KEYalice"), 400, "AuthorizationQueryParametersError"),
        (with("x-amz-date", "20260102T000000Z"), 400, "AuthorizationQueryParametersError"),
        (signed(Form::new("u/k")).field("x-amz-security-token", "t"), 400, "InvalidToken"),
        (v2(Form::new("u/k").field("AWSAccessKeyId", "KEYalice")), 400, "InvalidArgument"),
        (
            v2(Form::new("u/k").field("AWSAccessKeyId", "KEYalice").field("policy", &policy(CONDITIONS))),
            400,
            "InvalidArgument",
        ),
        (
            v2(Form::new("u/k")
                .field("AWSAccessKeyId", "KEYalice")
                .field("signature", "x")
                .field("policy", &policy(CONDITIONS))),
            403,
            "SignatureDoesNotMatch",
        ),
        (
            v2(Form::new("u/k")
                .field("AWSAccessKeyId", "nobody")
                .field("signature", "x")
                .field("policy", &policy(CONDITIONS))),
            403,
            "InvalidAccessKeyId",
        ),
    ] {
        let answer = form.send(&client).await;
        assert_eq!((answer.status, answer.element("Code").as_str()), (status, code), "{:?}", form.fields);
    }
    // Somebody else's bucket.
    client.as_user("bob").ask("PUT", "/bobs-bucket").send().await.expect(200);
    let form = signed(Form::new("u/k"));
    form.send_to(&client, "/bobs-bucket").await.expect_error(403, "AccessDenied");
    form.send_to(&client, "/missing").await.expect_error(404, "NoSuchBucket");
    form.send_to(&client, "/No").await.expect_error(400, "InvalidBucketName");
    client.get("/bucket/u/k").await.expect_error(404, "NoSuchKey");
    // Version 2 where it is off.
    let client = Client::with_bucket().await;
    let form = Form::new("u/k").signed_v2(CONDITIONS).file(None, "x");
    form.send(&client).await.expect_error(400, "InvalidRequest");
}

#[tokio::test]
async fn a_policy_is_kept_to() {
    let client = Client::with_bucket().await;
    let send = async |conditions: &str, key: &str, fields: &[(&str, &str)], len: usize| {
        let form = fields.iter().fold(Form::new(key), |form, (name, value)| form.field(name, value));
        form.signed(conditions).file(None, bytes(len)).send(&client).await
    };
    for (conditions, key, fields, len, code) in [
        (CONDITIONS, "other/k", &[][..], 1, "AccessDenied"),
        (CONDITIONS, "u/k", &[("acl", "private")], 1, "AccessDenied"),
        (CONDITIONS, "u/k", &[("submit", "Upload")], 1, "AccessDenied"),
        (r#"["starts-with", "$key", ""]"#, "u/k", &[], 1, "AccessDenied"),
        (r#"{"bucket": "other"}, ["starts-with", "$key", ""]"#, "u/k", &[], 1, "AccessDenied"),
        // What the form calls the bucket counts for nothing.
        (
            r#"{"bucket": "other"}, ["starts-with", "$key", ""]"#,
            "u/k",
            &[("bucket", "other")],
            1,
            "AccessDenied",
        ),
        (CONDITIONS, "u/k", &[], 1001, "EntityTooLarge"),
        (
            r#"{"bucket": "bucket"}, {"key": "u/k"}, ["content-length-range", 10, 20]"#,
            "u/k",
            &[],
            9,
            "EntityTooSmall",
        ),
        (r#"{"bucket": "bucket"}, {}"#, "u/k", &[], 1, "InvalidPolicyDocument"),
        (r#"["content-length-range", -1, 0]"#, "u/k", &[], 1, "InvalidPolicyDocument"),
    ] {
        let answer = send(conditions, key, fields, len).await;
        assert_eq!(answer.element("Code"), code, "{conditions} {key} {fields:?}");
    }
    client.get("/bucket?list-type=2").await.expect(200);
    assert!(!client.get("/bucket").await.has_element("Contents"), "nothing was written");

    client.clock.advance(600_000);
    send(CONDITIONS, "u/k", &[], 1000).await.expect(204);
    client.clock.advance(1_000);
    let expired = send(CONDITIONS, "u/k", &[], 1).await.expect_error(403, "AccessDenied");
    assert_eq!(expired.element("Message"), "Invalid according to Policy: Policy expired.");
}

#[tokio::test]
async fn a_form_that_is_none_is_refused() {
    let client = Client::with_bucket().await;
    let good = || Form::new("u/k").signed(CONDITIONS);
    let long = "v".repeat(21 << 10);
    let mut no_key = good().file(None, "x");
    no_key.fields.retain(|(name, _)| name != "key");
    for (form, code) in [
        (good(), "IncorrectNumberOfFilesInPostRequest"),
        (good().file(None, "x").file(None, "y"), "IncorrectNumberOfFilesInPostRequest"),
        (no_key, "InvalidArgument"),
        (Form::new("").signed(CONDITIONS).file(None, "x"), "UserKeyMustBeSpecified"),
        (Form::new(&"k".repeat(1025)).signed(CONDITIONS).file(None, "x"), "KeyTooLongError"),
        (good().field("key", "again").file(None, "x"), "InvalidArgument"),
        (good().field("x-ignore-long", &long).file(None, "x"), "MaxPostPreDataLengthExceeded"),
        (good().file(None, "x").after("long", &long), "MalformedPOSTRequest"),
    ] {
        let answer = form.send(&client).await;
        assert_eq!((answer.status, answer.element("Code").as_str()), (400, code));
    }
    let whole = good().file(None, bytes(500)).encode();
    for end in [0, 10, 200, whole.len() - 300, whole.len() - 4] {
        let answer = post(&client, "/bucket", whole[..end].to_vec()).send_as_is().await;
        answer.expect_error(400, "MalformedPOSTRequest");
    }
    for (content_type, status, code) in [
        ("multipart/form-data", 400, "MalformedPOSTRequest"),
        ("multipart/form-data; boundary=", 400, "MalformedPOSTRequest"),
        ("application/x-www-form-urlencoded", 412, "PreconditionFailed"),
    ] {
        let ask = client.ask("POST", "/bucket").header("content-type", content_type).body(whole.clone());
        ask.anonymous().send_as_is().await.expect_error(status, code);
    }
    let cut = [Ok(Bytes::from(whole[..900].to_vec())), Err(BodyError::Idle)];
    post(&client, "/bucket", Vec::new()).frames(cut).send_as_is().await.expect_error(400, "RequestTimeout");
    client.get("/bucket/u/k").await.expect_error(404, "NoSuchKey");
}

#[tokio::test]
async fn checksums_in_fields_are_compared_with_the_file() {
    let client = Client::with_bucket().await;
    let md5 = STANDARD.encode(dovetail_digest::md5(b"123456789"));
    let conditions = format!(r#"{CONDITIONS}, ["starts-with", "$content-md5", ""]"#);
    let send = async |name: &str, value: &str| {
        Form::new("u/k").signed(&conditions).field(name, value).file(None, "123456789").send(&client).await
    };
    let answer = send("x-amz-checksum-crc32", "y/Q5Jg==").await.expect(204);
    assert_eq!(answer.header("x-amz-checksum-crc32"), "y/Q5Jg==");
    send("content-md5", &md5).await.expect(204);
    send("x-amz-checksum-crc32", "AAAAAA==").await.expect_error(400, "BadDigest");
    send("x-amz-checksum-crc32", "sailorjerry").await.expect_error(400, "InvalidRequest");
    send("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==").await.expect_error(400, "BadDigest");
}

#[tokio::test]
async fn a_large_file_streams_and_is_refused_as_soon_as_it_is_too_large() {
    let client = Client::with_bucket().await;
    let file = bytes(5 << 20);
    let conditions = |max: u64| {
        format!(
            r#"{{"bucket": "bucket"}}, ["starts-with", "$key", "u/"], ["content-length-range", 0, {max}]"#
        )
    };
    let form = Form::new("u/large").signed(&conditions(5 << 20)).file(Some("x"), file.clone()).encode();
    let frames = form.chunks(10_007).map(|frame| Ok(Bytes::copy_from_slice(frame)));
    post(&client, "/bucket", Vec::new()).frames(frames).send_as_is().await.expect(204);
    assert_eq!(client.get("/bucket/u/large").await.expect(200).body, file);

    // The form's length tells, before any of the file is looked at; without it, the first byte too many.
    let form = Form::new("u/too-large").signed(&conditions(1 << 20)).file(None, file).encode();
    let start = Bytes::from(form[..2000].to_vec());
    let ask = client
        .ask("POST", "/bucket")
        .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
        .header("content-length", form.len().to_string());
    let answer = ask.frames([Ok(start), Err(BodyError::Idle)]).send_as_is().await;
    assert_eq!(answer.expect_error(400, "EntityTooLarge").element("MaxSizeAllowed"), "1048576");
    let some = Bytes::from(form[..(1 << 20) + 4096].to_vec());
    let frames = [Ok(some), Err(BodyError::Idle)];
    let ask = client
        .ask("POST", "/bucket")
        .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"));
    ask.frames(frames).send_as_is().await.expect_error(400, "EntityTooLarge");
}

#[tokio::test]
async fn versions_and_pages_of_other_origins_are_told_as_with_a_put() {
    let client = Client::with_bucket().await;
    let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    client.put("/bucket?versioning", versioning).await.expect(200);
    let cors = "<CORSConfiguration><CORSRule><AllowedOrigin>https://a.example</AllowedOrigin>\
                <AllowedMethod>POST</AllowedMethod><ExposeHeader>ETag</ExposeHeader></CORSRule></CORSConfiguration>";
    client.put("/bucket?cors", cors).await.expect(200);
    for (form, status) in [(Form::new("u/k").signed(CONDITIONS), 204), (Form::new("u/k"), 403)] {
        let body = form.file(None, "x").encode();
        let answer = post(&client, "/bucket", body).header("origin", "https://a.example").send_as_is().await;
        let answer = answer.expect(status);
        assert_eq!(answer.header("access-control-allow-origin"), "https://a.example");
        assert_eq!(answer.header("access-control-expose-headers"), "ETag");
        assert_eq!(answer.header("x-amz-version-id").is_empty(), status != 204);
    }
}
