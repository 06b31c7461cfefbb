//! Settings of buckets that are kept though nothing follows them, and those that can only be off.

use super::*;

const EMPTY: &str = "";

#[tokio::test]
async fn a_website_configuration_is_kept_until_it_is_deleted() {
    let client = Client::with_bucket().await;
    client.get("/bucket?website").await.expect_error(404, "NoSuchWebsiteConfiguration");
    let website = "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument>\
                   <ErrorDocument><Key>error.html</Key></ErrorDocument></WebsiteConfiguration>";
    client.put("/bucket?website", website).await.expect(200);
    let got = client.get("/bucket?website").await.expect(200);
    assert_eq!((got.element("Suffix"), got.element("Key")), ("index.html".into(), "error.html".into()));
    client.put("/bucket?website", got.body).await.expect(200);
    client.put("/bucket?website", "<WebsiteConfiguration/>").await.expect_error(400, "InvalidArgument");
    client.put("/bucket?website", "<Website/>").await.expect_error(400, "MalformedXML");
    client.get("/bucket?website").await.expect(200);
    client.delete("/bucket?website").await.expect(204);
    client.delete("/bucket?website").await.expect(204);
    client.get("/bucket?website").await.expect_error(404, "NoSuchWebsiteConfiguration");
}

#[tokio::test]
async fn acceleration_is_off_and_can_be_said_to_be() {
    let client = Client::with_bucket().await;
    assert!(!client.get("/bucket?accelerate").await.expect(200).has_element("Status"));
    let set = |status: &str| {
        format!("<AccelerateConfiguration><Status>{status}</Status></AccelerateConfiguration>")
    };
    client.put("/bucket?accelerate", set("Enabled")).await.expect_error(501, "NotImplemented");
    client.put("/bucket?accelerate", set("suspended")).await.expect_error(400, "MalformedXML");
    client.put("/bucket?accelerate", set("Suspended")).await.expect(200);
    assert_eq!(client.get("/bucket?accelerate").await.expect(200).element("Status"), "Suspended");
    client.put("/dotted.bucket", EMPTY).await.expect(200);
    client.put("/dotted.bucket?accelerate", set("Suspended")).await.expect_error(400, "InvalidRequest");
}

/// A notification for these events.
fn notification(kind: &str, target: &str, event: &str, filter: &str) -> String {
    format!(
        "<NotificationConfiguration><{kind}Configuration><Id>1</Id><{target}>arn:aws:sqs:us-east-1:1:q</{target}>\
         <Event>{event}</Event><Filter><S3Key><FilterRule><Name>{filter}</Name><Value>x</Value></FilterRule></S3Key>\
         </Filter></{kind}Configuration></NotificationConfiguration>"
    )
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused_and_what_is_off_is_accepted() {
    let client = Client::with_bucket().await;
    client.as_user("bob").put("/bobs-bucket", EMPTY).await.expect(200);
    let logging = |bucket: &str| {
        format!(
            "<BucketLoggingStatus><LoggingEnabled><TargetBucket>{bucket}</TargetBucket><TargetPrefix>p</TargetPrefix>\
             </LoggingEnabled></BucketLoggingStatus>"
        )
    };
    let with_id = |kind: &str, id: &str| format!("<{kind}Configuration><Id>{id}</Id></{kind}Configuration>");
    let replication = "<ReplicationConfiguration><Role>arn</Role><Rule><Status>Enabled</Status><Destination>\
                       <Bucket>arn:aws:s3:::b</Bucket></Destination></Rule></ReplicationConfiguration>";
    let payer = |payer: &str| {
        format!("<RequestPaymentConfiguration><Payer>{payer}</Payer></RequestPaymentConfiguration>")
    };
    let status = |status: &str| format!("<AbacStatus><Status>{status}</Status></AbacStatus>");
    for (target, document, code) in [
        ("notification", "<NotificationConfiguration/>".to_owned(), "ok"),
        ("notification", notification("Queue", "Queue", "s3:ObjectCreated:*", "prefix"), "InvalidArgument"),
        ("notification", notification("Topic", "Topic", "s3:ObjectMoved:*", "prefix"), "InvalidArgument"),
        ("notification", notification("Queue", "Queue", "s3:ObjectCreated:Put", "infix"), "InvalidArgument"),
        ("notification", notification("Queue", "Cue", "s3:ObjectCreated:Put", "suffix"), "MalformedXML"),
        (
            "notification",
            "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>".to_owned(),
            "NotImplemented",
        ),
        ("notification", "<Notification/>".to_owned(), "MalformedXML"),
        ("logging", "<BucketLoggingStatus/>".to_owned(), "ok"),
        ("logging", logging("bucket"), "NotImplemented"),
        ("logging", logging("bobs-bucket"), "InvalidTargetBucketForLogging"),
        ("logging", logging("missing"), "InvalidTargetBucketForLogging"),
        ("logging", logging("No"), "InvalidTargetBucketForLogging"),
        (
            "logging",
            "<BucketLoggingStatus><LoggingEnabled/></BucketLoggingStatus>".to_owned(),
            "MalformedXML",
        ),
        ("requestPayment", payer("BucketOwner"), "ok"),
        ("requestPayment", payer("Requester"), "NotImplemented"),
        ("requestPayment", payer("Nobody"), "MalformedXML"),
        ("replication", replication.to_owned(), "InvalidRequest"),
        ("replication", "<ReplicationConfiguration/>".to_owned(), "MalformedXML"),
        ("abac", status("Disabled"), "ok"),
        ("abac", status("Enabled"), "NotImplemented"),
        ("abac", status("On"), "MalformedXML"),
        ("analytics&id=a", with_id("Analytics", "a"), "NotImplemented"),
        ("analytics&id=a", with_id("Analytics", "b"), "IdMismatch"),
        ("inventory&id=a", with_id("Inventory", "a"), "NotImplemented"),
        ("metrics&id=a", with_id("Metrics", "a"), "NotImplemented"),
        ("metrics&id=a", with_id("Inventory", "a"), "MalformedXML"),
        ("intelligent-tiering&id=a", with_id("IntelligentTiering", "a"), "NotImplemented"),
        ("intelligent-tiering&id=a", EMPTY.to_owned(), "MalformedXML"),
    ] {
        let answer = client.put(&format!("/bucket?{target}"), document.clone()).await;
        let found = if answer.status == 200 { "ok".to_owned() } else { answer.element("Code") };
        assert_eq!(found, code, "{target} {document}");
    }
    let skipped = client
        .ask("PUT", "/bucket?notification")
        .header("x-amz-skip-destination-validation", "true")
        .body(notification("Queue", "Queue", "s3:ObjectCreated:*", "prefix"));
    skipped.send().await.expect_error(501, "NotImplemented");
    let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    client.put("/bucket?versioning", versioning).await.expect(200);
    client.put("/bucket?replication", replication).await.expect_error(501, "NotImplemented");
    for target in
        ["replication", "analytics&id=a", "inventory&id=a", "metrics&id=a", "intelligent-tiering&id=a"]
    {
        client.delete(&format!("/bucket?{target}")).await.expect(204);
    }
    // Nothing of it was kept.
    for target in ["notification", "logging"] {
        let got = client.get(&format!("/bucket?{target}")).await.expect(200);
        assert!(!got.text().contains("arn") && !got.has_element("LoggingEnabled"), "{}", got.text());
    }
}
