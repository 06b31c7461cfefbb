//! Users that are made at run time, with the real gateway and the real commands.

use crate::client::Client;
use crate::gateway::{ACCESS_KEY_ID, Gateway, SECRET_ACCESS_KEY};
use std::process::{Command, Output};

const READ_ONLY: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}]}"#;

/// `dovetail`, as these keys, without anything of the caller's environment.
fn dovetail(gateway: &Gateway, keys: (&str, &str), arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dovetail"));
    command.args(arguments).args(["--endpoint-url", &gateway.endpoint(), "--patience", "5"]);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.env("AWS_ACCESS_KEY_ID", keys.0).env("AWS_SECRET_ACCESS_KEY", keys.1);
    command.output().expect("dovetail can be started")
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Key id and secret, as `key create` shows them.
fn key_of(shown: &str) -> (String, String) {
    let value = |name: &str| {
        let line = shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("no {name} in {shown}")).to_owned()
    };
    (value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"))
}

async fn status(gateway: &Gateway, key: &(String, String), method: &str, path: &str) -> u16 {
    let client = Client::new(&gateway.endpoint(), &key.0, &key.1);
    client.send(method, path, &[], "").await.expect("the gateway answers").status
}

#[tokio::test]
async fn users_and_keys_are_made_and_taken_away_while_the_gateway_runs_and_outlive_it() {
    let mut gateway = Gateway::start().await;
    let root = (ACCESS_KEY_ID, SECRET_ACCESS_KEY);
    let client = gateway.client();
    client.send("PUT", "/bucket", &[], "").await.unwrap().expect(200);
    client.send("PUT", "/bucket/key", &[], "bytes").await.unwrap().expect(200);
    let policy = gateway.data_dir().with_file_name("policy.json");
    std::fs::write(&policy, READ_ONLY).unwrap();
    let policy = policy.to_str().unwrap();

    stdout(&dovetail(&gateway, root, &["user", "add", "ann", "--policy", policy]));
    let shown = stdout(&dovetail(&gateway, root, &["key", "create", "ann"]));
    let first = key_of(&shown);
    assert_eq!(status(&gateway, &first, "GET", "/bucket/key").await, 200);
    assert_eq!(status(&gateway, &first, "PUT", "/bucket/key").await, 403);
    assert_eq!(stdout(&dovetail(&gateway, root, &["user", "policy", "ann"])).trim(), READ_ONLY);
    let second = stdout(&dovetail(&gateway, root, &["key", "create", "ann", "--json"]));
    let second: serde_json::Value = serde_json::from_str(&second).unwrap();
    let second =
        ["access_key_id", "secret_access_key"].map(|field| second[field].as_str().unwrap().to_owned());
    let second = (second[0].clone(), second[1].clone());

    gateway.restart().await;
    assert_eq!(status(&gateway, &first, "GET", "/bucket/key").await, 200);
    stdout(&dovetail(&gateway, root, &["key", "revoke", &first.0]));
    assert_eq!(status(&gateway, &first, "GET", "/bucket/key").await, 403);
    assert_eq!(status(&gateway, &second, "GET", "/bucket/key").await, 200);
    let list = stdout(&dovetail(&gateway, root, &["user", "list"]));
    assert!(list.contains("ann") && list.contains(&second.0) && !list.contains(&first.0), "{list}");
    let list = stdout(&dovetail(&gateway, root, &["user", "list", "--json"]));
    let entry: serde_json::Value = serde_json::from_str(list.trim()).unwrap();
    assert_eq!((entry["name"].as_str(), entry["account"].as_str()), (Some("ann"), Some("main")));

    stdout(&dovetail(&gateway, root, &["user", "policy", "ann", "--remove"]));
    assert_eq!(status(&gateway, &second, "GET", "/bucket/key").await, 403);
    stdout(&dovetail(&gateway, root, &["user", "remove", "ann"]));
    gateway.restart().await;
    assert_eq!(stdout(&dovetail(&gateway, root, &["user", "list"])), "");
    assert_eq!(status(&gateway, &second, "GET", "/bucket/key").await, 403);

    let log = gateway.log();
    for change in ["add user", "create key", "revoke key", "remove policy", "remove user"] {
        assert!(log.contains(change), "no line about `{change}` in the log");
    }
    assert!(!log.contains(&first.1) && !log.contains(&second.1), "a secret is in the log");
}

#[tokio::test]
async fn users_cannot_administer_and_secrets_are_not_on_disk_in_the_clear() {
    let mut gateway = Gateway::start().await;
    let root = (ACCESS_KEY_ID, SECRET_ACCESS_KEY);
    stdout(&dovetail(&gateway, root, &["user", "add", "ann"]));
    let key = key_of(&stdout(&dovetail(&gateway, root, &["key", "create", "ann"])));
    let refused = dovetail(&gateway, (&key.0, &key.1), &["user", "add", "eve"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("AccessDenied"));
    let twice = dovetail(&gateway, root, &["user", "add", "ann"]);
    assert!(String::from_utf8_lossy(&twice.stderr).contains("EntityAlreadyExists"));
    assert!(gateway.stop().success());

    let mut folders = vec![gateway.data_dir()];
    let mut has_key_file = false;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let bytes = std::fs::read(entry.path()).unwrap();
            let is_there = bytes.windows(key.1.len()).any(|window| window == key.1.as_bytes());
            assert!(!is_there, "the secret is in {}", entry.path().display());
            if entry.file_name() == "user-secrets.key" {
                use std::os::unix::fs::PermissionsExt as _;
                assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
                has_key_file = true;
            }
        }
    }
    assert!(has_key_file);
}
