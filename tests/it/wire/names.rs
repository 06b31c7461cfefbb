//! Names as clients write them: buckets in the host, odd keys, and documents that mean no good.

use super::with_bucket;
use crate::client;
use crate::socket::{Request, Socket};
use dovetail::wire::percent;

#[tokio::test]
async fn a_bucket_may_stand_in_the_host() {
    let gateway = with_bucket(&[("DOVETAIL_DOMAIN", "s3.localhost")]).await;
    let mut socket = Socket::connect(&gateway).await;
    let host = format!("bucket.s3.localhost:{}", gateway.port());
    for (method, path, body) in [
        ("PUT", "/a/key", "hosted"),
        ("PUT", "/_/ready", "a key"),
        ("GET", "/a/key", ""),
        ("GET", "/_/ready", ""),
    ] {
        let request = Request::new(&gateway, method, path).header("host", &host).body_len(body.len());
        socket.send([&request.sign().0[..], body.as_bytes()].concat()).await;
        let answer = socket.answer().await.expect(200);
        if method == "GET" {
            assert_eq!(answer.text(), if path == "/a/key" { "hosted" } else { "a key" });
        }
    }
    socket.send(Request::new(&gateway, "GET", "/?list-type=2").header("host", &host).sign().0).await;
    assert_eq!(socket.answer().await.expect(200).elements("Key"), ["_/ready", "a/key"]);
    // The other style goes on.
    assert_eq!(gateway.client().get("bucket", "a/key").await.unwrap().expect(200).text(), "hosted");
}

#[tokio::test]
async fn odd_keys_go_there_and_back() {
    let gateway = with_bucket(&[]).await;
    let longest = "\u{1F98B}".repeat(256);
    let mut keys = vec![
        "a//b",
        "/leading",
        "trailing/",
        "a/../b",
        "a/./b",
        ".",
        "a/..",
        "\u{1}\u{1f}",
        "\r\n",
        "\u{7f}",
        "\u{1F98B} \u{e9}",
        "+ &=?#%",
        "%41",
        "<&>\"'",
        "\\",
        "\u{fffe}",
        "_/ready",
        longest.as_str(),
        "a b",
        "a+b",
    ];
    let mut socket = Socket::connect(&gateway).await;
    for key in &keys {
        let request = Request::new(&gateway, "PUT", &client::path("bucket", key)).body_len(key.len());
        socket.send([&request.sign().0[..], key.as_bytes()].concat()).await;
        let answer = socket.answer().await;
        assert_eq!(answer.status, 200, "{key:?}: {}", answer.text());
    }
    for key in &keys {
        let answer = socket.ask(&gateway, "GET", &client::path("bucket", key)).await.expect(200);
        assert_eq!(answer.text(), *key, "each has what was written under its own name");
    }
    let listed = socket.ask(&gateway, "GET", "/bucket?list-type=2&encoding-type=url").await.expect(200);
    let listed: Vec<String> = listed
        .elements("Key")
        .iter()
        .map(|key| percent::decode(key.replace('+', " ").as_bytes()).expect("it is encoded"))
        .collect();
    keys.sort_unstable();
    assert_eq!(listed, keys, "sorted by their bytes");
    for key in &keys {
        socket.ask(&gateway, "DELETE", &client::path("bucket", key)).await.expect(204);
    }
    assert!(gateway.client().list("bucket").await.unwrap().is_empty());
    let too_long = format!("/bucket/{}", "k".repeat(1025));
    socket.ask(&gateway, "GET", &too_long).await.expect_code(400, "KeyTooLongError");
    socket.ask(&gateway, "GET", "/bucket/%ff").await.expect_code(400, "InvalidURI");
}

#[tokio::test]
async fn hostile_documents_are_refused_and_change_nothing() {
    let gateway = with_bucket(&[]).await;
    let client = gateway.client();
    client.put("bucket", "kept", "kept").await.unwrap().expect(200);
    let upload = client.create_upload("bucket", "key").await.unwrap();
    let sent = client.upload_part("bucket", "key", &upload, 1, "part").await.unwrap().expect(200);
    let etag = sent.header("etag").unwrap().to_string();
    let lol: String = (1..30)
        .map(|number| format!("<!ENTITY l{number} \"{}\">", format!("&l{};", number - 1).repeat(10)))
        .collect();
    let hostile = |root: &str, item: &str| {
        vec![
            format!("<!DOCTYPE {root} [<!ENTITY l0 \"lol\">{lol}]><{root}>{item}&l29;</{root}>").into_bytes(),
            format!("<!DOCTYPE {root} SYSTEM \"file:///etc/passwd\"><{root}>{item}</{root}>").into_bytes(),
            format!("<{root}>{}{item}", "<Part>".repeat(100_000)).into_bytes(),
            format!("<{root}>{item}").into_bytes(),
            format!("<{root}>{item}</{root}><{root}/>").into_bytes(),
            format!("<Other>{item}</Other>").into_bytes(),
            format!("<{root}></{root}>").into_bytes(),
            [format!("<{root}>{item}").as_bytes(), b"\xff\xfe", format!("</{root}>").as_bytes()].concat(),
            b"{\"not\": \"XML\"}".to_vec(),
            b"\0\0\0\0".to_vec(),
            Vec::new(),
        ]
    };
    let part = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>");
    for document in hostile("CompleteMultipartUpload", &part) {
        let shown = String::from_utf8_lossy(&document[..document.len().min(60)]).into_owned();
        let path = format!("/bucket/key?uploadId={upload}");
        let answer = client.send("POST", &path, &[], document).await.unwrap();
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "MalformedXML"),
            "{shown}: {}",
            answer.text()
        );
    }
    for document in hostile("Delete", "<Object><Key>kept</Key></Object>") {
        let shown = String::from_utf8_lossy(&document[..document.len().min(60)]).into_owned();
        let digest = dovetail_digest::digest(dovetail_digest::Algorithm::Crc32c, &document);
        let checksum = dovetail::wire::checksum::encode(&digest);
        let headers = [("x-amz-checksum-crc32c", checksum.as_str())];
        let answer = client.send("POST", "/bucket?delete", &headers, document).await.unwrap();
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "MalformedXML"),
            "{shown}: {}",
            answer.text()
        );
    }
    assert_eq!(client.get("bucket", "kept").await.unwrap().expect(200).text(), "kept");
    client.complete("bucket", "key", &upload, &[(1, etag)]).await.unwrap().expect(200);
    assert_eq!(client.get("bucket", "key").await.unwrap().expect(200).text(), "part");
}
