//! Where keys, endpoints and regions come from, and keys that expire while a transfer is under way.

use super::command::Machine;
use super::proxy::Proxy;
use super::{BUCKET, gateway, object};
use crate::gateway::{ACCESS_KEY_ID, Gateway, SECRET_ACCESS_KEY};
use crate::seed::Seed;
use dovetail::base::tasks::Tasks;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const SECOND_KEY_ID: &str = "second-access-key";
const SECOND_SECRET: &str = "second-secret-key";

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_expire_during_a_transfer_are_renewed_once_for_all() {
    let gateway = Gateway::start_with(&[
        ("DOVETAIL_USERS__0__NAME", "main"),
        ("DOVETAIL_USERS__0__ACCESS_KEY_ID", SECOND_KEY_ID),
        ("DOVETAIL_USERS__0__SECRET_ACCESS_KEY", SECOND_SECRET),
    ])
    .await;
    gateway.client().send("PUT", &format!("/{BUCKET}"), &[], "").await.unwrap().expect(200);
    let proxy = Proxy::start(&gateway.endpoint(), 1).await;
    let machine = Machine::new(&proxy.endpoint());
    let bytes = machine.file("file", 32 << 20, &mut Seed::new(5));
    // The first time it prints one pair, from then on the other.
    let printed = |id: &str, secret: &str| {
        format!(r#"{{"Version":1,"AccessKeyId":"{id}","SecretAccessKey":"{secret}"}}"#)
    };
    std::fs::write(machine.path("first"), printed(ACCESS_KEY_ID, SECRET_ACCESS_KEY)).unwrap();
    std::fs::write(machine.path("second"), printed(SECOND_KEY_ID, SECOND_SECRET)).unwrap();
    let script = "echo x >> asked\nif [ $(wc -l < asked) = 1 ]; then cat first; else cat second; fi\n";
    std::fs::write(machine.path("keys.sh"), script).unwrap();
    machine.configure("[profile changing]\ncredential_process = sh keys.sh\n");

    let target = format!("s3://{BUCKET}/changing");
    let mut put = machine
        .command(&[
            "put",
            "file",
            &target,
            "--profile",
            "changing",
            "--part-size",
            "5M",
            "--limit-rate",
            "20M",
        ])
        .spawn()
        .expect("the client can be started");
    let parts = || proxy.exchanges().iter().filter(|exchange| exchange.part().is_some()).count();
    while parts() < 3 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    proxy.expire(ACCESS_KEY_ID);
    let status = tokio::task::spawn_blocking(move || put.wait()).await.unwrap().unwrap();
    assert!(status.success());
    assert!(object(&gateway, "changing").await == bytes);
    let asked = std::fs::read_to_string(machine.path("asked")).unwrap();
    assert_eq!(asked.lines().count(), 2, "what was refused together is renewed once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_prints_keys_takes_nothing_from_the_pipe_that_is_uploaded() {
    let gateway = gateway().await;
    let machine = Machine::new(&gateway.endpoint());
    let bytes = machine.file("input", 100_000, &mut Seed::new(3));
    let keys =
        format!(r#"{{"Version":1,"AccessKeyId":"{ACCESS_KEY_ID}","SecretAccessKey":"{SECRET_ACCESS_KEY}"}}"#);
    std::fs::write(machine.path("printed"), keys).unwrap();
    machine.configure("[profile greedy]\ncredential_process = cat > eaten; cat printed\n");
    let target = format!("s3://{BUCKET}/pipe");
    machine.run_with(&["put", "-", &target, "--profile", "greedy"], &machine.path("input")).await.expect(0);
    assert!(object(&gateway, "pipe").await == bytes);
    assert_eq!(std::fs::read(machine.path("eaten")).unwrap(), b"", "it was asked, and found nothing to read");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_asks_a_machine_s_metadata_for_what_has_a_default() {
    let machine = Machine::new("http://127.0.0.1:9");
    let metadata = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let place = format!("http://{}", metadata.local_addr().expect("it is bound"));
    let mut command = machine.command(&["presign", "s3://bucket/key"]);
    command.env_remove("AWS_EC2_METADATA_DISABLED").env("AWS_EC2_METADATA_SERVICE_ENDPOINT", place);
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        command.env_remove(name);
    }
    let run = tokio::task::spawn_blocking(move || command.output());
    tokio::select! {
        output = run => assert!(output.unwrap().unwrap().status.success()),
        _ = metadata.accept() => panic!("it asked for a region"),
    }
}

/// A profile of SSO, as `aws configure sso` writes it.
const SSO: &str = "[profile work]\nregion = eu-west-1\nsso_session = office\nsso_account_id = 123456789012\n\
                   sso_role_name = writer\n[sso-session office]\nsso_region = us-east-1\n\
                   sso_start_url = https://office.example/start\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_session_of_aws_sso_login_is_used() {
    let machine = Machine::new("");
    machine.configure(SSO);
    let name = dovetail_digest::digest(dovetail_digest::Algorithm::Sha1, b"office").to_hex();
    let cache = machine.path(".aws/sso/cache");
    std::fs::create_dir_all(&cache).unwrap();
    let token = r#"{"accessToken":"logged-in","expiresAt":"2099-01-01T00:00:00Z"}"#;
    std::fs::write(cache.join(format!("{name}.json")), token).unwrap();
    let (portal, asked) = portal().await;
    let found = signed(&machine, &["--profile", "work"], &[("AWS_ENDPOINT_URL_SSO", &portal)]).await;
    let place = "https://bucket.s3.eu-west-1.amazonaws.com/key";
    assert_eq!(found, (place.to_string(), "of-the-role@eu-west-1".to_string()));
    let asked = asked.await.unwrap().to_lowercase();
    assert!(
        asked.starts_with("get /federation/credentials?") && asked.contains("role_name=writer"),
        "{asked}"
    );
    assert!(asked.contains("x-amz-sso_bearer_token: logged-in"), "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_session_of_sso_one_is_told_how_to_log_in() {
    let machine = Machine::new("http://127.0.0.1:9");
    machine.configure(SSO);
    let said = machine.run(&["ls", "--profile", "work"]).await.expect(3);
    said.expect_words("cannot find credentials").expect_words("aws sso login --profile work");
}

/// Where AWS's SSO gives out the keys of a role, and what it was asked; it answers once.
async fn portal() -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let asked = Tasks::new().spawn(async move {
        let (mut client, _) = listener.accept().await.expect("it is asked");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && client.read_buf(&mut head).await.expect("it is asked") > 0 {}
        let keys = r#"{"roleCredentials":{"accessKeyId":"of-the-role","secretAccessKey":"s","sessionToken":"t","expiration":4070908800000}}"#;
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{keys}",
            keys.len()
        );
        client.write_all(answer.as_bytes()).await.expect("it listens");
        String::from_utf8_lossy(&head).into_owned()
    });
    (url, asked)
}

/// Where a command would go, and with whose keys: what it would sign tells.
async fn signed(machine: &Machine, flags: &[&str], environment: &[(&str, &str)]) -> (String, String) {
    let mut command = machine.command(&[&["presign", "s3://bucket/key"], flags].concat());
    for name in
        ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"]
    {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let url = String::from_utf8(output.stdout).unwrap();
    let (place, query) = url.split_once('?').unwrap();
    let credential = query.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Credential=")).unwrap();
    let words: Vec<&str> = credential.split("%2F").collect();
    (place.to_string(), format!("{}@{}", words[0], words[2]))
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_come_from_where_aws_cli_takes_them() {
    let machine = Machine::new("");
    machine.configure(
        "[default]\nregion = eu-west-1\naws_access_key_id = file\naws_secret_access_key = s\n\
         [profile local]\nregion = r\nservices = here\ncredential_process = cat printed\ns3 =\n  addressing_style = virtual\n\
         [services here]\ns3 =\n  endpoint_url = http://services.example:1\n",
    );
    std::fs::write(machine.path("printed"), r#"{"Version":1,"AccessKeyId":"process","SecretAccessKey":"s"}"#)
        .unwrap();
    let keys = [("AWS_ACCESS_KEY_ID", "env"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let and = |more: (&'static str, &'static str)| [keys[0], keys[1], more];
    for (flags, environment, place, who) in [
        (&[][..], &[][..], "https://bucket.s3.eu-west-1.amazonaws.com/key", "file@eu-west-1"),
        (&[], &keys[..1], "https://bucket.s3.eu-west-1.amazonaws.com/key", "file@eu-west-1"),
        (&[], &keys, "https://bucket.s3.eu-west-1.amazonaws.com/key", "env@eu-west-1"),
        (&[], &and(("AWS_REGION", "x")), "https://bucket.s3.x.amazonaws.com/key", "env@x"),
        (&["--region", "y"], &and(("AWS_REGION", "x")), "https://bucket.s3.y.amazonaws.com/key", "env@y"),
        (&[], &and(("AWS_ENDPOINT_URL", "http://all:1")), "http://all:1/bucket/key", "env@eu-west-1"),
        (
            &["--endpoint-url", "http://flag:1"],
            &and(("AWS_ENDPOINT_URL", "http://all:1")),
            "http://flag:1/bucket/key",
            "env@eu-west-1",
        ),
        (&["--profile", "default"], &keys, "https://bucket.s3.eu-west-1.amazonaws.com/key", "file@eu-west-1"),
        (&["--profile", "local"], &[], "http://bucket.services.example:1/key", "process@r"),
        (&[], &[("AWS_PROFILE", "local")], "http://bucket.services.example:1/key", "process@r"),
        (&[], &and(("AWS_PROFILE", "local")), "http://bucket.services.example:1/key", "env@r"),
        (
            &["--addressing-style", "path"],
            &[("AWS_PROFILE", "local")],
            "http://services.example:1/bucket/key",
            "process@r",
        ),
    ] {
        let found = signed(&machine, flags, environment).await;
        assert_eq!(found, (place.to_string(), who.to_string()), "{flags:?} {environment:?}");
    }
    let all =
        [("AWS_ENDPOINT_URL", "http://all:1"), ("AWS_ENDPOINT_URL_S3", "http://s3:1"), keys[0], keys[1]];
    assert_eq!(signed(&machine, &[], &all).await.0, "http://s3:1/bucket/key");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_prints_is_never_quoted_and_a_missing_profile_is_named() {
    let machine = Machine::new("http://127.0.0.1:9");
    machine.configure(
        "[profile partly]\ncredential_process = echo '{\"SecretAccessKey\":\"hush\"}'\n\
         [profile failing]\ncredential_process = echo hush; exit 3\n[profile noise]\ncredential_process = echo hush\n",
    );
    for profile in ["partly", "failing", "noise"] {
        let said = machine.run(&["ls", "--profile", profile]).await.expect(1).expect_words("credentials");
        assert!(!said.stderr.contains("hush"), "{}", said.stderr);
    }
    machine.run(&["ls", "--profile", "nobody"]).await.expect(1).expect_words("nobody");
    let mut half = machine.command(&["ls"]);
    let output = half.env_remove("AWS_SECRET_ACCESS_KEY").output().unwrap();
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("without its AWS_SECRET_ACCESS_KEY"),
        "{output:?}"
    );
}
