//! Which region a bucket is in: the endpoint's, until a server says that it is another one.
//!
//! A bucket's region decides what a request is signed with, and at AWS which host it goes to. That host is made here from the
//! endpoint's own and the region's name; no address that an answer tells is ever followed, so nobody can have a signed request
//! sent to a host of theirs.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// A region's name is part of a host and of each signature; longer ones are none.
const NAME_LEN_MAX: usize = 64;

/// What is known of buckets in one run.
#[derive(Debug)]
pub struct Regions {
    home: String,
    /// By bucket, where it is another one.
    found: RwLock<HashMap<String, String>>,
}

/// What a server's word on a bucket's region comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learnt {
    /// It is used from now on.
    New,
    /// Another one was believed before, or this one is not to be believed.
    Nothing,
}

impl Regions {
    pub fn new(home: String) -> Regions {
        Regions { home, found: RwLock::default() }
    }

    /// The endpoint's own.
    pub fn home(&self) -> &str {
        &self.home
    }

    /// The bucket's, as far as one knows.
    pub fn of(&self, bucket: &str) -> String {
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        found.get(bucket).unwrap_or(&self.home).clone()
    }

    /// Believes the first region that is told of a bucket, and no other after it: two servers that name each other would go on for ever.
    /// Keys of one partition of AWS are none in another, so a bucket is not looked for there.
    pub fn learn(&self, bucket: &str, told: &str) -> Learnt {
        let is_told = is_name(told) && told != self.home && partition(told) == partition(&self.home);
        let mut found = self.found.write().unwrap_or_else(PoisonError::into_inner);
        if !is_told || bucket.is_empty() || found.contains_key(bucket) {
            return Learnt::Nothing;
        }
        found.insert(bucket.to_owned(), told.to_owned());
        Learnt::New
    }
}

/// AWS's own endpoint of a region.
pub fn aws_url(region: &str) -> String {
    let suffix = if partition(region) == "cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://s3.{region}.{suffix}")
}

/// Whether a host is AWS's.
pub fn is_aws_host(host: &str) -> bool {
    split(host).is_some()
}

/// The same host of AWS's for another region; `None` for one that no region is part of, such as an endpoint in somebody's network.
pub fn host_in(host: &str, region: &str) -> Option<String> {
    let (labels, suffix) = split(host)?;
    let moved = match labels.as_slice() {
        ["s3"] => format!("s3.{region}"),
        [service @ ("s3" | "s3-fips"), _] => format!("{service}.{region}"),
        [service @ ("s3" | "s3-fips"), "dualstack", _] => format!("{service}.dualstack.{region}"),
        [old] if old_region(old).is_some() => format!("s3.{region}"),
        _ => return None,
    };
    Some(format!("{moved}.{suffix}"))
}

/// The region that an endpoint of AWS's is named after: `bucket.s3.eu-west-1.amazonaws.com`, `s3-eu-west-1.amazonaws.com`.
pub fn region_of_host(host: &str) -> Option<String> {
    let (labels, _) = split(host)?;
    let name = match labels.as_slice() {
        [.., "s3" | "s3-fips" | "s3-website" | "dualstack", region]
            if !matches!(*region, "s3" | "dualstack") =>
        {
            *region
        }
        [.., old] => old_region(old)?,
        [] => return None,
    };
    is_name(name).then(|| name.to_owned())
}

/// The region in a label of old, such as `s3-eu-west-1`. Others begin like that, too: `s3-accelerate`, `s3-external-1`.
fn old_region(label: &str) -> Option<&str> {
    let rest = label.strip_prefix("s3-")?;
    let name = ["fips-", "website-"].into_iter().find_map(|kind| rest.strip_prefix(kind)).unwrap_or(rest);
    let (place, number) = name.rsplit_once('-')?;
    (place.contains('-') && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(name)
}

/// The labels of a host before AWS's domain, and the domain.
fn split(host: &str) -> Option<(Vec<&str>, &'static str)> {
    let domains = ["amazonaws.com", "amazonaws.com.cn"];
    domains.into_iter().find_map(|domain| {
        let rest = host.strip_suffix(domain)?.strip_suffix('.')?;
        Some((rest.split('.').collect(), domain))
    })
}

/// Whether a text may be a region's name. Other servers than AWS call theirs what they like, but not like two labels of a host.
fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=NAME_LEN_MAX).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// Parts of AWS that share neither accounts nor keys.
fn partition(region: &str) -> &str {
    let apart = ["cn", "us-gov", "us-iso", "us-isob", "eu-isoe", "us-isof", "eusc"];
    let is_in = |name: &&str| region.strip_prefix(*name).is_some_and(|rest| rest.starts_with('-'));
    apart.into_iter().find(is_in).unwrap_or("aws")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_on_a_bucket_is_believed() {
        let regions = Regions::new("us-east-1".into());
        assert_eq!(regions.of("bucket"), "us-east-1");
        assert_eq!(regions.learn("bucket", "eu-west-1"), Learnt::New);
        assert_eq!(regions.learn("bucket", "us-west-2"), Learnt::Nothing);
        assert_eq!((regions.of("bucket").as_str(), regions.of("other").as_str()), ("eu-west-1", "us-east-1"));
        assert_eq!(regions.learn("other", "us-east-1"), Learnt::Nothing, "that is where it was looked for");
        assert_eq!(regions.learn("", "eu-west-1"), Learnt::Nothing);
    }

    #[test]
    fn a_region_that_leads_elsewhere_is_not_believed() {
        let regions = Regions::new("us-east-1".into());
        let long = "x".repeat(65);
        for told in
            ["", "evil.example/", "a.b", "a:b", "a@b", "a#", "é", &long, "cn-north-1", "us-gov-west-1"]
        {
            assert_eq!(regions.learn("bucket", told), Learnt::Nothing, "{told}");
        }
        assert_eq!(regions.of("bucket"), "us-east-1");
        assert_eq!(Regions::new("cn-north-1".into()).learn("bucket", "cn-northwest-1"), Learnt::New);
        assert_eq!(Regions::new("garage".into()).learn("bucket", "my_region"), Learnt::New);
    }

    #[test]
    fn hosts_of_aws_move_within_their_domain_and_others_do_not() {
        for (host, moved) in [
            ("s3.us-east-1.amazonaws.com", Some("s3.eu-west-1.amazonaws.com")),
            ("s3.amazonaws.com", Some("s3.eu-west-1.amazonaws.com")),
            ("s3-us-west-2.amazonaws.com", Some("s3.eu-west-1.amazonaws.com")),
            ("s3.dualstack.us-east-1.amazonaws.com", Some("s3.dualstack.eu-west-1.amazonaws.com")),
            ("s3-fips.us-east-1.amazonaws.com", Some("s3-fips.eu-west-1.amazonaws.com")),
            ("s3.cn-north-1.amazonaws.com.cn", Some("s3.eu-west-1.amazonaws.com.cn")),
            ("s3-accelerate.amazonaws.com", None),
            ("s3-accelerate.dualstack.amazonaws.com", None),
            ("s3-external-1.amazonaws.com", None),
            ("vpce-1.s3.us-east-1.vpce.amazonaws.com", None),
            ("s3.us-east-1.amazonaws.com.example", None),
            ("s3.us-east-1.evilamazonaws.com", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(host_in(host, "eu-west-1").as_deref(), moved, "{host}");
        }
        assert!(
            is_aws_host("s3.amazonaws.com") && !is_aws_host("amazonaws.com") && !is_aws_host("s3.example")
        );
        assert_eq!(aws_url("eu-west-1"), "https://s3.eu-west-1.amazonaws.com");
        assert_eq!(aws_url("cn-north-1"), "https://s3.cn-north-1.amazonaws.com.cn");
    }

    #[test]
    fn an_endpoint_tells_its_region() {
        for (host, region) in [
            ("bucket.s3.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("s3.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("bucket.with.dots.s3-eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("s3.dualstack.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("bucket.s3.dualstack.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("bucket.s3-fips.us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
            ("bucket.s3-fips.dualstack.us-east-1.amazonaws.com", Some("us-east-1")),
            ("s3-fips-us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
            ("bucket.s3-website-us-east-1.amazonaws.com", Some("us-east-1")),
            ("bucket.s3-website.eu-central-1.amazonaws.com", Some("eu-central-1")),
            ("bucket.s3-accelerate.amazonaws.com", None),
            ("bucket.s3-accelerate.dualstack.amazonaws.com", None),
            ("bucket.s3-external-1.amazonaws.com", None),
            ("bucket.s3.dualstack.amazonaws.com", None),
            ("bucket.s3.amazonaws.com", None),
            ("s3.amazonaws.com", None),
            ("s3.eu-west-1.example", None),
            ("", None),
        ] {
            assert_eq!(region_of_host(host).as_deref(), region, "{host}");
        }
    }
}
