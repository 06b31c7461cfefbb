//! The process as an operator sees it: exit codes, signals, what it prints, what it leaves on disk.

use crate::gateway::Gateway;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Runs the binary to its end, without any DOVETAIL_ variable but these.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dovetail"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DOVETAIL_")) {
        command.env_remove(name);
    }
    command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null());
    command.output().expect("the binary can be started")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_bad_configuration_is_one_line_and_exit_code_2_and_touches_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data_dir = data.to_str().unwrap();
    for (environment, key) in [
        (("DOVETAIL_LISTEN", "nowhere"), "listen (from DOVETAIL_LISTEN)"),
        (("DOVETAIL_LIMITS__CONNECTIONS", "-1"), "limits.connections"),
        (("DOVETAIL_LIMITS__UPLOAD_MEMORY", "64 elephants"), "limits.upload_memory"),
        (("DOVETAIL_SIGV2", "maybe"), "sigv2"),
        (("DOVETAIL_LOG", "loud"), "DOVETAIL_LOG"),
        (("DOVETAIL_UNHEARD_OF", "1"), "unheard_of"),
        (("DOVETAIL_BLOBS__URL", "ftp://host/path"), "blobs.url"),
    ] {
        let output = run(&["serve", "--data-dir", data_dir], &[environment]);
        assert_eq!(output.status.code(), Some(2), "{key}: {}", stderr(&output));
        let said = stderr(&output);
        assert!(said.starts_with("dovetail: ") && said.contains(key), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert!(!data.exists());
    assert_eq!(run(&["serve", "--unknown"], &[]).status.code(), Some(2));
    assert_eq!(run(&["--version"], &[]).status.code(), Some(0));
}

#[tokio::test]
async fn a_second_process_on_the_same_data_gets_one_line_and_exit_code_1() {
    let gateway = Gateway::start().await;
    let data = gateway.data_dir();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()];
    let output = run(&arguments, &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("in use by another dovetail process") && said.lines().count() == 1, "{said}");
}

#[tokio::test]
async fn sigterm_ends_with_0_and_the_log_says_so() {
    let mut gateway = Gateway::start().await;
    let status = gateway.stop();
    assert_eq!(status.code(), Some(0), "{}", gateway.log());
    assert!(gateway.log().contains("stopped"), "{}", gateway.log());
}

#[tokio::test]
async fn sighup_does_not_end_it() {
    let mut gateway = Gateway::start().await;
    let pid = rustix::process::Pid::from_raw(gateway.pid() as i32).expect("a process id is not 0");
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    let begun = Instant::now();
    while !gateway.log().contains("SIGHUP") {
        assert!(begun.elapsed() < Duration::from_secs(10), "{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(gateway.is_running());
}

#[tokio::test]
async fn goes_on_and_stops_in_order_when_nobody_reads_its_log_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dovetail"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path().join("data"));
    command.env("DOVETAIL_LOG", "debug").stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let endpoint = {
        use std::io::{BufRead, BufReader};
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut words =
            lines.map(|line| line.split_whitespace().last().map(str::to_owned).unwrap_or_default());
        words.find(|word| word.starts_with("http://")).expect("it says where it is")
    };
    drop(child.stderr.take());
    // Refusals are logged, too.
    for _ in 0..3 {
        assert_eq!(reqwest::get(format!("{endpoint}/bucket")).await.unwrap().status(), 404);
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
            panic!("it does not stop");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn starts_while_its_backend_is_away_and_says_that_it_is_not_ready() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let mut gateway = Gateway::prepare(&[
        ("DOVETAIL_BLOBS__URL", "s3://bucket/prefix"),
        ("DOVETAIL_BLOBS__AWS_ENDPOINT", &endpoint),
        ("DOVETAIL_BLOBS__AWS_ALLOW_HTTP", "true"),
        ("DOVETAIL_BLOBS__AWS_ACCESS_KEY_ID", "key"),
        ("DOVETAIL_BLOBS__AWS_SECRET_ACCESS_KEY", "secret"),
    ]);
    gateway.spawn(&[]);
    let live = format!("{}/_/live", gateway.endpoint());
    let begun = Instant::now();
    while reqwest::get(&live).await.is_err() {
        assert!(gateway.is_running() && begun.elapsed() < Duration::from_secs(60), "{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(gateway.log().contains("the backend does not answer"), "{}", gateway.log());
    let ready = reqwest::get(format!("{}/_/ready", gateway.endpoint())).await.unwrap();
    assert_eq!(ready.status(), 503);
    let client = gateway.client();
    client.send("PUT", "/bucket", &[], "").await.unwrap().expect(200);
    client.put("bucket", "small", "small").await.unwrap().expect(200);
    assert_eq!(client.get("bucket", "small").await.unwrap().expect(200).text(), "small");
    client.put("bucket", "large", vec![1; 100_000]).await.unwrap().expect_code(503, "ServiceUnavailable");
    assert!(gateway.stop().success());
}

/// Starts `serve` without users and kills it once it has printed where the secret is.
fn welcome(data: &Path) -> String {
    use std::io::{BufRead, BufReader};
    let mut command = Command::new(env!("CARGO_BIN_EXE_dovetail"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data);
    command.env_remove("DOVETAIL_ACCESS_KEY_ID").env_remove("DOVETAIL_SECRET_ACCESS_KEY");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut text = String::new();
    for line in lines {
        text += &format!("{line}\n");
        if line.contains("dovetail put") {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    text
}

#[test]
fn the_first_start_makes_a_key_pair_says_where_and_keeps_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = welcome(&data);
    let file = data.join("credentials");
    assert!(first.contains(&format!("in {}", file.display())), "{first}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let kept = std::fs::read_to_string(&file).unwrap();
    let secret = kept.lines().find_map(|line| line.strip_prefix("secret_access_key = ")).unwrap();
    assert!(!first.contains(secret.trim_matches('"')), "the secret itself is not printed");
    let key_of = |text: &str| text.lines().find(|line| line.contains("access key")).map(str::to_string);
    assert_eq!(key_of(&welcome(&data)), key_of(&first));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), kept);
}
