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
        ("BucketOwnerPreferred", "log-delivery-write", 200, ""),
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
    client.get("/bucket/key?acl&versionId=other").await.expect_error(400, "InvalidArgument");
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

/// Sets a list by its canned name.
async fn set(client: &Client, target: &str, canned: &str) -> Answer {
    client.ask("PUT", target).header("x-amz-acl", canned).body("").send().await
}

#[tokio::test]
async fn a_buckets_list_lets_others_list_write_and_see_the_list() {
    let client = with_lists().await;
    client.put("/bucket/key", "of alice").await.expect(200);
    let bob = client.as_user("bob");
    // What bob may do: list, write, read the list, write the list.
    for (permission, expected) in [
        ("READ", [true, false, false, false]),
        ("WRITE", [false, true, false, false]),
        ("READ_ACP", [false, false, true, false]),
        ("WRITE_ACP", [false, false, false, true]),
        ("FULL_CONTROL", [true, true, true, true]),
    ] {
        let list = policy(ALICE, &[(ALICE, "FULL_CONTROL"), (BOB, permission)]);
        client.put("/bucket?acl", list.clone()).await.expect(200);
        let found = [
            bob.get("/bucket").await.status == 200,
            bob.put("/bucket/of-bob", "of bob").await.status == 200,
            bob.get("/bucket?acl").await.status == 200,
            bob.put("/bucket?acl", list).await.status == 200,
        ];
        assert_eq!(found, expected, "{permission}");
        assert_eq!(bob.head("/bucket").await.status == 200, expected[0], "{permission}");
        assert_eq!(bob.get("/bucket?uploads").await.status == 200, expected[0], "{permission}");
        assert_eq!(bob.get("/bucket?versions").await.status == 200, expected[0], "{permission}");
        // Whatever the bucket's list says, objects have their own, and settings are the owner's.
        bob.get("/bucket/key").await.expect_error(403, "AccessDenied");
        bob.get("/bucket?ownershipControls").await.expect_error(403, "AccessDenied");
        bob.get("/bucket?tagging").await.expect_error(403, "AccessDenied");
        client.ask("GET", "/bucket").anonymous().send().await.expect_error(403, "AccessDenied");
    }
}

#[tokio::test]
async fn groups_are_everybody_and_everybody_who_signs() {
    let client = with_lists().await;
    client.put("/bucket/key", "x").await.expect(200);
    let bob = client.as_user("bob");
    for (canned, [signed_reads, signed_writes, nobody_reads, nobody_writes]) in [
        ("private", [false, false, false, false]),
        ("public-read", [true, false, true, false]),
        ("public-read-write", [true, true, true, true]),
        ("authenticated-read", [true, false, false, false]),
        ("log-delivery-write", [false, false, false, false]),
    ] {
        set(&client, "/bucket?acl", canned).await.expect(200);
        assert_eq!(bob.get("/bucket").await.status == 200, signed_reads, "{canned}");
        assert_eq!(bob.put("/bucket/b", "x").await.status == 200, signed_writes, "{canned}");
        assert_eq!(bob.delete("/bucket/b").await.status == 204, signed_writes, "{canned}");
        let nobody = |method, target| client.ask(method, target).anonymous();
        assert_eq!(nobody("GET", "/bucket").send().await.status == 200, nobody_reads, "{canned}");
        let put = nobody("PUT", "/bucket/n").body("x").send().await;
        assert_eq!(put.status == 200, nobody_writes, "{canned}");
        nobody("GET", "/bucket?acl").send().await.expect_error(403, "AccessDenied");
    }
    for (canned, signed, nobody) in [
        ("private", 403, 403),
        ("public-read", 200, 200),
        ("public-read-write", 200, 200),
        ("authenticated-read", 200, 403),
    ] {
        set(&client, "/bucket?acl", "private").await.expect(200);
        set(&client, "/bucket/key?acl", canned).await.expect(200);
        bob.get("/bucket/key").await.expect(signed);
        bob.put("/bucket/key", "overwritten").await.expect_error(403, "AccessDenied");
        bob.get("/bucket/key?acl").await.expect_error(403, "AccessDenied");
        client.ask("GET", "/bucket/key").anonymous().send().await.expect(nobody);
        let head = client.ask("HEAD", "/bucket/key").anonymous().send().await;
        head.expect(nobody);
    }
}

#[tokio::test]
async fn an_objects_list_lets_others_read_it_and_its_list() {
    let client = with_lists().await;
    let bob = client.as_user("bob");
    for (permission, [reads, sees_list, sets_list]) in [
        ("READ", [true, false, false]),
        ("WRITE", [false, false, false]),
        ("READ_ACP", [false, true, false]),
        ("WRITE_ACP", [false, false, true]),
        ("FULL_CONTROL", [true, true, true]),
    ] {
        client.put("/bucket/key", "x").await.expect(200);
        let list = policy(ALICE, &[(ALICE, "FULL_CONTROL"), (BOB, permission)]);
        client.put("/bucket/key?acl", list.clone()).await.expect(200);
        assert_eq!(bob.get("/bucket/key").await.status == 200, reads, "{permission}");
        assert_eq!(bob.get("/bucket/key?acl").await.status == 200, sees_list, "{permission}");
        assert_eq!(bob.put("/bucket/key?acl", list).await.status == 200, sets_list, "{permission}");
        bob.delete("/bucket/key").await.expect_error(403, "AccessDenied");
        let copy = bob.ask("PUT", "/of-bob/copy").header("x-amz-copy-source", "bucket/key");
        bob.put("/of-bob", "").await;
        assert_eq!(copy.send().await.status == 200, reads, "{permission}");
    }
    // Who may not list the bucket does not learn what is not there.
    bob.get("/bucket/missing").await.expect_error(403, "AccessDenied");
    bob.get("/bucket/missing?acl").await.expect_error(403, "AccessDenied");
    client.get("/bucket/missing").await.expect_error(404, "NoSuchKey");
    set(&client, "/bucket?acl", "public-read").await.expect(200);
    bob.get("/bucket/missing").await.expect_error(404, "NoSuchKey");
}

#[tokio::test]
async fn an_object_is_its_writers_unless_the_bucket_or_the_writer_says_otherwise() {
    for (ownership, canned, owner) in [
        ("ObjectWriter", "", BOB),
        ("ObjectWriter", "bucket-owner-full-control", BOB),
        ("BucketOwnerPreferred", "", BOB),
        ("BucketOwnerPreferred", "bucket-owner-full-control", ALICE),
    ] {
        let client = with_lists().await;
        client.put("/bucket?ownershipControls", controls(ownership)).await.expect(200);
        set(&client, "/bucket?acl", "public-read-write").await.expect(200);
        let bob = client.as_user("bob");
        let put = bob.ask("PUT", "/bucket/key");
        let put = if canned.is_empty() { put } else { put.header("x-amz-acl", canned) };
        put.body("of bob").send().await.expect(200);
        let create = bob.ask("POST", "/bucket/large?uploads");
        let create = if canned.is_empty() { create } else { create.header("x-amz-acl", canned) };
        let upload = create.send().await.expect(200).element("UploadId");
        let parts = bob.get(&format!("/bucket/large?uploadId={upload}")).await.expect(200);
        assert_eq!(parts.elements("ID"), [BOB, owner], "initiator and owner with {ownership} {canned}");
        bob.delete(&format!("/bucket/large?uploadId={upload}")).await.expect(204);

        let listed = client.get("/bucket").await.expect(200);
        assert_eq!(listed.element("ID"), owner, "{ownership} {canned}");
        // The bucket's owner reads what is another's only if its list says so, and deletes it in any case.
        let readable = owner == ALICE || !canned.is_empty();
        assert_eq!(client.get("/bucket/key").await.status == 200, readable, "{ownership} {canned}");
        assert_eq!(client.get("/bucket/key?acl").await.status == 200, readable, "{ownership} {canned}");
        let policy = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}]}"#;
        client.put("/bucket?policy", policy).await.expect(204);
        let by_policy = client.ask("GET", "/bucket/key").anonymous().send().await;
        assert_eq!(by_policy.status == 200, owner == ALICE, "a policy is about the bucket owner's objects");
        client
            .put("/bucket?ownershipControls", controls("BucketOwnerEnforced"))
            .await
            .expect_error(400, "InvalidBucketAclWithObjectOwnership");
        set(&client, "/bucket?acl", "private").await.expect(200);
        client.put("/bucket?ownershipControls", controls("BucketOwnerEnforced")).await.expect(200);
        assert_eq!(client.get("/bucket").await.expect(200).element("ID"), ALICE);
        assert_eq!(client.get("/bucket/key").await.expect(200).text(), "of bob");
        client.delete("/bucket/key").await.expect(204);
    }
}

#[tokio::test]
async fn what_is_written_without_a_signature_is_nobodys() {
    let client = with_lists().await;
    set(&client, "/bucket?acl", "public-read-write").await.expect(200);
    let nobody = |method, target| client.ask(method, target).anonymous();
    nobody("PUT", "/bucket/key").body("x").send().await.expect(200);
    assert_eq!(client.get("/bucket").await.expect(200).element("ID"), "65a011a29cdf8ec533ec3d1ccaae921c");
    nobody("GET", "/bucket/key").send().await.expect(200);
    client.get("/bucket/key").await.expect_error(403, "AccessDenied");
    nobody("DELETE", "/bucket/key").send().await.expect(204);
}

#[tokio::test]
async fn a_public_access_block_refuses_or_ignores_public_lists() {
    let client = with_lists().await;
    client.put("/bucket/key", "x").await.expect(200);
    set(&client, "/bucket?acl", "public-read").await.expect(200);
    set(&client, "/bucket/key?acl", "public-read").await.expect(200);
    let bob = client.as_user("bob");
    let block = |name: &str| {
        format!("<PublicAccessBlockConfiguration><{name}>true</{name}></PublicAccessBlockConfiguration>")
    };
    client.put("/bucket?publicAccessBlock", block("IgnorePublicAcls")).await.expect(200);
    for who in [bob.get("/bucket").await, bob.get("/bucket/key").await] {
        who.expect_error(403, "AccessDenied");
    }
    client.ask("GET", "/bucket/key").anonymous().send().await.expect_error(403, "AccessDenied");
    set(&client, "/bucket?acl", "public-read-write").await.expect(200);
    client.put("/bucket?publicAccessBlock", block("BlockPublicAcls")).await.expect(200);
    bob.get("/bucket/key").await.expect(200);
    for canned in ["public-read", "public-read-write", "authenticated-read"] {
        set(&client, "/bucket?acl", canned).await.expect_error(403, "AccessDenied");
        set(&client, "/bucket/key?acl", canned).await.expect_error(403, "AccessDenied");
        set(&client, "/bucket/new", canned).await.expect_error(403, "AccessDenied");
    }
    let public = policy(ALICE, &[(ALL_USERS, "READ")]);
    client.put("/bucket/key?acl", public).await.expect_error(403, "AccessDenied");
    set(&client, "/bucket/new", "private").await.expect(200);
    let named = policy(ALICE, &[(BOB, "READ")]);
    client.put("/bucket/key?acl", named).await.expect(200);
}
