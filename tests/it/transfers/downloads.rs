//! How an object is looked at before it is fetched, and what its bytes are compared with.

use super::command::Machine;
use super::proxy::{Fault, Proxy};
use super::{BUCKET, gateway};
use crate::gateway::Gateway;
use crate::seed::Seed;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use dovetail::wire::checksum;
use dovetail_digest::Algorithm;

#[tokio::test(flavor = "multi_thread")]
async fn one_object_is_looked_at_once() {
    let gateway = gateway().await;
    let proxy = Proxy::start(&gateway.endpoint(), 1).await;
    let machine = Machine::new(&proxy.endpoint());
    let bytes = machine.file("file", 100_000, &mut Seed::new(1));
    let target = format!("s3://{BUCKET}/key");
    machine.run(&["put", "file", &target]).await.expect(0);
    let heads = || proxy.exchanges().iter().filter(|exchange| exchange.method == "HEAD").count();
    let before = heads();
    machine.run(&["get", &target, "copy"]).await.expect(0);
    assert_eq!(heads() - before, 1);
    assert!(std::fs::read(machine.path("copy")).unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_comes_whole_though_its_length_is_not_told() {
    let gateway = gateway().await;
    let proxy = Proxy::start(&gateway.endpoint(), 1).await;
    let machine = Machine::new(&proxy.endpoint());
    for (len, ranges) in [(0, 1), (100_000, 1), (11 << 20, 3)] {
        let bytes = machine.file("file", len, &mut Seed::new(len as u64));
        let target = format!("s3://{BUCKET}/{len}");
        machine.run(&["put", "file", &target]).await.expect(0);
        proxy.choose(|method, target, _| match method == "GET" && !target.contains('?') {
            true => Fault::NoLength,
            false => Fault::None,
        });
        let before = proxy.exchanges().len();
        machine.run(&["get", &target, "copy", "--part-size", "5M"]).await.expect(0);
        assert!(std::fs::read(machine.path("copy")).unwrap() == bytes);
        let asked = proxy.exchanges()[before..].iter().filter(|asked| asked.fault == Fault::NoLength).count();
        assert_eq!(asked, ranges, "each once");
        assert_eq!(machine.run(&["get", &target, "-"]).await.expect(0).stdout, bytes);
        proxy.choose(|_, _, _| Fault::None);
    }
    proxy.choose(|method, _, _| if method == "HEAD" { Fault::NoLength } else { Fault::None });
    let before = proxy.exchanges().len();
    let said = machine.run(&["get", &format!("s3://{BUCKET}/0"), "copy"]).await.expect(3);
    said.expect_words("no content-length");
    assert_eq!(proxy.exchanges().len() - before, 1, "it is asked once");
}

/// The first one would otherwise give its name to what the second one has so far.
#[tokio::test(flavor = "multi_thread")]
async fn two_downloads_into_one_file_do_not_mix() {
    let gateway = gateway().await;
    let machine = Machine::new(&gateway.endpoint());
    let slow = machine.file("slow", 20 << 20, &mut Seed::new(1));
    let quick = machine.file("quick", 5000, &mut Seed::new(2));
    machine.run(&["put", "slow", "quick", &format!("s3://{BUCKET}/two/")]).await.expect(0);
    let from = |name: &str| format!("s3://{BUCKET}/two/{name}");
    let mut first = machine.spawn(&["get", &from("slow"), "copy", "--limit-rate", "1M"]);
    while !machine.path("copy.dovetail-part").exists() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let said = machine.run(&["get", &from("quick"), "copy"]).await.expect(1);
    said.expect_words("copy.dovetail-part: another dovetail is writing it");
    assert_eq!(std::fs::metadata(machine.path("copy.dovetail-part")).unwrap().len(), slow.len() as u64);
    first.kill().expect("the child can be killed");
    first.wait().expect("the child can be waited for");
    machine.run(&["get", &from("quick"), "copy"]).await.expect(0);
    assert!(std::fs::read(machine.path("copy")).unwrap() == quick);
    machine.run(&["get", &from("slow"), "copy"]).await.expect(0);
    assert!(std::fs::read(machine.path("copy")).unwrap() == slow);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_named_like_a_part_file_takes_nobody_s_place() {
    let gateway = gateway().await;
    let machine = Machine::new(&gateway.endpoint());
    let bytes = machine.file("file", 1000, &mut Seed::new(1));
    let other = machine.file("file.dovetail-part", 2000, &mut Seed::new(2));
    let prefix = format!("s3://{BUCKET}/named/");
    machine.run(&["put", "file", "file.dovetail-part", &prefix]).await.expect(0);
    let said = machine.run(&["get", "-r", &prefix, "back"]).await.expect(1);
    said.expect_words("file.dovetail-part: its name is that of a download under way");
    assert!(std::fs::read(machine.path("back/file")).unwrap() == bytes);
    machine.run(&["get", &format!("{prefix}file.dovetail-part"), "other"]).await.expect(0);
    assert!(std::fs::read(machine.path("other")).unwrap() == other);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_has_changed_since_it_was_listed_is_fetched_as_it_is_now() {
    let gateway = gateway().await;
    let proxy = Proxy::start(&gateway.endpoint(), 1).await;
    let machine = Machine::new(&proxy.endpoint());
    let bytes = machine.file("file", 1000, &mut Seed::new(1));
    machine.run(&["put", "file", &format!("s3://{BUCKET}/p/key")]).await.expect(0);
    let first = std::sync::atomic::AtomicBool::new(true);
    proxy.choose(move |method, target, _| {
        let is_fetched = method == "GET" && target.ends_with("/p/key");
        match is_fetched && first.swap(false, std::sync::atomic::Ordering::SeqCst) {
            true => Fault::Refuse(412),
            false => Fault::None,
        }
    });
    let said = machine.run(&["get", "-r", &format!("s3://{BUCKET}/p/"), "copies"]).await.expect(0);
    said.expect_words("the object has changed on the server; starting over");
    assert!(std::fs::read(machine.path("copies/key")).unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_whose_etag_is_no_md5_is_compared_by_its_checksum() {
    let key = BASE64.encode([7; 32]);
    let gateway = Gateway::start_with(&[("DOVETAIL_ENCRYPTION__KMS_KEYS__OURS", &key)]).await;
    gateway.client().send("PUT", &format!("/{BUCKET}"), &[], "").await.unwrap().expect(200);
    let machine = Machine::new(&gateway.endpoint());
    let bytes = Seed::new(4).bytes(50_000);
    let crc = checksum::encode(&dovetail_digest::digest(Algorithm::Crc32, &bytes));
    let kms = [
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "ours"),
    ];
    let with_crc = [kms[0], kms[1], ("x-amz-checksum-crc32", crc.as_str())];
    for (name, headers) in [("bare", &kms[..]), ("checked", &with_crc[..])] {
        let path = format!("/{BUCKET}/{name}");
        gateway.client().send("PUT", &path, headers, bytes.clone()).await.unwrap().expect(200);
        let target = format!("s3://{BUCKET}/{name}");
        let said = machine.run(&["get", "--json", &target, name]).await.expect(0);
        assert!(std::fs::read(machine.path(name)).unwrap() == bytes);
        let lines = String::from_utf8(said.stdout).unwrap();
        // A program finds what became of what it has started.
        assert!(lines.contains(r#""to":""#), "{lines}");
        let done = lines.lines().find(|line| line.contains(r#""event":"done""#)).unwrap().to_string();
        assert!(done.contains(r#""verified":true"#), "{name}: {done}");
        assert!(!done.contains(&dovetail_digest::digest(Algorithm::Md5, &bytes).to_hex()), "{done}");
        assert!(machine.run(&["get", &target, "-"]).await.expect(0).stdout == bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_under_a_customer_s_key_is_refused_with_the_server_s_reason() {
    let gateway = Gateway::start_with(&[("DOVETAIL_ENCRYPTION__REQUIRE_TLS", "false")]).await;
    gateway.client().send("PUT", &format!("/{BUCKET}"), &[], "").await.unwrap().expect(200);
    let machine = Machine::new(&gateway.endpoint());
    let (key, md5) = (BASE64.encode([7; 32]), BASE64.encode(dovetail_digest::md5(&[7; 32])));
    let headers = [
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-server-side-encryption-customer-key", key.as_str()),
        ("x-amz-server-side-encryption-customer-key-md5", md5.as_str()),
    ];
    gateway.client().send("PUT", &format!("/{BUCKET}/theirs"), &headers, "x").await.unwrap().expect(200);
    let target = format!("s3://{BUCKET}/theirs");
    for arguments in [&["get", &target, "copy"][..], &["stat", &target]] {
        machine.run(arguments).await.expect(1).expect_words("Server Side Encryption");
    }
    assert!(!machine.path("copy").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_object_is_fetched_without_keys() {
    let gateway = gateway().await;
    let machine = Machine::new(&gateway.endpoint());
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::{BUCKET}/*"}}]}}"#
    );
    let block = format!("/{BUCKET}?publicAccessBlock");
    gateway.client().send("DELETE", &block, &[], "").await.unwrap().expect(204);
    gateway.client().send("PUT", &format!("/{BUCKET}?policy"), &[], policy).await.unwrap().expect(204);
    for len in [1000, 12 << 20] {
        let bytes = machine.file("file", len, &mut Seed::new(2));
        let target = format!("s3://{BUCKET}/public-{len}");
        let nobody = ["--no-sign-request", "--part-size", "5M"];
        machine.run(&[&["put", "file", &target], &nobody[..]].concat()).await.expect(0);
        machine.run(&[&["get", &target, "copy", "--force"], &nobody[..]].concat()).await.expect(0);
        assert!(std::fs::read(machine.path("copy")).unwrap() == bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_at_is_told_with_its_reason_and_what_to_do() {
    let gateway = gateway().await;
    let machine = Machine::new(&gateway.endpoint());
    for (arguments, words) in [
        (&["get", "s3://no-such-bucket/key", "copy"][..], "make it with `dovetail mb`"),
        (&["stat", "s3://no-such-bucket/key"], "NoSuchBucket"),
        (&["get", "s3://transfers/key", "copy"], "NoSuchKey"),
        (&["get", "s3://transfers/key", "copy", "--no-sign-request"], "leave --no-sign-request out"),
        (&["get", "s3://transfers/key", "copy", "--region", "eu-north-1"], "NoSuchKey"),
    ] {
        machine.run(arguments).await.expect(1).expect_words(words);
    }
}

/// An object that is replaced while its ranges come in, whoever kept some of them.
#[tokio::test(flavor = "multi_thread")]
async fn ranges_that_were_given_up_are_not_counted_as_done() {
    const LEN: usize = 22 << 20;
    let gateway = gateway().await;
    let proxy = Proxy::start(&gateway.endpoint(), 1).await;
    let machine = Machine::new(&proxy.endpoint());
    let mut seed = Seed::new(31);
    machine.file("file", LEN, &mut seed);
    let put = ["put", "file", "s3://transfers/key", "--part-size", "5M"];
    machine.run(&put).await.expect(0);
    let is_range = |method: &str, target: &str| method == "GET" && target == "/transfers/key";
    let first = std::sync::atomic::AtomicUsize::new(0);
    proxy.choose(move |method, target, _| {
        match is_range(method, target) && first.fetch_add(1, std::sync::atomic::Ordering::SeqCst) >= 2 {
            true => Fault::Refuse(500),
            false => Fault::None,
        }
    });
    let get = ["get", "--json", "s3://transfers/key", "copy", "--part-size", "5M"];
    let mut command = machine.command(&get);
    let download = command.stdout(std::process::Stdio::piped()).spawn().expect("the client can be started");
    let arrived = || {
        let exchanges = proxy.exchanges();
        let ranges = exchanges.iter().filter(|exchange| is_range(&exchange.method, &exchange.target));
        ranges.filter(|exchange| exchange.delivered == Some(206)).count()
    };
    while arrived() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let bytes = seed.bytes(LEN);
    let put = gateway.client().send("PUT", "/transfers/key", &[], bytes.clone()).await;
    put.expect("it answers").expect(200);
    proxy.choose(|_, _, _| Fault::None);
    let output = tokio::task::spawn_blocking(move || download.wait_with_output()).await.unwrap().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(std::fs::read(machine.path("copy")).unwrap() == bytes);
    assert!(said.contains("the object has changed on the server"), "{said}");
    let summary: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!((summary["event"].as_str(), summary["bytes"].as_u64()), (Some("summary"), Some(LEN as u64)));
    assert!(summary["moved_bytes"].as_u64() > Some(LEN as u64), "{summary}");
}
