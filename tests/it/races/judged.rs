//! What a policy allows for the tags of an object is not given of another that takes its place meanwhile.

use crate::client::Client;
use crate::gateway::Gateway;
use futures::future::join_all;
use std::sync::atomic::{AtomicUsize, Ordering};

const USERS: &str = r#"
    users = [
        { name = "ann", access_key_id = "ANN", secret_access_key = "secret-of-ann" },
        { name = "bob", id = "bob-id", access_key_id = "BOB", secret_access_key = "secret-of-bob" },
    ]
"#;
/// Bob may read what is public.
const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "bob-id"},
    "Action": ["s3:GetObject", "s3:GetObjectTagging"], "Resource": "arn:aws:s3:::of-ann/*",
    "Condition": {"StringEquals": {"s3:ExistingObjectTag/is": "public"}}}}"#;

/// A gateway where Ann has a bucket, and Ann and Bob.
async fn with_policy(policy: &'static str) -> (Gateway, Client, Client) {
    let mut gateway = Gateway::prepare(&[]);
    gateway.configure(USERS);
    gateway.spawn(&[]);
    gateway.wait_ready().await;
    let user = |id: &str, secret: &str| Client::new(&gateway.endpoint(), id, secret);
    let (ann, bob) = (user("ANN", "secret-of-ann"), user("BOB", "secret-of-bob"));
    ann.send("PUT", "/of-ann", &[], "").await.unwrap().expect(200);
    ann.send("PUT", "/of-ann?policy", &[], policy).await.unwrap().expect(204);
    (gateway, ann, bob)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_takes_the_place_of_something_public_is_neither_read_nor_copied() {
    const READS: usize = 400;
    let (_gateway, ann, bob) = with_policy(POLICY).await;
    bob.send("PUT", "/of-bob", &[], "").await.unwrap().expect(200);

    let reads = AtomicUsize::new(0);
    let write = async |_| {
        let mut round = 0;
        while reads.load(Ordering::SeqCst) < READS {
            let level = ["secret", "public"][round % 2];
            let tags = [("x-amz-tagging", format!("is={level}"))];
            let tags = tags.each_ref().map(|(name, value)| (*name, value.as_str()));
            ann.send("PUT", "/of-ann/key", &tags, level).await.unwrap().expect(200);
            round += 1;
        }
    };
    let read = async |racer: usize| {
        let copy = format!("/of-bob/copy-{racer}");
        while reads.fetch_add(1, Ordering::SeqCst) < READS {
            let copied = bob.send("PUT", &copy, &[("x-amz-copy-source", "/of-ann/key")], "").await.unwrap();
            let read = match copied.status {
                200 => bob.send("GET", &copy, &[], "").await.unwrap().expect(200),
                _ => bob.send("GET", "/of-ann/key", &[], "").await.unwrap(),
            };
            match (read.status, read.code().as_str()) {
                (200, _) => assert_eq!(read.text(), "public"),
                (403, "AccessDenied") | (503, "ServiceUnavailable") => {}
                (status, code) => panic!("{status} {code}"),
            }
        }
    };
    futures::join!(join_all((0..2).map(write)), join_all((0..6).map(read)));
}

/// Bob may cover what is public, with something of his own or with nothing.
const COVERING: &str = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "bob-id"},
    "Action": ["s3:PutObject", "s3:DeleteObject"], "Resource": "arn:aws:s3:::of-ann/*",
    "Condition": {"StringEquals": {"s3:ExistingObjectTag/is": "public"}}}}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_takes_the_place_of_something_public_is_neither_overwritten_nor_deleted() {
    const WRITES: usize = 300;
    let (_gateway, ann, bob) = with_policy(COVERING).await;
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    ann.send("PUT", "/of-ann?versioning", &[], enabled).await.unwrap().expect(200);
    let writes = AtomicUsize::new(0);
    let of_ann = async |_| {
        let mut round = 0;
        while writes.load(Ordering::SeqCst) < WRITES {
            let tags = [["x-amz-tagging", "is=secret"], ["x-amz-tagging", "is=public"]][round % 2];
            ann.send("PUT", "/of-ann/key", &[(tags[0], tags[1])], "of Ann").await.unwrap().expect(200);
            round += 1;
        }
    };
    let done = AtomicUsize::new(0);
    let of_bob = async |racer: usize| {
        while writes.fetch_add(1, Ordering::SeqCst) < WRITES {
            let method = ["PUT", "DELETE"][racer % 2];
            let answer = bob.send(method, "/of-ann/key", &[], "").await.unwrap();
            match (answer.status, answer.code().as_str()) {
                (200 | 204, _) => drop(done.fetch_add(1, Ordering::SeqCst)),
                (403, "AccessDenied") | (503, "ServiceUnavailable") => {}
                (status, code) => panic!("{status} {code}"),
            }
        }
    };
    futures::join!(join_all((0..2).map(of_ann)), join_all((0..6).map(of_bob)));
    assert!(done.into_inner() > 0, "Bob could do something");

    // What Bob's versions and markers lie upon, newest first: markers are his, and Ann's versions are not empty.
    let listed = ann.send("GET", "/of-ann?versions&max-keys=1000", &[], "").await.unwrap().expect(200).text();
    assert!(listed.contains("<IsTruncated>false</IsTruncated>"), "all of it fits into one page");
    let mut covers_are_bobs = false;
    for entry in listed.split("<VersionId>").skip(1) {
        let (id, rest) = entry.split_once("</VersionId>").unwrap();
        let (is_marker, is_bobs) = (!rest.contains("<ETag>"), rest.contains("<Size>0</Size>"));
        if covers_are_bobs && !is_marker {
            let tags =
                ann.send("GET", &format!("/of-ann/key?tagging&versionId={id}"), &[], "").await.unwrap();
            assert!(tags.expect(200).text().contains("<Value>public</Value>"), "Bob has covered {id}");
        }
        covers_are_bobs = is_marker || is_bobs;
    }
}
