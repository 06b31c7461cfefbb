//! Buckets: making, listing and removing them, whose they are, and configuration that is not there.

use super::*;

#[tokio::test]
async fn a_bucket_is_made_once_listed_and_removed() {
    let client = Client::new();
    let created = client.put("/bucket", "").await.expect(200);
    assert_eq!(created.header("location"), "/bucket");
    assert_eq!(created.header("x-amz-bucket-arn"), "arn:aws:s3:::bucket");
    client.put("/bucket", "").await.expect_error(409, "BucketAlreadyOwnedByYou");
    client.as_user("bob").put("/bucket", "").await.expect_error(409, "BucketAlreadyExists");

    let head = client.head("/bucket").await.expect(200);
    assert_eq!(head.header("x-amz-bucket-region"), "us-east-1");
    client.put("/another", "").await.expect(200);
    let list = client.get("/").await.expect(200);
    assert_eq!(list.elements("Name"), ["another", "bucket"]);
    assert_eq!(list.element("ID"), "alice-canonical-id");
    assert_eq!(list.elements("CreationDate")[0], "2026-01-01T00:00:00.000Z");
    assert!(client.as_user("bob").get("/").await.expect(200).elements("Name").is_empty());

    client.put("/bucket/key", "x").await.expect(200);
    client.delete("/bucket").await.expect_error(409, "BucketNotEmpty");
    client.delete("/bucket/key").await.expect(204);
    client.delete("/bucket").await.expect(204);
    client.delete("/bucket").await.expect_error(404, "NoSuchBucket");
    client.head("/bucket").await.expect(404);
}

#[tokio::test]
async fn lists_of_buckets_come_in_pages() {
    let client = Client::new();
    for name in ["one-a", "one-b", "one-c", "two"] {
        client.put(&format!("/{name}"), "").await.expect(200);
    }
    let first = client.get("/?max-buckets=2&prefix=one").await.expect(200);
    assert_eq!(first.elements("Name"), ["one-a", "one-b"]);
    let token = first.element("ContinuationToken");
    let next =
        client.get(&format!("/?max-buckets=2&prefix=one&continuation-token={token}")).await.expect(200);
    assert_eq!(next.elements("Name"), ["one-c"]);
    assert!(!next.has_element("ContinuationToken"));
    for bad in
        ["max-buckets=0", "max-buckets=10001", "max-buckets=x", "continuation-token=zz", "bucket-region=x"]
    {
        client.get(&format!("/?{bad}")).await.expect_error(400, "InvalidArgument");
    }
    assert!(client.get("/?bucket-region=eu-west-1").await.expect(200).elements("Name").is_empty());
}

#[tokio::test]
async fn refuses_bad_names_and_configurations() {
    let client = Client::new();
    for name in ["ab", "UPPER", "under_score", "a..b", "192.168.0.1", "xn--abc", "%C3%A9%C3%A9%C3%A9"] {
        client.put(&format!("/{name}"), "").await.expect_error(400, "InvalidBucketName");
    }
    client.get("//key").await.expect_error(400, "InvalidBucketName");
    let with_location = |region: &str| {
        format!(
            "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        )
    };
    for (body, code) in [
        (with_location("eu-west-1"), "IllegalLocationConstraintException"),
        (with_location("nowhere"), "InvalidLocationConstraint"),
        ("<CreateBucketConfiguration>".to_owned(), "MalformedXML"),
        ("<Other/>".to_owned(), "MalformedXML"),
        ("not xml".to_owned(), "MalformedXML"),
        (format!("<!DOCTYPE x SYSTEM \"file:///etc/passwd\">{}", with_location("")), "MalformedXML"),
        (format!("<a>{}", "<b>".repeat(5000)), "MalformedXML"),
        ("x".repeat((1 << 20) + 1), "MaxMessageLengthExceeded"),
    ] {
        client.put("/bucket", body).await.expect_error(400, code);
    }
    for (name, value, status, code) in [
        ("x-amz-acl", "public-read", 400, "AccessControlListNotSupported"),
        ("x-amz-grant-read", "id=\"1\"", 400, "AccessControlListNotSupported"),
        ("x-amz-object-ownership", "Everybody", 400, "InvalidArgument"),
        ("x-amz-bucket-namespace", "account-regional", 501, "NotImplemented"),
        ("x-amz-expected-bucket-owner", "123", 200, ""),
    ] {
        let answer = client.ask("PUT", "/bucket").header(name, value).body("").send().await;
        if status == 200 {
            answer.expect(200)
        } else {
            answer.expect_error(status, code)
        };
    }
    let directory =
        "<CreateBucketConfiguration><Bucket><Type>Directory</Type></Bucket></CreateBucketConfiguration>";
    client.put("/other-bucket", directory).await.expect_error(501, "NotImplemented");
    client.delete("/bucket").await.expect(204);
    client.put("/bucket", with_location("us-east-1")).await.expect(200);
}

#[tokio::test]
async fn a_bucket_is_its_owners_alone() {
    let client = Client::with_bucket().await;
    client.put("/bucket/key", "x").await.expect(200);
    let bob = client.as_user("bob");
    for (method, target) in [
        ("GET", "/bucket"),
        ("GET", "/bucket/key"),
        ("PUT", "/bucket/key"),
        ("DELETE", "/bucket/key"),
        ("DELETE", "/bucket"),
        ("PUT", "/bucket?policy"),
        ("POST", "/bucket/key?uploads"),
    ] {
        bob.ask(method, target).body("").send().await.expect_error(403, "AccessDenied");
        client.ask(method, target).body("").anonymous().send().await.expect_error(403, "AccessDenied");
    }
    bob.head("/bucket").await.expect(403);
    client.ask("GET", "/missing").anonymous().send().await.expect_error(404, "NoSuchBucket");
    client.ask("GET", "/").anonymous().send().await.expect_error(403, "AccessDenied");
    for (owner, status) in
        [("alice-canonical-id", 200), ("123456789012", 403), ("12345678901", 400), ("bob", 403), ("", 400)]
    {
        client.ask("GET", "/bucket").header("x-amz-expected-bucket-owner", owner).send().await.expect(status);
    }
    assert_eq!(client.get("/bucket/key").await.expect(200).text(), "x");
}

#[tokio::test]
async fn unset_configurations_have_the_answers_of_aws() {
    let client = Client::with_bucket().await;
    client.put("/bucket/key", "x").await.expect(200);
    for (target, root) in [
        ("/bucket?versioning", "VersioningConfiguration"),
        ("/bucket?notification", "NotificationConfiguration"),
        ("/bucket?logging", "BucketLoggingStatus"),
        ("/bucket?accelerate", "AccelerateConfiguration"),
        ("/bucket?location", "LocationConstraint"),
    ] {
        let answer = client.get(target).await.expect(200);
        let empty = format!("<{root} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></{root}>");
        assert!(answer.text().ends_with(&empty), "{}", answer.text());
    }
    for (target, code) in [
        ("policy", "NoSuchBucketPolicy"),
        ("policyStatus", "NoSuchBucketPolicy"),
        ("tagging", "NoSuchTagSet"),
        ("cors", "NoSuchCORSConfiguration"),
        ("lifecycle", "NoSuchLifecycleConfiguration"),
        ("encryption", "ServerSideEncryptionConfigurationNotFoundError"),
        ("object-lock", "ObjectLockConfigurationNotFoundError"),
        ("website", "NoSuchWebsiteConfiguration"),
        ("replication", "ReplicationConfigurationNotFoundError"),
        ("metrics&id=x", "NoSuchConfiguration"),
    ] {
        let answer = client.get(&format!("/bucket?{target}")).await.expect_error(404, code);
        assert!(answer.has_element("Resource"));
    }
    assert_eq!(client.get("/bucket?requestPayment").await.expect(200).element("Payer"), "BucketOwner");
    let ownership = client.get("/bucket?ownershipControls").await.expect(200);
    assert_eq!(ownership.element("ObjectOwnership"), "BucketOwnerEnforced");
    assert_eq!(
        client.get("/bucket?publicAccessBlock").await.expect(200).element("BlockPublicPolicy"),
        "true"
    );
    for target in ["/bucket?acl", "/bucket/key?acl"] {
        let acl = client.get(target).await.expect(200);
        assert_eq!(acl.element("Permission"), "FULL_CONTROL");
        assert!(acl.text().contains("xsi:type=\"CanonicalUser\"><ID>alice-canonical-id</ID>"));
    }
    client.get("/bucket/missing?acl").await.expect_error(404, "NoSuchKey");
}

#[tokio::test]
async fn what_is_not_implemented_is_never_taken_for_something_else() {
    let client = Client::with_bucket().await;
    client.put("/bucket/key", "original").await.expect(200);
    for (method, target) in [
        ("POST", "/bucket?metadataTable"),
        ("DELETE", "/bucket?metadataTable"),
        ("PUT", "/bucket/key?annotation"),
        ("GET", "/bucket/key?torrent"),
        ("POST", "/bucket/key?select&select-type=2"),
        ("PUT", "/bucket/key?encryption"),
        ("GET", "/bucket?session"),
    ] {
        client.ask(method, target).body("changed").send().await.expect_error(501, "NotImplemented");
    }
    client.delete("/bucket/key?acl").await.expect_error(405, "MethodNotAllowed");
    assert_eq!(client.get("/bucket/key").await.expect(200).text(), "original");
}

#[tokio::test]
async fn a_bucket_may_stand_in_the_host() {
    let client = Client::with_bucket().await;
    let mut ask = client.ask("PUT", "/a/b").body("x");
    ask.headers.insert("host", HeaderValue::from_static("bucket.s3.example.test:9000"));
    ask.send().await.expect(200);
    assert_eq!(client.get("/bucket/a/b").await.expect(200).text(), "x");
    let mut ask = client.ask("PUT", "/").body("");
    ask.headers.insert("host", HeaderValue::from_static("fresh.s3.example.test"));
    assert_eq!(ask.send().await.expect(200).header("location"), "http://fresh.s3.example.test/");
}
