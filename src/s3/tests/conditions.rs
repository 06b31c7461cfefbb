//! Conditions where there are several of them: sources of copies, deletes, and each key of a DeleteObjects.

use super::*;

const BEFORE: &str = "Wed, 31 Dec 2025 00:00:00 GMT";
const SINCE: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
const FUTURE: &str = "Fri, 01 Jan 2027 00:00:00 GMT";

#[tokio::test]
async fn the_conditions_of_a_copys_source_are_judged_in_order() {
    let client = Client::with_bucket().await;
    let etag = client.put("/bucket/a", "a").await.expect(200).etag();
    client.clock.advance(60_000);
    let upload = client.post("/bucket/u?uploads", "").await.expect(200).element("UploadId");
    let part = format!("/bucket/u?partNumber=1&uploadId={upload}");
    for (conditions, failed) in [
        (vec![("if-match", etag.as_str())], None),
        (vec![("if-match", "x")], Some("x-amz-copy-source-If-Match")),
        (vec![("if-match", &etag), ("if-unmodified-since", BEFORE)], None),
        (vec![("if-unmodified-since", SINCE)], None),
        (vec![("if-unmodified-since", BEFORE)], Some("x-amz-copy-source-If-Unmodified-Since")),
        (
            vec![("if-unmodified-since", BEFORE), ("if-none-match", "x")],
            Some("x-amz-copy-source-If-Unmodified-Since"),
        ),
        (vec![("if-none-match", &etag)], Some("x-amz-copy-source-If-None-Match")),
        (vec![("if-none-match", "x"), ("if-modified-since", SINCE)], None),
        (vec![("if-modified-since", BEFORE)], None),
        (vec![("if-modified-since", SINCE)], Some("x-amz-copy-source-If-Modified-Since")),
        (vec![("if-modified-since", FUTURE)], None),
    ] {
        for target in ["/bucket/copy", &part] {
            let mut ask = client.ask("PUT", target).header("x-amz-copy-source", "bucket/a");
            for (name, value) in &conditions {
                ask = ask.header(&format!("x-amz-copy-source-{name}"), value);
            }
            let answer = ask.send().await;
            match failed {
                None => assert_eq!(answer.status, 200, "{target} {conditions:?}: {}", answer.text()),
                Some(condition) => {
                    let answer = answer.expect_error(412, "PreconditionFailed");
                    assert_eq!(answer.element("Condition"), condition, "{target} {conditions:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_copys_destination_is_judged_as_a_put_is() {
    let client = Client::with_bucket().await;
    client.put("/bucket/a", "a").await.expect(200);
    let copy = async |name: &str, value: &str| {
        client
            .ask("PUT", "/bucket/b")
            .header("x-amz-copy-source", "bucket/a")
            .header(name, value)
            .send()
            .await
    };
    copy("if-match", "*").await.expect_error(404, "NoSuchKey");
    copy("if-none-match", "*").await.expect(200);
    copy("if-none-match", "*").await.expect_error(412, "PreconditionFailed");
    copy("if-match", "x").await.expect_error(412, "PreconditionFailed");
    copy("if-match", &format!("\"{}\"", md5_hex(b"a"))).await.expect(200);
}

#[tokio::test]
async fn a_delete_keeps_what_is_not_as_expected() {
    let client = Client::with_bucket().await;
    client.put("/bucket/key", "bytes").await.expect(200);
    let delete = async |conditions: &[(&str, &str)]| {
        let ask = client.ask("DELETE", "/bucket/key");
        conditions.iter().fold(ask, |ask, (name, value)| ask.header(name, value)).send().await
    };
    let time = "x-amz-if-match-last-modified-time";
    for (conditions, status, code) in [
        ([(time, BEFORE)].as_slice(), 412, "PreconditionFailed"),
        (&[(time, FUTURE)], 412, "PreconditionFailed"),
        // A condition that cannot be read must not delete anything.
        (&[(time, "yesterday")], 400, "InvalidArgument"),
        (&[("x-amz-if-match-size", "")], 400, "InvalidArgument"),
        (&[("x-amz-if-match-size", "4")], 412, "PreconditionFailed"),
        (&[(time, SINCE), ("x-amz-if-match-size", "6")], 412, "PreconditionFailed"),
        (&[(time, SINCE), ("if-match", "x")], 412, "PreconditionFailed"),
    ] {
        delete(conditions).await.expect_error(status, code);
    }
    client.get("/bucket/key").await.expect(200);
    delete(&[(time, SINCE), ("x-amz-if-match-size", "5")]).await.expect(204);
    // Absent is fine for these two, as the tests of others expect.
    delete(&[(time, SINCE), ("x-amz-if-match-size", "5")]).await.expect(204);
}

#[tokio::test]
async fn each_key_of_many_has_its_own_conditions() {
    let client = Client::with_bucket().await;
    for key in ["a", "b", "c", "d", "e", "f"] {
        client.put(&format!("/bucket/{key}"), "bytes").await.expect(200);
    }
    let etag = md5_hex(b"bytes");
    let objects = [
        ("a", format!("<ETag>&quot;{etag}&quot;</ETag>"), "ok"),
        ("b", "<ETag>other</ETag>".to_owned(), "PreconditionFailed"),
        ("c", format!("<ETag>{etag}</ETag><Size>5</Size><LastModifiedTime>{SINCE}</LastModifiedTime>"), "ok"),
        ("d", "<Size>6</Size>".to_owned(), "PreconditionFailed"),
        ("e", "<LastModifiedTime>2025-12-31T00:00:00Z</LastModifiedTime>".to_owned(), "PreconditionFailed"),
        ("f", "<LastModifiedTime>2026-01-01T00:00:00.000Z</LastModifiedTime>".to_owned(), "ok"),
        ("missing", "<ETag>*</ETag>".to_owned(), "NoSuchKey"),
        ("missing-too", "<Size>1</Size>".to_owned(), "ok"),
    ];
    let list: String =
        objects.iter().map(|(key, rest, _)| format!("<Object><Key>{key}</Key>{rest}</Object>")).collect();
    let answer = client.post("/bucket?delete", format!("<Delete>{list}</Delete>")).await.expect(200);
    let with = |code: &str| -> Vec<&str> {
        objects.iter().filter(|(.., outcome)| *outcome == code).map(|(key, ..)| *key).collect()
    };
    let deleted: Vec<String> = answer.elements("Deleted");
    assert_eq!(deleted.len(), with("ok").len(), "{}", answer.text());
    assert!(deleted.iter().zip(with("ok")).all(|(text, key)| text.contains(&format!("<Key>{key}</Key>"))));
    let failed = answer.elements("Error");
    let expected = objects.iter().filter(|(.., outcome)| *outcome != "ok");
    for (text, (key, _, code)) in failed.iter().zip(expected) {
        assert!(text.contains(&format!("<Key>{key}</Key><Code>{code}</Code>")), "{text}");
    }
    assert_eq!(client.get("/bucket").await.elements("Key"), ["b", "d", "e"]);
    for bad in ["<Size>x</Size>", "<LastModifiedTime>never</LastModifiedTime>"] {
        let document = format!("<Delete><Object><Key>b</Key>{bad}</Object></Delete>");
        client.post("/bucket?delete", document).await.expect_error(400, "MalformedXML");
    }
}
