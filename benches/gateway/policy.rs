//! What evaluating a bucket's policy costs, in this process: the rest of a request would drown it.

use crate::table::{Table, middle};
use dovetail::engine::access::{Action, Facts, Policy, Principal, Resource, User, Verdict};
use std::hint::black_box;
use std::time::Instant;

const STATEMENTS: usize = 100;
const REQUESTS: u32 = 10_000;

/// A request from an address that only the last statement lets in.
struct Request;

impl Facts for Request {
    fn values(&self, key: &str) -> Option<Vec<String>> {
        Some(vec![match key {
            "aws:sourceip" => "203.0.113.99".to_owned(),
            "aws:username" => "ann".to_owned(),
            "aws:referer" => "https://example.com/a/page".to_owned(),
            _ => return None,
        }])
    }
}

/// 100 statements, in two forms: about other prefixes, as policies mostly are, and all about this very object, so that
/// every condition is evaluated.
pub fn evaluation(table: &mut Table) {
    for (name, resource) in [("other prefixes", "home-{}/*"), ("the same object", "*/file-*.bin")] {
        let policy = Policy::of_bucket(document(resource).as_bytes(), "bucket").expect("a policy");
        let us = middle((0..5).map(|_| us_a_request(&policy)).collect(), |us| *us);
        table.row(
            &format!("evaluating a policy of {STATEMENTS} statements about {name}"),
            format!("{us:.2} microseconds a request (median of 5 runs of {REQUESTS})"),
            us,
            "under 50 microseconds",
        );
    }
}

fn us_a_request(policy: &Policy) -> f64 {
    let user = Principal::User(User { account: "1234", name: "ann", policy: None });
    let resource = Resource { bucket: "bucket", key: Some("home-99/ann/2026/file-000123.bin") };
    let started = Instant::now();
    for _ in 0..REQUESTS {
        let verdict = policy.judge(black_box(user), Action::GetObject, black_box(resource), &Request);
        assert_eq!(verdict, Verdict::Allows);
    }
    started.elapsed().as_secs_f64() * 1e6 / f64::from(REQUESTS)
}

/// As long as a policy of 100 statements can be: 20 KB hold no more.
fn document(resource: &str) -> String {
    let statement = |at: usize| {
        let resource = resource.replace("{}", &at.to_string());
        format!(
            r#"{{"Effect":"Allow","Principal":"*","Action":"s3:Get*","Resource":"arn:aws:s3:::bucket/{resource}","Condition":{{"IpAddress":{{"aws:SourceIp":"203.0.113.{at}"}}}}}}"#
        )
    };
    let statements: Vec<String> = (0..STATEMENTS).map(statement).collect();
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}
