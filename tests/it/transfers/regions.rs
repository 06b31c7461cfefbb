//! Buckets that are in another region than the client was told.

use super::command::Machine;
use super::proxy::{Fault, MOVED_TO, Proxy};
use crate::gateway::Gateway;
use crate::seed::Seed;

const LEN: usize = 12 << 20;

/// A gateway in another region than the machine believes.
async fn elsewhere() -> (Gateway, Proxy, Machine) {
    let gateway = Gateway::start_with(&[("DOVETAIL_REGION", MOVED_TO)]).await;
    let proxy = Proxy::start(&gateway.endpoint(), 1).await;
    let machine = Machine::new(&proxy.endpoint());
    machine.run(&["mb", "s3://far"]).await.expect(0);
    (gateway, proxy, machine)
}

fn refused(proxy: &Proxy) -> usize {
    proxy.exchanges().iter().filter(|exchange| exchange.delivered == Some(400)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_a_server_tells_is_used_once_known() {
    let (_gateway, proxy, machine) = elsewhere().await;
    let bytes = machine.file("file", LEN, &mut Seed::new(5));
    let before = refused(&proxy);
    let put = ["put", "-v", "file", "s3://far/key", "--part-size", "5M"];
    let said = machine.run(&put).await.expect(0).expect_words("s3://far/: it is in eu-north-1");
    assert_eq!(said.stderr.matches("it is in").count(), 1, "{}", said.stderr);
    assert_eq!(refused(&proxy) - before, 1, "then it is known");
    machine.run(&["get", "s3://far/key", "copy"]).await.expect(0);
    assert!(std::fs::read(machine.path("copy")).unwrap() == bytes);
    let said = machine.run(&["get", "--json", "--force", "s3://far/key", "copy"]).await.expect(0);
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains(r#"{"event":"region","bucket":"far","region":"eu-north-1"}"#), "{said}");
    // Whoever names a wrong one is helped, too.
    let listed = machine.run(&["ls", "s3://far", "--region", "eu-west-3"]).await.expect(0);
    assert!(String::from_utf8(listed.stdout).unwrap().contains("key"));
    machine.run(&["stat", "s3://far/key"]).await.expect(0);
    machine.run(&["rm", "s3://far/key"]).await.expect(0);
}

/// All that is taken from a redirect is the region's name: a signed request goes nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_to_where_it_leads() {
    let (_gateway, proxy, machine) = elsewhere().await;
    machine.file("file", 1000, &mut Seed::new(5));
    let is_first = std::sync::atomic::AtomicBool::new(true);
    proxy.choose(move |_, target, _| {
        let is_first = target != "/_/limits" && is_first.swap(false, std::sync::atomic::Ordering::SeqCst);
        if is_first { Fault::Moved } else { Fault::None }
    });
    let before = refused(&proxy);
    machine.run(&["put", "-v", "file", "s3://far/key"]).await.expect(0).expect_words("it is in eu-north-1");
    assert_eq!(refused(&proxy), before, "the redirect has told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_so_for_ever_is_left() {
    let (_gateway, proxy, machine) = elsewhere().await;
    proxy.choose(|_, _, _| Fault::Moved);
    let before = proxy.exchanges().len();
    machine.run(&["ls", "s3://far"]).await.expect(1).expect_words("--region eu-north-1");
    assert_eq!(proxy.exchanges().len() - before, 2);
}
