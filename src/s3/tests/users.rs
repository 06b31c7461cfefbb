//! Users that are made at run time, as their requests see it.

use super::*;
use sha2::{Digest as _, Sha256};

const READ_ONLY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
    "Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::bucket","arn:aws:s3:::bucket/*"]}]}"#;
const EVERYTHING: &str = r#"{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

/// A signed administrative request.
async fn admin(client: &Client, method: &str, path: &str, body: &str) -> Answer {
    let payload = PayloadKind::Sha256(Sha256::digest(body).into());
    ask(client, method, path, body).payload(payload).administer().await
}

fn ask<'c>(client: &'c Client, method: &str, path: &str, body: &str) -> Ask<'c> {
    client.ask(method, &format!("/_/admin/v1/{path}")).body(body.to_owned())
}

fn json(answer: &Answer) -> serde_json::Value {
    serde_json::from_slice(&answer.body).unwrap()
}

/// Makes a user with a key, and returns its way to the gateway.
async fn user(client: &Client, name: &str, policy: Option<&str>) -> Client {
    let asked = serde_json::json!({ "policy": policy }).to_string();
    admin(client, "PUT", &format!("users/{name}"), &asked).await.expect(201);
    with_key(client, name).await
}

async fn with_key(client: &Client, name: &str) -> Client {
    let key = json(&admin(client, "POST", &format!("users/{name}/keys"), "").await.expect(201));
    let text = |field: &str| key[field].as_str().unwrap().to_owned();
    let signer = Signer {
        access_key_id: text("access_key_id"),
        secret: Secret::new(text("secret_access_key")),
        region: "us-east-1".to_owned(),
        session_token: None,
    };
    client.with_signer(signer)
}

#[tokio::test]
async fn a_user_may_do_what_its_policy_says_in_its_account() {
    let client = Client::with_bucket().await;
    client.put("/bucket/key", "bytes").await.expect(200);
    client.put("/other", "").await.expect(200);
    let ann = user(&client, "ann", None).await;
    ann.get("/bucket/key").await.expect_error(403, "AccessDenied");
    ann.get("/").await.expect_error(403, "AccessDenied");
    admin(&client, "PUT", "users/ann/policy", READ_ONLY).await.expect(204);
    assert_eq!(ann.get("/bucket/key").await.expect(200).text(), "bytes");
    ann.get("/bucket/missing").await.expect_error(404, "NoSuchKey");
    ann.put("/bucket/key", "x").await.expect_error(403, "AccessDenied");
    ann.get("/other").await.expect_error(403, "AccessDenied");
    assert_eq!(admin(&client, "GET", "users/ann/policy", "").await.expect(200).text(), READ_ONLY);
    admin(&client, "DELETE", "users/ann/policy", "").await.expect(204);
    ann.get("/bucket/key").await.expect_error(403, "AccessDenied");
    assert_eq!(admin(&client, "GET", "users/ann/policy", "").await.expect(200).text(), "");

    admin(&client, "PUT", "users/ann/policy", EVERYTHING).await.expect(204);
    ann.put("/of-ann", "").await.expect(200);
    assert!(client.get("/").await.expect(200).elements("Name").contains(&"of-ann".to_owned()));
    client.put("/of-ann/key", "x").await.expect(200);
    client.as_user("bob").get("/of-ann/key").await.expect_error(403, "AccessDenied");
    client.as_user("bob").put("/of-bob", "").await.expect(200);
    ann.get("/of-bob").await.expect_error(403, "AccessDenied");
}

#[tokio::test]
async fn a_bucket_policy_adds_to_the_users_and_a_denial_wins() {
    let client = Client::with_bucket().await;
    client.put("/bucket/key", "bytes").await.expect(200);
    let ann = user(&client, "ann", None).await;
    let statement = |effect: &str, action: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Action":"{action}","Resource":"arn:aws:s3:::bucket/*",
            "Principal":{{"AWS":"arn:aws:iam::alice-canonical-id:user/ann"}}}}]}}"#
        )
    };
    client.put("/bucket?policy", statement("Allow", "s3:GetObject")).await.expect(204);
    ann.get("/bucket/key").await.expect(200);
    ann.put("/bucket/key", "x").await.expect_error(403, "AccessDenied");
    admin(&client, "PUT", "users/ann/policy", EVERYTHING).await.expect(204);
    client.put("/bucket?policy", statement("Deny", "s3:PutObject")).await.expect(204);
    ann.put("/bucket/key", "x").await.expect_error(403, "AccessDenied");
    ann.get("/bucket/key").await.expect(200);
    client.put("/bucket/key", "the account itself is not meant").await.expect(200);
}

#[tokio::test]
async fn keys_work_until_they_are_revoked_and_users_until_they_are_removed() {
    let client = Client::with_bucket().await;
    let first = user(&client, "ann", Some(EVERYTHING)).await;
    let second = with_key(&client, "ann").await;
    for ann in [&first, &second] {
        ann.put("/bucket/key", "x").await.expect(200);
    }
    let list = json(&admin(&client, "GET", "users", "").await.expect(200));
    assert_eq!(
        (list["users"][0]["name"].as_str(), list["users"][0]["account"].as_str()),
        (Some("ann"), Some("alice"))
    );
    assert_eq!(list["users"][0]["keys"].as_array().unwrap().len(), 2);
    assert!(!list.to_string().contains("secret"), "{list}");
    admin(&client, "DELETE", &format!("keys/{}", first.signer.access_key_id), "").await.expect(204);
    first.get("/bucket/key").await.expect_error(403, "InvalidAccessKeyId");
    second.get("/bucket/key").await.expect(200);
    admin(&client, "DELETE", "users/ann", "").await.expect(204);
    second.get("/bucket/key").await.expect_error(403, "InvalidAccessKeyId");
    client.get("/bucket/key").await.expect(200);
    assert_eq!(
        json(&admin(&client, "GET", "users", "").await.expect(200))["users"].as_array().unwrap().len(),
        0
    );
}

#[tokio::test]
async fn only_users_of_the_configuration_administer_and_sign_what_they_ask() {
    let client = Client::with_bucket().await;
    let ann = user(&client, "ann", Some(EVERYTHING)).await;
    admin(&client.as_user("bob"), "GET", "users", "").await.expect(200);
    admin(&ann, "GET", "users", "").await.expect_error(403, "AccessDenied");
    admin(&ann, "PUT", "users/eve", "").await.expect_error(403, "AccessDenied");
    ask(&client, "GET", "users", "").anonymous().administer().await.expect_error(403, "AccessDenied");
    let unsigned = ask(&client, "PUT", "users/eve", "").payload(PayloadKind::Unsigned);
    unsigned.administer().await.expect_error(400, "InvalidRequest");
    let of_other = PayloadKind::Sha256(Sha256::digest("{}").into());
    let changed = ask(&client, "PUT", "users/eve", "{ }").payload(of_other);
    changed.administer().await.expect_error(400, "XAmzContentSHA256Mismatch");
    let stranger = client.with_signer(Signer { secret: Secret::new("wrong"), ..signer("alice") });
    admin(&stranger, "GET", "users", "").await.expect_error(403, "SignatureDoesNotMatch");
    assert_eq!(
        json(&admin(&client, "GET", "users", "").await.expect(200))["users"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let client = Client::with_bucket().await;
    user(&client, "ann", None).await;
    let long = "x".repeat((64 << 10) + 1);
    for (method, path, body, status, code) in [
        ("PUT", "users/ann", "", 409, "EntityAlreadyExists"),
        ("PUT", "users/alice", "", 409, "EntityAlreadyExists"),
        ("PUT", "users/a%20b", "", 400, "InvalidArgument"),
        ("PUT", "users/eve", "{\"account\":\"nobody\"}", 400, "InvalidArgument"),
        ("PUT", "users/eve", "{\"polixy\":\"\"}", 400, "InvalidRequest"),
        ("PUT", "users/eve", "{\"policy\":\"{}\"}", 400, "MalformedPolicy"),
        ("PUT", "users/eve", &long, 400, "MaxMessageLengthExceeded"),
        ("PUT", "users/ann/policy", "", 400, "MalformedPolicy"),
        ("PUT", "users/eve/policy", EVERYTHING, 404, "NoSuchEntity"),
        ("GET", "users/eve/policy", "", 404, "NoSuchEntity"),
        ("DELETE", "users/eve", "", 404, "NoSuchEntity"),
        ("POST", "users/eve/keys", "", 404, "NoSuchEntity"),
        ("DELETE", "keys/DTNONE", "", 404, "NoSuchEntity"),
        ("GET", "other", "", 404, "NoSuchEntity"),
    ] {
        admin(&client, method, path, body).await.expect_error(status, code);
    }
    let bobs = "{\"account\":\"bob\"}";
    admin(&client, "PUT", "users/eve", bobs).await.expect(201);
    let list = json(&admin(&client, "GET", "users", "").await.expect(200));
    assert_eq!(list["users"][1]["account"], "bob");
}
