//! What must hold for any bytes that are sent as a policy. The unit tests run it on changed examples; `fuzz/`
//! includes this file and runs it on everything.

use crate::engine::access::{Action, Facts, Policy, Principal, Resource, User, Verdict};

/// A request that has a value for every key, or for none.
struct Same(Option<&'static str>);

impl Facts for Same {
    fn values(&self, _: &str) -> Option<Vec<String>> {
        self.0.map(|value| vec![value.to_owned()])
    }
}

/// Reading and evaluating never panics; a policy that is not public lets in nobody of whom nothing is known, and two
/// readings of the same text agree.
pub fn policy(bytes: &[u8]) {
    let Ok(policy) = Policy::of_bucket(bytes, "bucket") else { return };
    let again = Policy::of_bucket(bytes, "bucket").expect("it was read before");
    let user = Principal::User(User { account: "1234", name: "ann", policy: Some(&again) });
    let names = [("bucket", None), ("bucket", Some("key")), ("bucket", Some("a/*${b}?"))];
    for (bucket, key) in names {
        let resource = Resource { bucket, key };
        for action in [Action::GetObject, Action::ListBucket, Action::PutBucketPolicy] {
            for facts in [Same(None), Same(Some("203.0.113.9")), Same(Some("2026-01-01")), Same(Some("true"))]
            {
                let verdict = policy.judge(user, action, resource, &facts);
                assert_eq!(verdict, again.judge(user, action, resource, &facts));
            }
            let verdict = policy.judge(Principal::Anonymous, action, resource, &Same(None));
            assert!(verdict != Verdict::Allows || policy.is_public());
        }
    }
}
