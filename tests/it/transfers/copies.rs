//! `dovetail cp`: what goes along, and what stays behind when it does not work out.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::command::Machine;
use super::interrupts::signal;
use super::proxy::{Fault, Proxy};
use super::{BUCKET, gateway, object};
use crate::gateway::Gateway;
use crate::seed::Seed;

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_refused_does_not_keep_the_rest() {
    let gateway = gateway().await;
    let proxy = Proxy::start(&gateway.endpoint(), 1).await;
    let machine = Machine::new(&proxy.endpoint());
    std::fs::create_dir(machine.path("folder")).unwrap();
    for name in ["a", "b", "c"] {
        std::fs::write(machine.path("folder").join(name), name).unwrap();
    }
    machine.run(&["put", "-r", "folder", "s3://transfers/from"]).await.expect(0);
    proxy.choose(|method, target, _| match (method, target.contains("/to/a")) {
        ("PUT", true) => Fault::Refuse(403),
        _ => Fault::None,
    });
    let copied = machine.run(&["cp", "-r", "s3://transfers/from", "s3://transfers/to"]).await.expect(1);
    assert!(copied.stderr.contains("cannot copy to s3://transfers/to/a"), "{}", copied.stderr);
    assert!(copied.stderr.contains("1 objects were not copied"), "{}", copied.stderr);
    for name in ["b", "c"] {
        assert_eq!(object(&gateway, &format!("to/{name}")).await, name);
    }
}

/// An object that is too large for one request, with a tag. No byte of it is stored more than once.
async fn large_object(gateway: &Gateway, machine: &Machine) {
    machine.file("base", 64 << 20, &mut Seed::new(8));
    machine.run(&["put", "base", "s3://transfers/base"]).await.expect(0);
    join(gateway, "gib", &["base"; 16]).await;
    join(gateway, "large", &["gib", "gib", "gib", "gib", "gib", "base"]).await;
}

async fn join(gateway: &Gateway, key: &str, sources: &[&str]) {
    let (client, path) = (gateway.client(), format!("/{BUCKET}/{key}"));
    let tags = [("x-amz-tagging", "a%20b=1&c=")];
    let created = client.send("POST", &format!("{path}?uploads"), &tags, "").await.unwrap().expect(200);
    let id = created.element("UploadId").unwrap();
    let mut list = String::new();
    for (index, source) in sources.iter().enumerate() {
        let (number, source) = (index + 1, format!("/{BUCKET}/{source}"));
        let target = format!("{path}?partNumber={number}&uploadId={id}");
        let copied = client.send("PUT", &target, &[("x-amz-copy-source", source.as_str())], "").await;
        let etag = copied.unwrap().expect(200).element("ETag").unwrap();
        list += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    let list = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
    client.send("POST", &format!("{path}?uploadId={id}"), &[], list).await.unwrap().expect(200);
}

async fn open_uploads(machine: &Machine) -> String {
    String::from_utf8(machine.run(&["uploads", "s3://transfers"]).await.expect(0).stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_object_is_copied_with_its_tags_and_an_interrupted_copy_leaves_nothing_open() {
    let gateway = gateway().await;
    let proxy = Proxy::start(&gateway.endpoint(), 1).await;
    let machine = Machine::new(&proxy.endpoint());
    large_object(&gateway, &machine).await;
    machine.run(&["cp", "s3://transfers/large", "s3://transfers/copy"]).await.expect(0);
    let tags = gateway.client().send("GET", "/transfers/copy?tagging", &[], "").await.unwrap().expect(200);
    assert_eq!(tags.elements("Key"), ["a b", "c"]);
    assert_eq!(tags.elements("Value"), ["1", ""]);

    // The answer to Complete is lost, and a server that remembers less than this one knows nothing of the upload.
    let completes = AtomicUsize::new(0);
    proxy.choose(move |method, target, _| match method == "POST" && target.contains("uploadId=") {
        true if completes.fetch_add(1, Ordering::SeqCst) == 0 => Fault::DropAnswer,
        true => Fault::Forgotten,
        false => Fault::None,
    });
    let copied = machine.run(&["cp", "--json", "s3://transfers/large", "s3://transfers/again"]).await;
    let copied: serde_json::Value = serde_json::from_slice(&copied.expect(0).stdout).unwrap();
    let head = gateway.client().send("HEAD", "/transfers/again", &[], "").await.unwrap().expect(200);
    assert_eq!(head.header("etag").unwrap().trim_matches('"'), copied["etag"]);
    // An object that was there before is none.
    proxy.choose(|method, target, _| match method == "POST" && target.contains("uploadId=") {
        true => Fault::Forgotten,
        false => Fault::None,
    });
    let said = machine.run(&["cp", "s3://transfers/large", "s3://transfers/base"]).await.expect(1);
    said.expect_words("NoSuchUpload");

    proxy.choose(|_, target, _| match target.contains("partNumber=2&") {
        true => Fault::KeepAnswer,
        false => Fault::None,
    });
    let mut copy = machine.spawn(&["cp", "s3://transfers/large", "s3://transfers/other"]);
    while !open_uploads(&machine).await.contains("s3://transfers/other") {}
    signal(&copy, "INT");
    let status = tokio::task::spawn_blocking(move || copy.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(130));
    assert_eq!(open_uploads(&machine).await, "");
}
