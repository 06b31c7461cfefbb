//! Object ownership and access control lists.

use super::*;

const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";

fn controls(ownership: &str) -> String {
    format!(
        "<OwnershipControls><Rule><ObjectOwnership>{ownership}</ObjectOwnership></Rule></OwnershipControls>"
    )
}

/// A list in which `owner` gives each id or group a permission.
fn policy(owner: &str, grants: &[(&str, &str)]) -> String {
    let grant = |(grantee, permission): &(&str, &str)| {
        let (kind, name) =
            if grantee.starts_with("http") { ("Group", "URI") } else { ("CanonicalUser", "ID") };
        format!(
            "<Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"{kind}\">\
             <{name}>{grantee}</{name}></Grantee><Permission>{permission}</Permission></Grant>"
        )
    };
    let grants: String = grants.iter().map(grant).collect();
    format!(
        "<AccessControlPolicy><Owner><ID>{owner}</ID></Owner><AccessControlList>{grants}</AccessControlList>\
         </AccessControlPolicy>"
    )
}

const ALICE: &str = "alice-canonical-id";
const BOB: &str = "bob-canonical-id";

/// A gateway with a bucket that has lists.
async fn with_lists() -> Client {
    let client = Client::new();
    let create = client.ask("PUT", "/bucket").header("x-amz-object-ownership", "ObjectWriter");
    create.send().await.expect(200);
    client.delete("/bucket?publicAccessBlock").await.expect(204);
    client
}

/// Grantees and permissions, in order.
fn grants(answer: &Answer) -> Vec<(String, String)> {
    let of = |grant: String| {
        let inside = |name: &str| {
            let (_, rest) = grant.split_once(&format!("<{name}>"))?;
            rest.split_once(&format!("</{name}>")).map(|(text, _)| text.to_owned())
        };
        (inside("ID").or_else(|| inside("URI")).unwrap(), inside("Permission").unwrap())
    };
    answer.elements("Grant").into_iter().map(of).collect()
}

fn pairs(grants: &[(&str, &str)]) -> Vec<(String, String)> {
    grants.iter().map(|(grantee, permission)| ((*grantee).to_owned(), (*permission).to_owned())).collect()
}

#[tokio::test]
async fn the_ownership_of_a_bucket_is_set_read_and_deleted() {
    let client = Client::with_bucket().await;
    let target = "/bucket?ownershipControls";
    assert_eq!(client.get(target).await.expect(200).element("ObjectOwnership"), "BucketOwnerEnforced");
    for ownership in ["ObjectWriter", "BucketOwnerPreferred", "BucketOwnerEnforced"] {
        client.put(target, controls(ownership)).await.expect(200);
        assert_eq!(client.get(target).await.expect(200).element("ObjectOwnership"), ownership);
    }
    client.put(target, controls("Nobody")).await.expect_error(400, "MalformedXML");
    for _ in 0..2 {
        client.delete(target).await.expect(204);
        client.get(target).await.expect_error(404, "OwnershipControlsNotFoundError");
    }
    client
        .put("/missing?ownershipControls", controls("ObjectWriter"))
        .await
        .expect_error(404, "NoSuchBucket");
}

#[tokio::test]
async fn without_lists_only_what_is_so_anyway_may_be_asked_for() {
    let client = Client::with_bucket().await;
    client.put("/bucket/key", "x").await.expect(200);
    let own = policy(ALICE, &[(ALICE, "FULL_CONTROL")]);
    let public = policy(ALICE, &[(ALICE, "FULL_CONTROL"), (ALL_USERS, "READ")]);
    for target in ["/bucket?acl", "/bucket/key?acl"] {
        let put = |name: &'static str, value: &'static str| {
            let ask = client.ask("PUT", target).header(name, value).body("");
            async move { ask.send().await }
        };
        put("x-amz-acl", "bucket-owner-full-control").await.expect(200);
        for (name, value) in [
            ("x-amz-acl", "private"),
            ("x-amz-acl", "public-read"),
            ("x-amz-grant-read", "id=bob-canonical-id"),
        ] {
            put(name, value).await.expect_error(400, "AccessControlListNotSupported");
        }
        client.put(target, own.clone()).await.expect(200);
        client.put(target, public.clone()).await.expect_error(400, "AccessControlListNotSupported");
        assert_eq!(grants(&client.get(target).await.expect(200)), pairs(&[(ALICE, "FULL_CONTROL")]));
    }
    for (value, status) in [
        ("bucket-owner-full-control", 200),
        ("private", 200),
        ("public-read", 400),
        ("bucket-owner-read", 400),
    ] {
        for (method, target) in [("PUT", "/bucket/key"), ("POST", "/bucket/key?uploads")] {
            client.ask(method, target).header("x-amz-acl", value).body("").send().await.expect(status);
        }
        let copy = client.ask("PUT", "/bucket/copy").header("x-amz-copy-source", "bucket/key");
        copy.header("x-amz-acl", value).send().await.expect(status);
    }
    for (ownership, acl, status, code) in [
        ("BucketOwnerEnforced", "private", 200, ""),
        ("BucketOwnerEnforced", "public-read", 400, "InvalidBucketAclWithObjectOwnership"),
        ("", "public-read", 400, "AccessControlListNotSupported"),
        ("BucketOwnerPreferred", "public-read", 400, "InvalidBucketAclWithBlockPublicAccessError"),
        ("BucketOwnerPreferred", "private", 200, ""),
    ] {
        let ask = client.ask("PUT", "/another").header("x-amz-acl", acl);
        let ask = if ownership.is_empty() { ask } else { ask.header("x-amz-object-ownership", ownership) };
        let answer = ask.send().await.expect(status);
        match status {
            200 => drop(client.delete("/another").await.expect(204)),
            _ => assert_eq!(answer.element("Code"), code),
        }
    }
}

#[tokio::test]
async fn lists_are_given_at_creation_replaced_and_read_back() {
    let client = with_lists().await;
    let public = pairs(&[(ALL_USERS, "READ"), (ALICE, "FULL_CONTROL")]);
    let private = pairs(&[(ALICE, "FULL_CONTROL")]);
    client.ask("PUT", "/bucket/key").header("x-amz-acl", "public-read").body("x").send().await.expect(200);
    assert_eq!(grants(&client.get("/bucket/key?acl").await.expect(200)), public);
    let before = client.head("/bucket/key").await.expect(200);
    for target in ["/bucket?acl", "/bucket/key?acl"] {
        let put = |value: &'static str| client.ask("PUT", target).header("x-amz-acl", value).body("");
        put("public-read").send().await.expect(200);
        assert_eq!(grants(&client.get(target).await.expect(200)), public);
        put("private").send().await.expect(200);
        assert_eq!(grants(&client.get(target).await.expect(200)), private);
        let by_headers = client
            .ask("PUT", target)
            .header("x-amz-grant-read", "id=\"bob-canonical-id\"")
            .header("x-amz-grant-full-control", "emailAddress=\"ALICE@example.test\"");
        by_headers.send().await.expect(200);
        let expected = pairs(&[(BOB, "READ"), (ALICE, "FULL_CONTROL")]);
        assert_eq!(grants(&client.get(target).await.expect(200)), expected);
        client.put(target, policy(ALICE, &[(ALICE, "WRITE"), (ALL_USERS, "READ_ACP")])).await.expect(200);
        let expected = pairs(&[(ALL_USERS, "READ_ACP"), (ALICE, "WRITE")]);
        assert_eq!(grants(&client.get(target).await.expect(200)), expected);
        client.put(target, policy(ALICE, &[])).await.expect(200);
        assert_eq!(grants(&client.get(target).await.expect(200)), []);
    }
    let after = client.head("/bucket/key").await.expect(200);
    assert_eq!(
        (after.etag(), after.header("last-modified")),
        (before.etag(), before.header("last-modified"))
    );
}

#[tokio::test]
async fn a_list_stands_in_the_headers_or_in_the_body() {
    let client = with_lists().await;
    client.put("/bucket/key", "x").await.expect(200);
    let body = policy(ALICE, &[(BOB, "READ")]);
    for target in ["/bucket?acl", "/bucket/key?acl"] {
        let put = || client.ask("PUT", target);
        put().body("").send().await.expect_error(400, "MissingSecurityHeader");
        put().send().await.expect_error(400, "MissingSecurityHeader");
        let both = put().header("x-amz-acl", "private").body(body.clone());
        both.send().await.expect_error(400, "UnexpectedContent");
        let both = put().header("x-amz-acl", "private").header("x-amz-grant-read", "id=bob-canonical-id");
        both.send().await.expect_error(400, "InvalidRequest");
        put().header("x-amz-acl", "public").send().await.expect_error(400, "InvalidArgument");
        put().body("<Other/>").send().await.expect_error(400, "MalformedACLError");
        let stranger = policy(ALICE, &[("_foo", "READ")]);
        put().body(stranger).send().await.expect_error(400, "InvalidArgument");
        // Nobody can give away what they own.
        put().body(policy(BOB, &[(BOB, "FULL_CONTROL")])).send().await.expect_error(403, "AccessDenied");
        assert_eq!(grants(&client.get(target).await.expect(200)), pairs(&[(ALICE, "FULL_CONTROL")]));
    }
    let missing = client.ask("PUT", "/bucket/missing?acl").header("x-amz-acl", "private").body("");
    missing.send().await.expect_error(404, "NoSuchKey");
}

#[tokio::test]
async fn every_version_has_a_list_of_its_own() {
    let client = with_lists().await;
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    client.put("/bucket?versioning", enabled).await.expect(200);
    let first = client.put("/bucket/key", "1").await.expect(200).header("x-amz-version-id");
    let second = client.put("/bucket/key", "2").await.expect(200).header("x-amz-version-id");
    let of = |id: &str| format!("/bucket/key?acl&versionId={id}");
    let put = client.ask("PUT", &of(&first)).header("x-amz-acl", "public-read").body("").send().await;
    assert_eq!(put.expect(200).header("x-amz-version-id"), first);
    assert_eq!(grants(&client.get(&of(&first)).await.expect(200)).len(), 2);
    assert_eq!(grants(&client.get(&of(&second)).await.expect(200)).len(), 1);
    let current = client.get("/bucket/key?acl").await.expect(200);
    assert_eq!((grants(&current).len(), current.header("x-amz-version-id")), (1, second));
    client.delete("/bucket/key").await.expect(204);
    client.get("/bucket/key?acl").await.expect_error(405, "MethodNotAllowed");
    client.get("/bucket/key?acl&versionId=other").await.expect_error(404, "NoSuchVersion");
}

#[tokio::test]
async fn uploads_and_copies_get_the_list_that_their_request_names() {
    let client = with_lists().await;
    let create = client.ask("POST", "/bucket/large?uploads").header("x-amz-acl", "public-read");
    let upload = create.send().await.expect(200).element("UploadId");
    let part =
        client.put(&format!("/bucket/large?partNumber=1&uploadId={upload}"), "bytes").await.expect(200);
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        part.etag()
    );
    client.post(&format!("/bucket/large?uploadId={upload}"), list).await.expect(200);
    assert_eq!(grants(&client.get("/bucket/large?acl").await.expect(200)).len(), 2);
    let copy = |to: &str| client.ask("PUT", to).header("x-amz-copy-source", "bucket/large");
    copy("/bucket/plain").send().await.expect(200);
    assert_eq!(grants(&client.get("/bucket/plain?acl").await.expect(200)).len(), 1, "lists are not copied");
    copy("/bucket/listed").header("x-amz-acl", "authenticated-read").send().await.expect(200);
    assert_eq!(grants(&client.get("/bucket/listed?acl").await.expect(200)).len(), 2);
}
