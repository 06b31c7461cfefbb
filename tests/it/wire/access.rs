//! Who may do what: presigned URLs, several users.

use super::with_bucket;
use crate::client::{Answer, Client};
use crate::gateway::Gateway;
use crate::gateway::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};
use crate::socket::{Request, Socket, now_s, signer};
use http::HeaderMap;

/// A presigned path with its query.
fn presigned(gateway: &Gateway, method: &str, path: &str, expires_s: u32, now_s: i64) -> String {
    let mut headers = HeaderMap::new();
    headers.insert("host", format!("127.0.0.1:{}", gateway.port()).parse().unwrap());
    let signer = signer(ACCESS_KEY_ID, SECRET_ACCESS_KEY);
    format!("{path}?{}", signer.presign(method, path, "", &headers, expires_s, now_s))
}

/// Sends a request without an `Authorization` header.
async fn send(gateway: &Gateway, method: &str, path: &str, body: &str) -> Answer {
    let mut socket = Socket::connect(gateway).await;
    let request = Request::new(gateway, method, path).body_len(body.len());
    socket.send([&request.write()[..], body.as_bytes()].concat()).await;
    socket.answer().await
}

#[tokio::test]
async fn presigned_urls_do_what_they_were_signed_for_until_they_expire() {
    let gateway = with_bucket(&[]).await;
    let put = presigned(&gateway, "PUT", "/bucket/key", 60, now_s());
    send(&gateway, "PUT", &put, "presigned").await.expect(200);
    let get = presigned(&gateway, "GET", "/bucket/key", 60, now_s());
    assert_eq!(send(&gateway, "GET", &get, "").await.expect(200).text(), "presigned");

    let old = presigned(&gateway, "GET", "/bucket/key", 60, now_s() - 62);
    let expired = send(&gateway, "GET", &old, "").await.expect_code(403, "AccessDenied");
    assert_eq!(expired.element("Message").as_deref(), Some("Request has expired"));
    for tampered in [
        get.replacen("/bucket/key", "/bucket/other", 1),
        get.replacen("X-Amz-Expires=60", "X-Amz-Expires=600000", 1),
        format!("{get}&response-content-type=text%2Fhtml"),
    ] {
        send(&gateway, "GET", &tampered, "").await.expect_code(403, "SignatureDoesNotMatch");
    }
    send(&gateway, "DELETE", &get, "").await.expect_code(403, "SignatureDoesNotMatch");
    send(&gateway, "GET", "/bucket/key", "").await.expect_code(403, "AccessDenied");
    gateway.client().get("bucket", "key").await.unwrap().expect(200);
}

#[tokio::test]
async fn users_of_a_configuration_file_have_buckets_of_their_own() {
    let mut gateway = Gateway::prepare(&[]);
    gateway.configure(
        "[[users]]\nname = \"ann\"\naccess_key_id = \"ANN1\"\nsecret_access_key = \"secret-of-ann\"\n\
         [[users]]\nname = \"ann\"\naccess_key_id = \"ANN2\"\nsecret_access_key = \"secret-of-ann-2\"\n\
         [[users]]\nname = \"bob\"\naccess_key_id = \"BOB\"\nsecret_access_key = \"secret-of-bob\"\n",
    );
    gateway.spawn(&[]);
    gateway.wait_ready().await;
    let user = |id: &str, secret: &str| Client::new(&gateway.endpoint(), id, secret);
    let (ann, ann_2, bob) =
        (user("ANN1", "secret-of-ann"), user("ANN2", "secret-of-ann-2"), user("BOB", "secret-of-bob"));
    ann.send("PUT", "/of-ann", &[], "").await.unwrap().expect(200);
    bob.send("PUT", "/of-bob", &[], "").await.unwrap().expect(200);
    ann.put("of-ann", "key", "ann's").await.unwrap().expect(200);
    let upload = ann.create_upload("of-ann", "parts").await.unwrap();

    assert_eq!(ann_2.get("of-ann", "key").await.unwrap().expect(200).text(), "ann's");
    for (method, path) in [
        ("GET", "/of-ann/key".to_string()),
        ("PUT", "/of-ann/key".to_string()),
        ("DELETE", "/of-ann/key".to_string()),
        ("GET", "/of-ann".to_string()),
        ("GET", "/of-ann?uploads".to_string()),
        ("GET", format!("/of-ann/parts?uploadId={upload}")),
        ("PUT", format!("/of-ann/parts?partNumber=1&uploadId={upload}")),
        ("DELETE", format!("/of-ann/parts?uploadId={upload}")),
        ("DELETE", "/of-ann".to_string()),
    ] {
        bob.send(method, &path, &[], "").await.unwrap().expect_code(403, "AccessDenied");
    }
    let stolen = bob.send("PUT", "/of-bob/key", &[("x-amz-copy-source", "/of-ann/key")], "").await.unwrap();
    stolen.expect_code(403, "AccessDenied");
    bob.send("PUT", "/of-ann", &[], "").await.unwrap().expect_code(409, "BucketAlreadyExists");
    let names = |answer: Answer| answer.expect(200).elements("Name");
    assert_eq!(names(ann.send("GET", "/", &[], "").await.unwrap()), ["of-ann"]);
    assert_eq!(names(bob.send("GET", "/", &[], "").await.unwrap()), ["of-bob"]);
    assert_eq!(names(gateway.client().send("GET", "/", &[], "").await.unwrap()), [""; 0]);
    user("ANN1", "secret-of-bob")
        .get("of-ann", "key")
        .await
        .unwrap()
        .expect_code(403, "SignatureDoesNotMatch");
    user("EVE", "secret-of-eve").get("of-ann", "key").await.unwrap().expect_code(403, "InvalidAccessKeyId");
    assert_eq!(ann.get("of-ann", "key").await.unwrap().expect(200).text(), "ann's");
    assert!(!gateway.log().contains("secret-of"), "no secret is logged");
}

#[tokio::test]
async fn a_policy_lets_in_others_and_everybody_until_it_is_gone_and_survives_a_restart() {
    let mut gateway = Gateway::prepare(&[]);
    gateway.configure(
        "[[users]]\nname = \"ann\"\nid = \"ann-id\"\naccess_key_id = \"ANN\"\nsecret_access_key = \"secret-of-ann\"\n\
         [[users]]\nname = \"bob\"\nid = \"bob-id\"\naccess_key_id = \"BOB\"\nsecret_access_key = \"secret-of-bob\"\n",
    );
    gateway.spawn(&[]);
    gateway.wait_ready().await;
    let users = |gateway: &Gateway| {
        let user = |id: &str, secret: &str| Client::new(&gateway.endpoint(), id, secret);
        (user("ANN", "secret-of-ann"), user("BOB", "secret-of-bob"))
    };
    let (ann, _) = users(&gateway);
    ann.send("PUT", "/shared", &[], "").await.unwrap().expect(200);
    ann.put("shared", "public/key", "open").await.unwrap().expect(200);
    ann.put("shared", "private/key", "closed").await.unwrap().expect(200);
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::shared/public/*",
         "Condition":{"IpAddress":{"aws:SourceIp":["127.0.0.0/8","::1/128"]}}},
        {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::bob-id:root"},"Action":["s3:PutObject","s3:ListBucket"],
         "Resource":["arn:aws:s3:::shared","arn:aws:s3:::shared/public/${aws:username}/*"]},
        {"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::shared/public/secret/*"}]}"#;
    ann.send("PUT", "/shared?policy", &[], policy).await.unwrap().expect(204);
    for started in ["once", "again"] {
        let (ann, bob) = users(&gateway);
        assert_eq!(ann.send("GET", "/shared?policy", &[], "").await.unwrap().expect(200).text(), policy);
        assert_eq!(
            send(&gateway, "GET", "/shared/public/key", "").await.expect(200).text(),
            "open",
            "{started}"
        );
        send(&gateway, "GET", "/shared/private/key", "").await.expect_code(403, "AccessDenied");
        send(&gateway, "GET", "/shared/public/missing", "").await.expect_code(403, "AccessDenied");
        send(&gateway, "PUT", "/shared/public/bob/key", "x").await.expect_code(403, "AccessDenied");
        send(&gateway, "GET", "/shared", "").await.expect_code(403, "AccessDenied");
        bob.put("shared", "public/bob/key", "bob's").await.unwrap().expect(200);
        bob.put("shared", "public/key", "bob's").await.unwrap().expect_code(403, "AccessDenied");
        bob.send("GET", "/shared", &[], "").await.unwrap().expect(200);
        bob.send("GET", "/shared?policy", &[], "").await.unwrap().expect_code(403, "AccessDenied");
        ann.put("shared", "public/secret/key", "x").await.unwrap().expect_code(403, "AccessDenied");
        if started == "once" {
            gateway.restart().await;
        }
    }
    let (ann, bob) = users(&gateway);
    ann.send("DELETE", "/shared?policy", &[], "").await.unwrap().expect(204);
    send(&gateway, "GET", "/shared/public/key", "").await.expect_code(403, "AccessDenied");
    bob.send("GET", "/shared", &[], "").await.unwrap().expect_code(403, "AccessDenied");
}

#[tokio::test]
async fn a_new_bucket_is_kept_from_being_opened_unless_configured_otherwise() {
    let policy = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}}"#;
    for (variables, status) in
        [(&[][..], 403), (&[("DOVETAIL_DEFAULT_PUBLIC_ACCESS_BLOCK", "false")][..], 204)]
    {
        let gateway = with_bucket(variables).await;
        gateway.client().send("PUT", "/bucket?policy", &[], policy).await.unwrap().expect(status);
        gateway.client().put("bucket", "key", "x").await.unwrap().expect(200);
        let open = if status == 204 { 200 } else { 403 };
        send(&gateway, "GET", "/bucket/key", "").await.expect(open);
    }
}
