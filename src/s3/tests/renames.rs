//! RenameObject.

use super::*;

async fn rename(client: &Client, from: &str, to: &str, headers: &[(&str, &str)]) -> Answer {
    let ask = client.ask("PUT", &format!("/bucket/{to}?renameObject")).header("x-amz-rename-source", from);
    headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value)).body("").send().await
}

#[tokio::test]
async fn an_object_gets_another_key_and_stays_what_it_is() {
    let client = Client::with_bucket().await;
    let put = client.ask("PUT", "/bucket/a%20b").header("x-amz-meta-m", "v").header("x-amz-tagging", "t=1");
    let etag = put.body("bytes").send().await.expect(200).etag();
    let modified = client.head("/bucket/a%20b").await.header("last-modified");
    client.clock.advance(60_000);
    let answer = rename(&client, "/a%20b", "dir/c", &[("if-none-match", "*")]).await.expect(200);
    assert!(answer.body.is_empty());
    client.get("/bucket/a%20b").await.expect_error(404, "NoSuchKey");
    let moved = client.get("/bucket/dir/c").await.expect(200);
    assert_eq!(
        (moved.text(), moved.etag(), moved.header("x-amz-meta-m")),
        ("bytes".into(), etag, "v".into())
    );
    assert_eq!((moved.header("last-modified"), moved.header("x-amz-tagging-count")), (modified, "1".into()));
    assert_eq!(client.get("/bucket").await.elements("Key"), ["dir/c"]);
    // Without a slash before it, as some clients write it.
    rename(&client, "dir/c", "d", &[]).await.expect(200);
    client.get("/bucket/d").await.expect(200);
}

#[tokio::test]
async fn what_cannot_be_renamed_is_refused() {
    let client = Client::with_bucket().await;
    client.put("/bucket/a", "a").await.expect(200);
    let other = client.put("/bucket/b", "b").await.expect(200).etag();
    let long = "t".repeat(65);
    for (from, to, headers, status, code) in [
        ("x", "y", &[][..], 404, "NoSuchKey"),
        ("", "y", &[], 400, "InvalidArgument"),
        ("/", "y", &[], 400, "InvalidArgument"),
        ("%zz", "y", &[], 400, "InvalidArgument"),
        ("a/", "y", &[], 400, "InvalidRequest"),
        ("a", "y/", &[], 400, "InvalidRequest"),
        ("a", "a", &[], 400, "InvalidRequest"),
        ("a", "b", &[("if-none-match", "*")], 412, "PreconditionFailed"),
        ("a", "b", &[("if-match", "\"x\"")], 412, "PreconditionFailed"),
        ("a", "c", &[("if-match", "*")], 412, "PreconditionFailed"),
        ("a", "c", &[("x-amz-rename-source-if-match", &other)], 412, "PreconditionFailed"),
        ("a", "c", &[("x-amz-rename-source-if-none-match", "*")], 412, "PreconditionFailed"),
        ("a", "c", &[("x-amz-client-token", "two words")], 400, "InvalidArgument"),
        ("a", "c", &[("x-amz-client-token", &long)], 400, "InvalidArgument"),
    ] {
        let answer = rename(&client, from, to, headers).await;
        assert_eq!(
            (answer.status, answer.element("Code").as_str()),
            (status, code),
            "{from} {to} {headers:?}"
        );
    }
    let missing = rename(&client, "x", "y", &[]).await;
    assert_eq!(missing.element("Key"), "x");
    let failed = rename(&client, "a", "b", &[("if-none-match", "*")]).await;
    assert_eq!(failed.element("Condition"), "If-None-Match");
    rename(&client, "a", "b", &[("if-match", &other), ("x-amz-rename-source-if-none-match", &other)])
        .await
        .expect(200);
    assert_eq!(client.get("/bucket/b").await.text(), "a");

    let versioning = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    client.put("/bucket?versioning", versioning).await.expect(200);
    rename(&client, "b", "c", &[]).await.expect_error(501, "NotImplemented");
}

#[tokio::test]
async fn a_repeat_with_the_same_token_does_nothing_more() {
    let client = Client::with_bucket().await;
    client.put("/bucket/a", "one").await.expect(200);
    let token = [("x-amz-client-token", "8d3f")];
    rename(&client, "a", "b", &token).await.expect(200);
    client.put("/bucket/a", "two").await.expect(200);
    rename(&client, "a", "b", &token).await.expect(200);
    assert_eq!(client.get("/bucket/b").await.text(), "one");
    rename(&client, "a", "c", &token).await.expect_error(400, "IdempotencyParameterMismatch");
    rename(&client, "a", "b", &[]).await.expect(200);
    assert_eq!(client.get("/bucket/b").await.text(), "two");
}
