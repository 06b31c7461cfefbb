//! Ctrl-C, `kill` and a terminal that is gone: what is said, and what is left.

use std::process::{Child, Stdio};
use std::time::Duration;

use super::command::Machine;
use super::gateway;
use super::proxy::{Fault, Proxy};
use crate::seed::Seed;

const TARGET: &str = "s3://transfers/key";

/// Waits until the client listens to SIGHUP, SIGINT and SIGTERM.
async fn listens(child: &Child) {
    let caught = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim().to_owned();
        u64::from_str_radix(&mask, 16).unwrap()
    };
    while caught() & 0x4003 != 0x4003 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub fn signal(child: &Child, name: &str) {
    let sent = std::process::Command::new("kill").args(["-s", name, &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_prints_the_command_that_goes_on() {
    let gateway = gateway().await;
    let proxy = Proxy::start(&gateway.endpoint(), 1).await;
    let machine = Machine::new(&proxy.endpoint());
    machine.file("file", 22 << 20, &mut Seed::new(7));
    proxy.choose(|_, _, _| Fault::Refuse(500));
    let command = format!("put file {TARGET} --json --metadata 'note=it'\\''s here'");
    for name in ["INT", "TERM"] {
        let mut put = machine.command(&["put", "file", TARGET, "--json", "--metadata", "note=it's here"]);
        let put =
            put.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the client can be started");
        listens(&put).await;
        signal(&put, name);
        let output = tokio::task::spawn_blocking(move || put.wait_with_output()).await.unwrap().unwrap();
        assert_eq!(output.status.code(), Some(130), "{name}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&command), "{name}: {said}");
        let events = String::from_utf8(output.stdout).unwrap();
        let last: serde_json::Value = serde_json::from_str(events.lines().last().unwrap()).unwrap();
        assert_eq!(last["event"], "interrupted", "{name}: {events}");
        assert!(last["command"].as_str().unwrap().ends_with(&command), "{name}: {last}");
    }
}

/// Before the first byte comes out, too, and whichever way it is told; a terminal that is gone is nothing to `nohup`.
#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_that_says_nothing_is_left_at_once() {
    let gateway = gateway().await;
    let machine = Machine::new(&gateway.endpoint());
    for name in ["INT", "TERM", "HUP"] {
        let mut command = machine.command(&["put", "-", "s3://transfers/silent", "--json"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let silent = child.stdin.take();
        listens(&child).await;
        signal(&child, name);
        let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
        assert_eq!(output.status.code(), Some(130), "{name}");
        let said = String::from_utf8_lossy(&output.stdout);
        // A pipe is gone; no command goes on with it.
        assert!(said.ends_with("{\"event\":\"interrupted\",\"command\":null}\n"), "{name}: {said}");
        assert!(said.contains("\"error\":\"interrupted\""), "{name}: it was waited for in vain: {said}");
        drop(silent);
    }
    let uploads = machine.run(&["uploads", "s3://transfers"]).await.expect(0);
    assert_eq!(uploads.stdout, b"");
}
