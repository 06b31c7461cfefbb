//! Object lock: what clients can hold, what they are told about it, and that what is held stays.

use super::*;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Ten days after the tests begin.
const UNTIL: &str = "2026-01-11T00:00:00Z";
const LOCKED: &str = "Access Denied because object protected by object lock.";

impl Client {
    /// A gateway with a bucket whose versions can be locked.
    async fn with_object_lock() -> Client {
        let client = Client::new();
        let ask = client.ask("PUT", "/bucket").header("x-amz-bucket-object-lock-enabled", "true");
        ask.send().await.expect(200);
        client
    }

    /// PutObject with the lock headers that have a value; the version's id.
    async fn put_locked(&self, mode: &str, hold: &str) -> String {
        let mut ask = self.ask("PUT", "/bucket/key").body("bytes");
        if !mode.is_empty() {
            ask = ask.header("x-amz-object-lock-mode", mode);
            ask = ask.header("x-amz-object-lock-retain-until-date", UNTIL);
        }
        if !hold.is_empty() {
            ask = ask.header("x-amz-object-lock-legal-hold", hold);
        }
        ask.send().await.expect(200).header("x-amz-version-id")
    }

    async fn delete_version(&self, id: &str, bypass: bool) -> Answer {
        let ask = self.ask("DELETE", &format!("/bucket/key?versionId={id}"));
        let ask = if bypass { ask.header("x-amz-bypass-governance-retention", "true") } else { ask };
        ask.send().await
    }

    async fn set_retention(&self, mode: &str, until: &str, bypass: bool) -> Answer {
        let document =
            format!("<Retention><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>");
        let ask = self.ask("PUT", "/bucket/key?retention").body(document);
        let ask = if bypass { ask.header("x-amz-bypass-governance-retention", "TRUE") } else { ask };
        ask.send().await
    }

    async fn set_hold(&self, status: &str) -> Answer {
        self.put("/bucket/key?legal-hold", format!("<LegalHold><Status>{status}</Status></LegalHold>")).await
    }

    async fn set_default(&self, rule: &str) -> Answer {
        let rule = match rule {
            "" => String::new(),
            rule => format!("<Rule><DefaultRetention>{rule}</DefaultRetention></Rule>"),
        };
        let document = format!(
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{rule}</ObjectLockConfiguration>"
        );
        self.put("/bucket?object-lock", document).await
    }
}

#[tokio::test]
async fn a_bucket_with_object_lock_keeps_versions_and_its_lock() {
    let client = Client::with_object_lock().await;
    assert_eq!(client.get("/bucket?versioning").await.expect(200).element("Status"), "Enabled");
    let configuration = client.get("/bucket?object-lock").await.expect(200);
    assert_eq!(configuration.element("ObjectLockEnabled"), "Enabled");
    assert!(!configuration.has_element("Rule"));
    client.set_versioning("Suspended").await.expect_error(409, "InvalidBucketState");
    client.set_versioning("Enabled").await.expect(200);

    client.set_default("<Mode>GOVERNANCE</Mode><Days>3</Days>").await.expect(200);
    let configuration = client.get("/bucket?object-lock").await.expect(200);
    assert_eq!(
        (configuration.element("Mode"), configuration.element("Days")),
        ("GOVERNANCE".into(), "3".into())
    );
    client.set_default("<Mode>COMPLIANCE</Mode><Years>1</Years>").await.expect(200);
    assert_eq!(client.get("/bucket?object-lock").await.expect(200).element("Years"), "1");
    client.set_default("<Mode>COMPLIANCE</Mode><Years>0</Years>").await.expect_error(400, "InvalidArgument");
    client.set_default("").await.expect(200);
    assert!(!client.get("/bucket?object-lock").await.expect(200).has_element("Rule"));
}

#[tokio::test]
async fn object_lock_comes_to_buckets_that_keep_versions() {
    let client = Client::with_bucket().await;
    client.get("/bucket?object-lock").await.expect_error(404, "ObjectLockConfigurationNotFoundError");
    client.set_default("").await.expect_error(409, "InvalidBucketState");
    client.set_versioning("Suspended").await.expect(200);
    client.set_default("").await.expect_error(409, "InvalidBucketState");
    client.put("/bucket/key", "bytes").await.expect(200);
    // Nothing about locks is known to it yet.
    for answer in [
        client.get("/bucket/key?retention").await,
        client.get("/bucket/key?legal-hold").await,
        client.set_hold("ON").await,
        client.set_retention("GOVERNANCE", UNTIL, false).await,
    ] {
        let error = answer.expect_error(400, "InvalidRequest");
        assert_eq!(error.element("Message"), "Bucket is missing Object Lock Configuration");
    }
    let upload = client.ask("POST", "/bucket/key?uploads").header("x-amz-object-lock-legal-hold", "ON");
    upload.send().await.expect_error(400, "InvalidRequest");
    client.delete_version("null", true).await.expect_error(400, "InvalidArgument");
    let list = "<Delete><Object><Key>key</Key></Object></Delete>";
    let many = client.ask("POST", "/bucket?delete").header("x-amz-bypass-governance-retention", "true");
    assert!(!many.body(list).send().await.expect(200).has_element("Error"), "it is no mistake here");
    client.put("/bucket/key", "bytes").await.expect(200);

    client.set_versioning("Enabled").await.expect(200);
    client.set_default("<Mode>COMPLIANCE</Mode><Days>1</Days>").await.expect(200);
    // What was there before is held by nothing, until somebody says so.
    client.get("/bucket/key?retention").await.expect_error(404, "NoSuchObjectLockConfiguration");
    client.set_hold("ON").await.expect(200);
    client.put("/bucket/key", "newer").await.expect(200);
    let denied = client.delete_version("null", true).await.expect_error(403, "AccessDenied");
    assert_eq!(denied.element("Message"), LOCKED);
}

#[tokio::test]
async fn what_is_held_stays_until_nothing_holds_it() {
    // Mode, legal hold; whether the version goes without a bypass, with one, and when the retention is over.
    for (mode, hold, plain, bypassed, later) in [
        ("", "", 204, 204, 204),
        ("", "OFF", 204, 204, 204),
        ("", "ON", 403, 403, 403),
        ("GOVERNANCE", "", 403, 204, 204),
        ("GOVERNANCE", "ON", 403, 403, 403),
        ("GOVERNANCE", "OFF", 403, 204, 204),
        ("COMPLIANCE", "", 403, 403, 204),
        ("COMPLIANCE", "ON", 403, 403, 403),
    ] {
        let what = format!("{mode} {hold}");
        for (bypass, wait_ms, expected) in [
            (false, 0, plain),
            (true, 0, bypassed),
            (false, 10 * DAY_MS - 1, plain),
            (false, 10 * DAY_MS, later),
        ] {
            let client = Client::with_object_lock().await;
            let id = client.put_locked(mode, hold).await;
            let head = client.head("/bucket/key").await.expect(200);
            let until = if mode.is_empty() { "" } else { "2026-01-11T00:00:00.000Z" };
            assert_eq!(head.header("x-amz-object-lock-mode"), mode);
            assert_eq!(head.header("x-amz-object-lock-retain-until-date"), until);
            assert_eq!(head.header("x-amz-object-lock-legal-hold"), hold);
            // A new version and a delete marker are always possible.
            client.put("/bucket/key", "newer").await.expect(200);
            let marker = client.delete("/bucket/key").await.expect(204).header("x-amz-version-id");
            client.clock.advance(wait_ms);
            let answer = client.delete_version(&id, bypass).await;
            assert_eq!(answer.status, expected, "{what}, bypass {bypass}, after {wait_ms} ms");
            let kept = client.get(&format!("/bucket/key?versionId={id}")).await;
            assert_eq!(kept.status, if expected == 204 { 404 } else { 200 }, "{what}");
            client.delete_version(&marker, false).await.expect(204);
            client.delete("/bucket").await.expect_error(409, "BucketNotEmpty");
        }
    }
}

#[tokio::test]
async fn many_deletes_spare_what_is_held() {
    let client = Client::with_object_lock().await;
    let held = client.put_locked("GOVERNANCE", "").await;
    let free = client.put_locked("", "").await;
    let list = format!(
        "<Delete><Object><Key>key</Key><VersionId>{held}</VersionId></Object>\
         <Object><Key>key</Key><VersionId>{free}</VersionId></Object></Delete>"
    );
    let answer = client.post("/bucket?delete", list.clone()).await.expect(200);
    assert_eq!(answer.elements("Deleted").len(), 1);
    assert_eq!((answer.element("Code"), answer.element("Message")), ("AccessDenied".into(), LOCKED.into()));
    assert!(answer.element("Error").contains(&held) && answer.element("Deleted").contains(&free));
    let ask = client.ask("POST", "/bucket?delete").header("x-amz-bypass-governance-retention", "true");
    let answer = ask.body(list).send().await.expect(200);
    assert_eq!((answer.elements("Deleted").len(), answer.has_element("Error")), (2, false));
    client.delete("/bucket").await.expect(204);
}

#[tokio::test]
async fn retentions_are_extended_freely_and_cut_with_a_bypass() {
    let client = Client::with_object_lock().await;
    client.get("/bucket/key?retention").await.expect_error(404, "NoSuchKey");
    client.put_locked("", "").await;
    client.get("/bucket/key?retention").await.expect_error(404, "NoSuchObjectLockConfiguration");
    client
        .set_retention("GOVERNANCE", "2026-01-01T00:00:00Z", false)
        .await
        .expect_error(400, "InvalidArgument");
    client.set_retention("governance", UNTIL, false).await.expect_error(400, "MalformedXML");
    for (mode, until, bypass, expected) in [
        ("GOVERNANCE", UNTIL, false, 200),
        ("GOVERNANCE", "2026-01-12T00:00:00Z", false, 200),
        ("GOVERNANCE", UNTIL, false, 403),
        ("COMPLIANCE", "2026-01-12T00:00:00Z", false, 403),
        ("GOVERNANCE", UNTIL, true, 200),
        ("COMPLIANCE", UNTIL, true, 200),
        ("COMPLIANCE", "2026-01-10T00:00:00Z", true, 403),
        ("GOVERNANCE", "2026-01-12T00:00:00Z", true, 403),
        ("COMPLIANCE", "2026-01-12T00:00:00Z", false, 200),
    ] {
        let before = client.get("/bucket/key?retention").await;
        let answer = client.set_retention(mode, until, bypass).await;
        assert_eq!(answer.status, expected, "{mode} {until} {bypass}");
        let found = client.get("/bucket/key?retention").await.expect(200);
        if expected == 200 {
            assert_eq!(found.element("Mode"), mode);
            assert_eq!(found.element("RetainUntilDate"), until.replace('Z', ".000Z"));
        } else {
            assert_eq!(found.text(), before.text());
        }
    }
    let none = client.ask("PUT", "/bucket/key?retention").header("x-amz-bypass-governance-retention", "true");
    none.body("<Retention/>").send().await.expect_error(403, "AccessDenied");
    client.clock.advance(20 * DAY_MS);
    client.put("/bucket/key?retention", "<Retention/>").await.expect(200);
    client.get("/bucket/key?retention").await.expect_error(404, "NoSuchObjectLockConfiguration");

    client.get("/bucket/key?legal-hold").await.expect_error(404, "NoSuchObjectLockConfiguration");
    for status in ["ON", "OFF"] {
        client.set_hold(status).await.expect(200);
        assert_eq!(client.get("/bucket/key?legal-hold").await.expect(200).element("Status"), status);
    }
    client.set_hold("on").await.expect_error(400, "MalformedXML");
    let marker = client.delete("/bucket/key").await.expect(204).header("x-amz-version-id");
    let of_marker = format!("/bucket/key?legal-hold&versionId={marker}");
    client.get(&of_marker).await.expect_error(405, "MethodNotAllowed");
    client.set_hold("ON").await.expect_error(405, "MethodNotAllowed");
}

#[tokio::test]
async fn a_version_is_named_by_its_id() {
    let client = Client::with_object_lock().await;
    let old = client.put_locked("", "").await;
    client.put("/bucket/key", "newer").await.expect(200);
    let target = format!("/bucket/key?legal-hold&versionId={old}");
    client.put(&target, "<LegalHold><Status>ON</Status></LegalHold>").await.expect(200);
    assert_eq!(client.get(&target).await.expect(200).element("Status"), "ON");
    assert_eq!(client.head("/bucket/key").await.expect(200).header("x-amz-object-lock-legal-hold"), "");
    let retention =
        format!("<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>{UNTIL}</RetainUntilDate></Retention>");
    let target = format!("/bucket/key?retention&versionId={old}");
    client.put(&target, retention).await.expect(200);
    assert_eq!(client.get(&target).await.expect(200).element("Mode"), "COMPLIANCE");
    client.get("/bucket/key?retention").await.expect_error(404, "NoSuchObjectLockConfiguration");
    client.delete_version(&old, true).await.expect_error(403, "AccessDenied");
    // Tags are no part of what is held, and changing them does not let go.
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    client.put(&format!("/bucket/key?tagging&versionId={old}"), tags).await.expect(200);
    client.delete_version(&old, true).await.expect_error(403, "AccessDenied");
}

#[tokio::test]
async fn every_way_of_writing_is_held_by_what_it_says_or_by_default() {
    let client = Client::with_object_lock().await;
    client.set_default("<Mode>GOVERNANCE</Mode><Days>2</Days>").await.expect(200);
    let locks = |head: Answer| {
        let lock = |name: &str| head.header(&format!("x-amz-object-lock-{name}"));
        [lock("mode"), lock("retain-until-date"), lock("legal-hold")].join(" ")
    };
    let default = "GOVERNANCE 2026-01-03T00:00:00.000Z ";
    let asked = "COMPLIANCE 2026-01-11T00:00:00.000Z ON";
    for is_asked in [false, true] {
        let with = |ask| Ask::locked_if(ask, is_asked);
        let expected = if is_asked { asked } else { default };
        with(client.ask("PUT", "/bucket/put").body("bytes")).send().await.expect(200);
        assert_eq!(locks(client.head("/bucket/put").await.expect(200)), expected);
        // A copy never takes over what holds its source.
        let copy = client.ask("PUT", "/bucket/copy").header("x-amz-copy-source", "/bucket/put");
        with(copy).send().await.expect(200);
        assert_eq!(locks(client.head("/bucket/copy").await.expect(200)), expected);
        let created = with(client.ask("POST", "/bucket/many?uploads")).send().await.expect(200);
        let upload = created.element("UploadId");
        let part = client.put(&format!("/bucket/many?partNumber=1&uploadId={upload}"), "part").await;
        let list = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
            part.expect(200).etag()
        );
        let completed = client.post(&format!("/bucket/many?uploadId={upload}"), list).await.expect(200);
        assert_eq!(locks(client.head("/bucket/many").await.expect(200)), expected);
        let id = completed.header("x-amz-version-id");
        client.delete(&format!("/bucket/many?versionId={id}")).await.expect_error(403, "AccessDenied");
    }
    let back = client.ask("PUT", "/bucket/copy").header("x-amz-copy-source", "/bucket/put");
    back.header("x-amz-metadata-directive", "REPLACE").send().await.expect(200);
    assert_eq!(locks(client.head("/bucket/copy").await.expect(200)), default);
}

impl Ask<'_> {
    fn locked_if(self, is_asked: bool) -> Self {
        if !is_asked {
            return self;
        }
        self.header("x-amz-object-lock-mode", "COMPLIANCE")
            .header("x-amz-object-lock-retain-until-date", UNTIL)
            .header("x-amz-object-lock-legal-hold", "ON")
    }
}
