//! Who may do what: policies, public access blocks, callers who are nobody.

use super::*;

const POLICY: &str = "/bucket?policy";

/// A gateway with alice's bucket `bucket`, which nothing keeps from being opened, and these objects.
async fn with_objects(keys: &[&str]) -> Client {
    let client = Client::with_bucket().await;
    client.delete("/bucket?publicAccessBlock").await.expect(204);
    for key in keys {
        client.put(&format!("/bucket/{key}"), (*key).to_owned()).await.expect(200);
    }
    client
}

/// A policy of one statement for everybody.
fn allow(actions: &str, resources: &str) -> String {
    statement("Allow", r#""*""#, actions, resources, "{}")
}

fn statement(effect: &str, principal: &str, actions: &str, resources: &str, condition: &str) -> String {
    policy(&[part(effect, principal, actions, resources, condition)])
}

fn policy(statements: &[String]) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}

fn part(effect: &str, principal: &str, actions: &str, resources: &str, condition: &str) -> String {
    format!(
        r#"{{"Effect":"{effect}","Principal":{principal},"Action":{actions},"Resource":{resources},
        "Condition":{condition}}}"#
    )
}

const OBJECTS: &str = r#""arn:aws:s3:::bucket/*""#;
const EVERYTHING: &str = r#"["arn:aws:s3:::bucket","arn:aws:s3:::bucket/*"]"#;

impl Client {
    async fn set_policy(&self, policy: &str) {
        self.put(POLICY, policy.to_owned()).await.expect(204);
    }

    async fn anonymously(&self, method: &str, target: &str) -> Answer {
        self.ask(method, target).body("").anonymous().send().await
    }
}

#[tokio::test]
async fn a_policy_is_given_back_as_it_came() {
    let client = with_objects(&[]).await;
    client.get(POLICY).await.expect_error(404, "NoSuchBucketPolicy");
    let text = format!("{} \n", allow(r#""s3:GetObject""#, OBJECTS));
    client.set_policy(&text).await;
    let answer = client.get(POLICY).await.expect(200);
    assert_eq!((answer.text(), answer.header("content-type")), (text, "application/json".to_owned()));
    for (bad, message) in [
        ("no json", "Policies must be valid JSON and the first byte must be '{'"),
        (r#"{"Version":"2012-10-17"}"#, "Missing required field Statement"),
    ] {
        let answer = client.put(POLICY, bad).await.expect_error(400, "MalformedPolicy");
        assert_eq!(answer.element("Message"), message);
    }
    let long = client.put(POLICY, format!("{{{}", " ".repeat(21 << 10))).await;
    assert!(long.expect_error(400, "MalformedPolicy").element("Message").contains("maximum allowed"));
    assert!(client.get(POLICY).await.expect(200).text().contains("GetObject"), "a bad one changes nothing");
    for _ in 0..2 {
        client.delete(POLICY).await.expect(204);
    }
    client.get(POLICY).await.expect_error(404, "NoSuchBucketPolicy");
    client.delete("/bucket").await.expect(204);
    client.put("/bucket", "").await.expect(200);
    client.get(POLICY).await.expect_error(404, "NoSuchBucketPolicy");
}

#[tokio::test]
async fn a_policy_counts_from_its_answer_to_the_next() {
    let client = with_objects(&["key"]).await;
    for _ in 0..3 {
        client.anonymously("GET", "/bucket/key").await.expect_error(403, "AccessDenied");
        client.set_policy(&allow(r#""s3:GetObject""#, OBJECTS)).await;
        assert_eq!(client.anonymously("GET", "/bucket/key").await.expect(200).text(), "key");
        client.anonymously("HEAD", "/bucket/key").await.expect(200);
        client.anonymously("GET", "/bucket").await.expect_error(403, "AccessDenied");
        client.anonymously("PUT", "/bucket/key").await.expect_error(403, "AccessDenied");
        client.set_policy(&allow(r#""s3:ListBucket""#, EVERYTHING)).await;
        client.anonymously("GET", "/bucket/key").await.expect_error(403, "AccessDenied");
        client.anonymously("GET", "/bucket").await.expect(200);
        client.delete(POLICY).await.expect(204);
    }
}

#[tokio::test]
async fn each_operation_needs_its_own_actions() {
    let client = with_objects(&["key"]).await;
    // The actions that are allowed, and what bob gets.
    let table = [
        (r#""s3:GetObject""#, "GET", "/bucket/key", 200),
        (r#""s3:GetObject""#, "GET", "/bucket/key?versionId=null", 403),
        (r#""s3:GetObjectVersion""#, "GET", "/bucket/key?versionId=null", 200),
        (r#""s3:GetObject""#, "GET", "/bucket/key?attributes", 403),
        // Which ones is not said.
        (r#"["s3:GetObject","s3:GetObjectAttributes"]"#, "GET", "/bucket/key?attributes", 400),
        (r#""s3:GetObject""#, "GET", "/bucket/key?tagging", 403),
        (r#""s3:GetObjectTagging""#, "GET", "/bucket/key?tagging", 200),
        (r#""s3:PutObject""#, "PUT", "/bucket/key", 200),
        (r#""s3:PutObject""#, "POST", "/bucket/key?uploads", 200),
        (r#""s3:PutObject""#, "DELETE", "/bucket/new", 403),
        (r#""s3:DeleteObject""#, "DELETE", "/bucket/new", 204),
        (r#""s3:DeleteObject""#, "DELETE", "/bucket/new?versionId=null", 403),
        (r#""s3:DeleteObjectVersion""#, "DELETE", "/bucket/new?versionId=null", 204),
        (r#""s3:ListBucket""#, "GET", "/bucket", 200),
        (r#""s3:ListBucket""#, "HEAD", "/bucket", 200),
        (r#""s3:ListBucket""#, "GET", "/bucket?list-type=2", 200),
        (r#""s3:ListBucket""#, "GET", "/bucket?versions", 403),
        (r#""s3:ListBucketVersions""#, "GET", "/bucket?versions", 200),
        (r#""s3:ListBucketMultipartUploads""#, "GET", "/bucket?uploads", 200),
        (r#""s3:GetBucketLocation""#, "GET", "/bucket?location", 200),
        (r#""s3:GetBucketVersioning""#, "GET", "/bucket?versioning", 200),
        (r#""s3:PutBucketCORS""#, "DELETE", "/bucket?cors", 204),
        (r#""s3:GetBucketPolicy""#, "GET", "/bucket?policy", 200),
        (r#""s3:GetBucketPolicyStatus""#, "GET", "/bucket?policyStatus", 200),
        (r#""s3:GetBucketPublicAccessBlock""#, "GET", "/bucket?publicAccessBlock", 404),
        (r#""s3:DeleteBucket""#, "DELETE", "/bucket", 409),
        (r#""*""#, "GET", "/bucket?acl", 200),
    ];
    let bob = client.as_user("bob");
    for (actions, method, target, status) in table {
        client.set_policy(&allow(actions, EVERYTHING)).await;
        bob.ask(method, target).body("").send().await.expect(status);
    }
}

#[tokio::test]
async fn headers_bring_further_actions() {
    let client = with_objects(&["key"]).await;
    let bob = client.as_user("bob");
    let table = [
        ("x-amz-tagging", "a=b", "s3:PutObjectTagging", 200),
        ("if-match", "*", "s3:GetObject", 200),
        // Lists are off in this bucket.
        ("x-amz-acl", "private", "s3:PutObjectAcl", 400),
        // Nothing can be held in this bucket, which is said to those only who would be allowed.
        ("x-amz-object-lock-legal-hold", "ON", "s3:PutObjectLegalHold", 400),
    ];
    for (name, value, action, status) in table {
        client.set_policy(&allow(r#""s3:PutObject""#, OBJECTS)).await;
        let put = || bob.ask("PUT", "/bucket/key").header(name, value).body("x");
        put().send().await.expect_error(403, "AccessDenied");
        client.set_policy(&allow(&format!(r#"["s3:PutObject","{action}"]"#), OBJECTS)).await;
        assert_eq!(put().send().await.status, status, "{name}");
    }
    // Full control for the bucket's owner takes nothing from anybody.
    client.set_policy(&allow(r#""s3:PutObject""#, OBJECTS)).await;
    let put = bob.ask("PUT", "/bucket/key").header("x-amz-acl", "bucket-owner-full-control").body("x");
    put.send().await.expect(200);
}

#[tokio::test]
async fn what_others_write_is_the_bucket_owners() {
    let client = with_objects(&[]).await;
    client.set_policy(&allow(r#""s3:*""#, EVERYTHING)).await;
    client.as_user("bob").put("/bucket/bobs", "x").await.expect(200);
    client.ask("PUT", "/bucket/nobodys").body("x").anonymous().send().await.expect(200);
    let owners = client.get("/bucket").await.expect(200).elements("ID");
    assert_eq!(owners, ["alice-canonical-id", "alice-canonical-id"]);
    assert!(client.as_user("bob").get("/").await.expect(200).elements("Name").is_empty());
}

#[tokio::test]
async fn who_may_not_list_is_not_told_what_is_absent() {
    let client = with_objects(&["key"]).await;
    let bob = client.as_user("bob");
    client.set_policy(&allow(r#"["s3:GetObject","s3:GetObjectVersion"]"#, OBJECTS)).await;
    bob.get("/bucket/missing").await.expect_error(403, "AccessDenied");
    bob.head("/bucket/missing").await.expect(403);
    bob.get(&format!("/bucket/key?versionId={NEVER_A_VERSION}")).await.expect_error(403, "AccessDenied");
    client.get("/bucket/missing").await.expect_error(404, "NoSuchKey");
    client.set_policy(&allow(r#"["s3:GetObject","s3:GetObjectVersion","s3:ListBucket"]"#, EVERYTHING)).await;
    bob.get("/bucket/missing").await.expect_error(404, "NoSuchKey");
    bob.get(&format!("/bucket/key?versionId={NEVER_A_VERSION}")).await.expect_error(403, "AccessDenied");
    // The prefix that may be listed is the one whose keys are known to be absent.
    let on_prefix = r#"{"StringLike":{"s3:prefix":"public/*"}}"#;
    let list = part("Allow", r#""*""#, r#""s3:ListBucket""#, EVERYTHING, on_prefix);
    let get = part("Allow", r#""*""#, r#""s3:GetObject""#, OBJECTS, "{}");
    client.set_policy(&policy(&[list, get])).await;
    bob.head("/bucket/public/missing").await.expect(404);
    bob.head("/bucket/private/missing").await.expect(403);
}

#[tokio::test]
async fn conditions_see_the_request() {
    let client = with_objects(&["a/1", "b/1"]).await;
    let bob = client.as_user("bob");
    let list = r#"{"StringLike":{"s3:prefix":["a/*","${aws:username}/*"]},"NumericLessThanEquals":{"s3:max-keys":"10"}}"#;
    client.set_policy(&statement("Allow", r#""*""#, r#""s3:ListBucket""#, EVERYTHING, list)).await;
    bob.get("/bucket?prefix=a/&max-keys=10").await.expect(200);
    bob.get("/bucket?prefix=bob/&max-keys=1").await.expect(200);
    bob.get("/bucket?prefix=a/&max-keys=11").await.expect(403);
    bob.get("/bucket?prefix=a/").await.expect(403);
    bob.get("/bucket?prefix=b/&max-keys=10").await.expect(403);
    bob.get("/bucket?max-keys=10").await.expect(403);

    // A condition, the header that it looks at, a value that is let in and one that is not.
    let table = [
        (
            r#"{"StringEquals":{"s3:x-amz-storage-class":"STANDARD_IA"}}"#,
            "x-amz-storage-class",
            "STANDARD_IA",
            "STANDARD",
        ),
        (
            r#"{"StringEquals":{"s3:RequestObjectTag/project":"x"}}"#,
            "x-amz-tagging",
            "project=x&a=b",
            "project=y",
        ),
        (
            r#"{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["a","b"]}}"#,
            "x-amz-tagging",
            "a=1&b=2",
            "a=1&c=2",
        ),
        (
            r#"{"StringLike":{"aws:Referer":"https://example.com/*"}}"#,
            "referer",
            "https://example.com/x",
            "https://example.org/",
        ),
        (r#"{"StringLike":{"aws:UserAgent":"good*"}}"#, "user-agent", "good/1", "bad/1"),
        (r#"{"Null":{"s3:if-none-match":"false"}}"#, "if-none-match", "*", ""),
    ];
    for (at, (condition, name, good, bad)) in table.into_iter().enumerate() {
        client
            .set_policy(&statement(
                "Allow",
                r#""*""#,
                r#"["s3:PutObject","s3:PutObjectTagging"]"#,
                OBJECTS,
                condition,
            ))
            .await;
        let put = |value: &str| {
            let ask = bob.ask("PUT", &format!("/bucket/new-{at}")).body("x");
            if value.is_empty() { ask } else { ask.header(name, value) }
        };
        put(good).send().await.expect(200);
        assert_eq!(put(bad).send().await.status, 403, "{condition}");
    }
}

#[tokio::test]
async fn how_a_request_is_signed_can_be_a_condition() {
    let client = with_objects(&["key"]).await;
    for (condition, signed, anonymous) in [
        (r#"{"StringEquals":{"s3:authType":"REST-HEADER"}}"#, 200, 403),
        (r#"{"StringEquals":{"s3:authType":"REST-QUERY-STRING"}}"#, 403, 403),
        (r#"{"StringEquals":{"s3:signatureversion":"AWS4-HMAC-SHA256"}}"#, 200, 403),
        (r#"{"StringEquals":{"aws:PrincipalType":"Anonymous"}}"#, 403, 200),
        (r#"{"StringEquals":{"aws:userid":"bob-canonical-id"}}"#, 200, 403),
        (r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::bob-canonical-id:root"}}"#, 200, 403),
        (r#"{"Bool":{"aws:SecureTransport":"true"}}"#, 403, 403),
        (r#"{"DateGreaterThan":{"aws:CurrentTime":"2025-12-31T23:59:59Z"}}"#, 200, 200),
        (r#"{"DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:01Z"}}"#, 403, 403),
        // Without a connection there is no address.
        (r#"{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#, 403, 403),
    ] {
        client.set_policy(&statement("Allow", r#""*""#, r#""s3:GetObject""#, OBJECTS, condition)).await;
        assert_eq!(client.as_user("bob").get("/bucket/key").await.status, signed, "{condition}");
        assert_eq!(client.anonymously("GET", "/bucket/key").await.status, anonymous, "{condition}");
    }
}

#[tokio::test]
async fn the_address_is_the_peers() {
    let client = with_objects(&["key"]).await;
    let condition = r#"{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#;
    client.set_policy(&statement("Allow", r#""*""#, r#""s3:GetObject""#, OBJECTS, condition)).await;
    for (address, status) in [("203.0.113.9:1", 200), ("[::ffff:203.0.113.9]:1", 200), ("203.0.114.9:1", 403)]
    {
        let body = http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync();
        let mut req = http::Request::builder().uri("/bucket/key").header("host", HOST).body(body).unwrap();
        req.headers_mut().insert("x-forwarded-for", HeaderValue::from_static("203.0.113.9"));
        req.extensions_mut()
            .insert(crate::base::body::Peer { address: address.parse().unwrap(), tls: false });
        assert_eq!(client.s3.handle(req).await.status().as_u16(), status, "{address}");
    }
}

#[tokio::test]
async fn tags_that_an_object_has_can_be_a_condition() {
    let client = with_objects(&["open", "closed", "bare"]).await;
    let bob = client.as_user("bob");
    let tags = |value: &str| {
        format!("<Tagging><TagSet><Tag><Key>security</Key><Value>{value}</Value></Tag></TagSet></Tagging>")
    };
    client.put("/bucket/open?tagging", tags("public")).await.expect(200);
    client.put("/bucket/closed?tagging", tags("private")).await.expect(200);
    let condition = r#"{"StringEquals":{"s3:ExistingObjectTag/security":"public"}}"#;
    let actions = r#"["s3:GetObject","s3:GetObjectTagging","s3:PutObjectTagging"]"#;
    client.set_policy(&statement("Allow", r#""*""#, actions, OBJECTS, condition)).await;
    for (key, status) in [("open", 200), ("closed", 403), ("bare", 403), ("missing", 403)] {
        bob.get(&format!("/bucket/{key}")).await.expect(status);
        bob.get(&format!("/bucket/{key}?tagging")).await.expect(status);
        bob.put(&format!("/bucket/{key}?tagging"), tags("public")).await.expect(status);
    }
    let actions = r#"["s3:PutObject","s3:DeleteObject","s3:DeleteObjectTagging"]"#;
    client.set_policy(&statement("Allow", r#""*""#, actions, OBJECTS, condition)).await;
    let list = |key: &str| {
        format!("<Delete><Object><Key>{key}</Key></Object><Object><Key>{key}</Key></Object></Delete>")
    };
    for (key, is_public) in [("open", true), ("closed", false), ("bare", false), ("missing", false)] {
        let target = format!("/bucket/{key}");
        let tagged = async || {
            let put = client.ask("PUT", &target).header("x-amz-tagging", "security=public").body("x");
            put.send().await.expect(200);
        };
        bob.delete(&format!("{target}?tagging")).await.expect(if is_public { 204 } else { 403 });
        if is_public {
            tagged().await;
        }
        bob.put(&target, "of Bob").await.expect(if is_public { 200 } else { 403 });
        // What is Bob's now has no tags.
        bob.delete(&target).await.expect(403);
        if is_public {
            tagged().await;
        }
        // The second time there is nothing any more.
        let outcome = bob.post("/bucket?delete", list(key)).await.expect(200);
        let refused: &[&str] = if is_public { &[] } else { &["AccessDenied"; 2] };
        assert_eq!(outcome.elements("Code"), refused, "{key}");
        let there = client.head(&target).await.status;
        assert_eq!(there == 404, is_public || key == "missing", "{key}");
    }
    let actions = r#"["s3:GetObject","s3:GetObjectTagging","s3:PutObjectTagging"]"#;
    // The tags that a request brings in its document.
    let condition = r#"{"StringEquals":{"s3:RequestObjectTag/security":"public"}}"#;
    client.set_policy(&statement("Allow", r#""*""#, actions, OBJECTS, condition)).await;
    bob.put("/bucket/bare?tagging", tags("private")).await.expect_error(403, "AccessDenied");
    bob.put("/bucket/bare?tagging", tags("public")).await.expect(200);
}

#[tokio::test]
async fn delete_objects_is_judged_key_by_key() {
    let client = with_objects(&["a", "b", "c"]).await;
    let bob = client.as_user("bob");
    let list = "<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object>\
                <Object><Key>c</Key><VersionId>null</VersionId></Object><Object><Key>d</Key></Object></Delete>";
    client
        .set_policy(&allow(r#""s3:DeleteObject""#, r#"["arn:aws:s3:::bucket/a","arn:aws:s3:::bucket/c"]"#))
        .await;
    let answer = bob.post("/bucket?delete", list).await.expect(200);
    assert_eq!(answer.elements("Code"), ["AccessDenied"; 3]);
    assert_eq!(answer.elements("Key"), ["a", "b", "c", "d"]);
    assert_eq!(client.get("/bucket").await.elements("Key"), ["b", "c"]);
    client.delete(POLICY).await.expect(204);
    assert_eq!(bob.post("/bucket?delete", list).await.expect(200).elements("Code"), ["AccessDenied"; 4]);
    assert_eq!(client.get("/bucket").await.elements("Key"), ["b", "c"]);
}

#[tokio::test]
async fn a_copy_needs_its_source_and_its_target() {
    let client = with_objects(&["public/a", "private/a"]).await;
    let bob = client.as_user("bob");
    bob.put("/bobs", "").await.expect(200);
    client.set_policy(&allow(r#""s3:GetObject""#, r#""arn:aws:s3:::bucket/public/*""#)).await;
    for (source, status) in [
        ("bucket/public/a", 200),
        ("bucket/public/a?versionId=null", 403),
        ("bucket/private/a", 403),
        ("bucket/public/missing", 403),
        ("bucket/private/missing", 403),
    ] {
        let answer = bob.ask("PUT", "/bobs/copy").header("x-amz-copy-source", source).send().await;
        assert_eq!(answer.status, status, "{source}: {}", answer.text());
        let upload = bob.post("/bobs/parts?uploads", "").await.expect(200).element("UploadId");
        let target = format!("/bobs/parts?partNumber=1&uploadId={upload}");
        let answer = bob.ask("PUT", &target).header("x-amz-copy-source", source).send().await;
        assert_eq!(answer.status, status, "{source}: {}", answer.text());
    }
    // Tags come along only for whom they may.
    let tags = "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>";
    client.put("/bucket/public/a?tagging", tags).await.expect(200);
    let ask = || bob.ask("PUT", "/bobs/copy").header("x-amz-copy-source", "bucket/public/a");
    ask().send().await.expect_error(403, "AccessDenied");
    ask().header("x-amz-tagging-directive", "REPLACE").send().await.expect(200);
    client.set_policy(&allow(r#"["s3:GetObject","s3:GetObjectTagging"]"#, OBJECTS)).await;
    ask().send().await.expect(200);
    assert_eq!(bob.get("/bobs/copy?tagging").await.expect(200).element("Key"), "k");
    // Into somebody else's bucket, from one's own.
    let put = |source: &'static str| bob.ask("PUT", "/bucket/new").header("x-amz-copy-source", source);
    put("bobs/copy").send().await.expect_error(403, "AccessDenied");
    let from_bob = r#"{"StringLike":{"s3:x-amz-copy-source":"bobs/*"}}"#;
    let actions = r#"["s3:PutObject","s3:PutObjectTagging","s3:GetObject","s3:GetObjectTagging"]"#;
    client.set_policy(&statement("Allow", r#""*""#, actions, OBJECTS, from_bob)).await;
    put("bobs/copy").send().await.expect(200);
}

#[tokio::test]
async fn nobody_in_particular_may_not_choose_the_answers_headers() {
    let client = with_objects(&["key"]).await;
    client.set_policy(&allow(r#""s3:GetObject""#, OBJECTS)).await;
    let target = "/bucket/key?response-content-type=text/html";
    client.anonymously("GET", target).await.expect_error(400, "InvalidRequest");
    client.anonymously("HEAD", target).await.expect(400);
    assert_eq!(client.get(target).await.expect(200).header("content-type"), "text/html");
}

#[tokio::test]
async fn a_denial_counts_for_the_owner_but_not_about_the_policy() {
    let client = with_objects(&["key"]).await;
    let deny = statement("Deny", r#""*""#, r#""s3:*""#, EVERYTHING, "{}");
    client.set_policy(&deny).await;
    client.get("/bucket/key").await.expect_error(403, "AccessDenied");
    client.get("/bucket").await.expect_error(403, "AccessDenied");
    client.get("/bucket?policyStatus").await.expect_error(403, "AccessDenied");
    client.get(POLICY).await.expect(200);
    client.delete(POLICY).await.expect(204);
    client.get("/bucket/key").await.expect(200);
    let bound = client.ask("PUT", POLICY).header("x-amz-confirm-remove-self-bucket-access", "true");
    bound.body(deny).send().await.expect(204);
    for method in ["GET", "PUT", "DELETE"] {
        client.ask(method, POLICY).body("{}").send().await.expect_error(403, "AccessDenied");
    }
}

#[tokio::test]
async fn new_buckets_are_kept_from_being_opened() {
    const BLOCK: &str = "/bucket?publicAccessBlock";
    let client = Client::with_bucket().await;
    client.put("/bucket/key", "x").await.expect(200);
    let block =
        |flags: &str| format!("<PublicAccessBlockConfiguration>{flags}</PublicAccessBlockConfiguration>");
    let all = client.get(BLOCK).await.expect(200);
    for name in ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"] {
        assert_eq!(all.element(name), "true");
    }
    let public = allow(r#""s3:GetObject""#, OBJECTS);
    client.put(POLICY, public.clone()).await.expect_error(403, "AccessDenied");
    let known = statement("Allow", r#"{"AWS":"bob-canonical-id"}"#, r#""s3:GetObject""#, OBJECTS, "{}");
    client.put(POLICY, known).await.expect(204);
    client.as_user("bob").get("/bucket/key").await.expect(200);
    assert_eq!(client.get("/bucket?policyStatus").await.expect(200).element("IsPublic"), "false");

    client.put(BLOCK, block("<RestrictPublicBuckets>true</RestrictPublicBuckets>")).await.expect(200);
    assert_eq!(client.get(BLOCK).await.expect(200).element("BlockPublicPolicy"), "false");
    client.set_policy(&public).await;
    assert_eq!(client.get("/bucket?policyStatus").await.expect(200).element("IsPublic"), "true");
    client.anonymously("GET", "/bucket/key").await.expect_error(403, "AccessDenied");
    client.as_user("bob").get("/bucket/key").await.expect_error(403, "AccessDenied");
    client.get("/bucket/key").await.expect(200);
    for bad in ["", "<Other/>", &block(""), &block("<BlockPublicAcls>perhaps</BlockPublicAcls>")] {
        client.put(BLOCK, bad.to_owned()).await.expect_error(400, "MalformedXML");
    }
    for _ in 0..2 {
        client.delete(BLOCK).await.expect(204);
    }
    client.get(BLOCK).await.expect_error(404, "NoSuchPublicAccessBlockConfiguration");
    client.anonymously("GET", "/bucket/key").await.expect(200);
}

#[tokio::test]
async fn public_lists_can_be_blocked() {
    let client = Client::new();
    let create = client.ask("PUT", "/bucket").header("x-amz-object-ownership", "ObjectWriter");
    create.send().await.expect(200);
    client.put("/bucket/key", "x").await.expect(200);
    let asked = [
        ("PUT", "/bucket?acl"),
        ("PUT", "/bucket/key?acl"),
        ("PUT", "/bucket/key"),
        ("POST", "/bucket/key?uploads"),
    ];
    for (status, block) in [(403, true), (200, false)] {
        let block = format!(
            "<PublicAccessBlockConfiguration><BlockPublicAcls>{block}</BlockPublicAcls></PublicAccessBlockConfiguration>"
        );
        client.put("/bucket?publicAccessBlock", block).await.expect(200);
        for (method, target) in asked {
            let ask = |acl: &'static str| client.ask(method, target).header("x-amz-acl", acl).body("");
            ask("public-read").send().await.expect(status);
            ask("authenticated-read").send().await.expect(status);
            ask("private").send().await.expect(200);
        }
    }
}
