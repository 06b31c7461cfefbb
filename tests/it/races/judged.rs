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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_takes_the_place_of_something_public_is_neither_read_nor_copied() {
    const READS: usize = 400;
    let mut gateway = Gateway::prepare(&[]);
    gateway.configure(USERS);
    gateway.spawn(&[]);
    gateway.wait_ready().await;
    let user = |id: &str, secret: &str| Client::new(&gateway.endpoint(), id, secret);
    let (ann, bob) = (user("ANN", "secret-of-ann"), user("BOB", "secret-of-bob"));
    ann.send("PUT", "/of-ann", &[], "").await.unwrap().expect(200);
    ann.send("PUT", "/of-ann?policy", &[], POLICY).await.unwrap().expect(204);
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
