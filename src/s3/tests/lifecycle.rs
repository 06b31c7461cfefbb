//! Lifecycle: the configuration, and what answers say about it. What the rules do is tested beside their job.

use super::*;

const EXPIRES: &str = "expiry-date=\"Sat, 03 Jan 2026 00:00:00 GMT\", rule-id=\"tmp%20%2F\"";

impl Client {
    async fn set_lifecycle(&self, rules: &str) -> Answer {
        self.put("/bucket?lifecycle", format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>"))
            .await
    }

    /// A bucket with a rule for objects under `tmp/`, one for tagged ones and one for uploads.
    async fn with_rules() -> Client {
        let client = Client::with_bucket().await;
        let rules = "<Rule><ID>tmp /</ID><Prefix>tmp/</Prefix><Status>Enabled</Status><Expiration><Days>2</Days></Expiration></Rule>\
            <Rule><ID>tagged</ID><Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter><Status>Enabled</Status>\
            <Expiration><Date>2026-02-01T00:00:00Z</Date></Expiration></Rule>\
            <Rule><ID>off</ID><Prefix/><Status>Disabled</Status><Expiration><Days>1</Days></Expiration></Rule>\
            <Rule><ID>uploads</ID><Filter/><Status>Enabled</Status>\
            <AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>";
        client.set_lifecycle(rules).await.expect(200);
        client
    }
}

#[tokio::test]
async fn a_configuration_is_set_read_and_removed() {
    let client = Client::with_bucket().await;
    client.get("/bucket?lifecycle").await.expect_error(404, "NoSuchLifecycleConfiguration");
    client.delete("/bucket?lifecycle").await.expect(204);
    let rule = "<Rule><ID>a</ID><Prefix>test1/</Prefix><Status>Enabled</Status><Expiration><Days>31</Days></Expiration></Rule>";
    let set = client.set_lifecycle(rule).await.expect(200);
    assert_eq!(set.header("x-amz-transition-default-minimum-object-size"), "all_storage_classes_128K");
    let got = client.get("/bucket?lifecycle").await.expect(200);
    assert!(got.text().contains(rule), "{}", got.text());
    assert_eq!(got.header("x-amz-transition-default-minimum-object-size"), "all_storage_classes_128K");

    let minimum = |value: &str| {
        let ask = client.ask("PUT", "/bucket?lifecycle");
        let ask = ask.header("x-amz-transition-default-minimum-object-size", value);
        ask.body(format!("<LifecycleConfiguration>{rule}</LifecycleConfiguration>"))
    };
    minimum("small").send().await.expect_error(400, "InvalidRequest");
    minimum("varies_by_storage_class").send().await.expect(200);
    let got = client.get("/bucket?lifecycle").await.expect(200);
    assert_eq!(got.header("x-amz-transition-default-minimum-object-size"), "varies_by_storage_class");

    // A configuration that is refused leaves the old one.
    client.set_lifecycle(&rule.replace("Enabled", "enabled")).await.expect_error(400, "MalformedXML");
    let zero = client.set_lifecycle(&rule.replace("31", "0")).await.expect_error(400, "InvalidArgument");
    assert_eq!(zero.element("ArgumentName"), "Days");
    assert!(client.get("/bucket?lifecycle").await.expect(200).text().contains(rule));
    client.as_user("bob").get("/bucket?lifecycle").await.expect_error(403, "AccessDenied");
    for _ in 0..2 {
        client.delete("/bucket?lifecycle").await.expect(204);
    }
    client.get("/bucket?lifecycle").await.expect_error(404, "NoSuchLifecycleConfiguration");
    client.delete("/bucket").await.expect(204);
}

#[tokio::test]
async fn answers_say_when_an_object_expires() {
    let client = Client::with_rules().await;
    client.clock.advance(1000);
    let expiration = |answer: &Answer| answer.header("x-amz-expiration");
    assert_eq!(expiration(&client.put("/bucket/key", "bytes").await.expect(200)), "");
    // Two days from the first second of the year end on its fourth day.
    let expires = EXPIRES.replace("Sat, 03", "Sun, 04");
    assert_eq!(expiration(&client.put("/bucket/tmp/key", "bytes").await.expect(200)), expires);
    assert_eq!(expiration(&client.get("/bucket/tmp/key").await.expect(200)), expires);
    assert_eq!(expiration(&client.head("/bucket/tmp/key").await.expect(200)), expires);
    let range = client.ask("GET", "/bucket/tmp/key").header("range", "bytes=0-1").send().await.expect(206);
    assert_eq!(expiration(&range), expires);
    assert_eq!(expiration(&client.get("/bucket/tmp/key?versionId=null").await.expect(200)), "");
    let copy = client.ask("PUT", "/bucket/tmp/copy").header("x-amz-copy-source", "/bucket/key").send().await;
    assert_eq!(expiration(&copy.expect(200)), expires);
    let upload = client.post("/bucket/tmp/many?uploads", "").await.expect(200).element("UploadId");
    let part =
        client.put(&format!("/bucket/tmp/many?partNumber=1&uploadId={upload}"), "part").await.expect(200);
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        part.etag()
    );
    let completed = client.post(&format!("/bucket/tmp/many?uploadId={upload}"), list).await.expect(200);
    assert_eq!(expiration(&completed), expires);

    let tagged =
        client.ask("PUT", "/bucket/key").header("x-amz-tagging", "k=v&l=w").body("bytes").send().await;
    let by_date = "expiry-date=\"Sun, 01 Feb 2026 00:00:00 GMT\", rule-id=\"tagged\"";
    assert_eq!(expiration(&tagged.expect(200)), by_date);
    client.delete("/bucket/key?tagging").await.expect(204);
    assert_eq!(expiration(&client.head("/bucket/key").await.expect(200)), "");
    client.delete("/bucket?lifecycle").await.expect(204);
    assert_eq!(expiration(&client.head("/bucket/tmp/key").await.expect(200)), "");
}

#[tokio::test]
async fn midnight_itself_belongs_to_the_day_that_ends() {
    let client = Client::with_rules().await;
    assert_eq!(client.put("/bucket/tmp/key", "bytes").await.expect(200).header("x-amz-expiration"), EXPIRES);
}

#[tokio::test]
async fn answers_say_when_an_upload_is_aborted() {
    let client = Client::with_rules().await;
    client.clock.advance(1000);
    let created = client.post("/bucket/key?uploads", "").await.expect(200);
    client.clock.advance(60_000);
    let listed =
        client.get(&format!("/bucket/key?uploadId={}", created.element("UploadId"))).await.expect(200);
    for answer in [&created, &listed] {
        assert_eq!(answer.header("x-amz-abort-date"), "Sat, 03 Jan 2026 00:00:00 GMT");
        assert_eq!(answer.header("x-amz-abort-rule-id"), "uploads");
    }
    client.delete("/bucket?lifecycle").await.expect(204);
    let created = client.post("/bucket/key?uploads", "").await.expect(200);
    assert_eq!(created.header("x-amz-abort-date"), "");
}
