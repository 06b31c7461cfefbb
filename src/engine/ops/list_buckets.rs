//! ListBuckets: the buckets of one owner, in the order of their names.

use crate::engine::{Engine, Error};
use crate::meta::records::{BucketRecord, Record};
use crate::meta::{Read, Step, Table};

/// Which buckets to list.
#[derive(Clone, Debug)]
pub struct ListBuckets {
    /// Canonical id.
    pub owner: String,
    /// Only names that start with this.
    pub prefix: String,
    /// Only names greater than this.
    pub after: Option<String>,
    /// Entries on the page.
    pub max: usize,
}

/// A page of names with their records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketPage {
    pub buckets: Vec<(String, BucketRecord)>,
    /// What `after` has to be for the next page; `None` when there is none.
    pub next: Option<String>,
}

pub async fn list_buckets(engine: &Engine, request: ListBuckets) -> Result<BucketPage, Error> {
    engine.meta.read(move |read| page(read, &request)).await
}

fn page(read: &dyn Read, request: &ListBuckets) -> Result<BucketPage, Error> {
    let mut page = BucketPage::default();
    let mut failure = None;
    read.scan(Table::Buckets, start(request).as_bytes(), &mut |stored, value| {
        if !stored.starts_with(request.prefix.as_bytes()) {
            return Step::Stop;
        }
        match BucketRecord::decode(value) {
            Ok(record) if record.owner != request.owner => return Step::Next,
            Ok(_) if page.buckets.len() == request.max => {
                page.next = page.buckets.last().map(|(name, _)| name.clone());
            }
            Ok(record) => {
                page.buckets.push((String::from_utf8_lossy(stored).into_owned(), record));
                return Step::Next;
            }
            Err(err) => failure = Some(err),
        }
        Step::Stop
    })?;
    failure.map_or(Ok(page), |err| Err(err.into()))
}

fn start(request: &ListBuckets) -> String {
    match &request.after {
        Some(after) if *after >= request.prefix => format!("{after}\0"),
        _ => request.prefix.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ops::create_bucket::{CreateBucket, create_bucket};
    use crate::engine::testing::{BUCKET, Fixture, OWNER};

    #[tokio::test]
    async fn pages_show_the_owners_buckets_in_order() {
        let fixture = Fixture::new().await;
        for (name, owner) in
            [("aaa", OWNER), ("bua", "other"), ("bub", OWNER), ("zzz", OWNER), ("zzzz", "other")]
        {
            let bucket = CreateBucket { name: name.into(), owner: owner.into(), ..CreateBucket::default() };
            create_bucket(&fixture.engine, bucket).await.unwrap();
        }
        let list = async |prefix: &str, after: Option<&str>, max| {
            let (owner, prefix, after) = (OWNER.to_string(), prefix.to_string(), after.map(str::to_string));
            let page =
                list_buckets(&fixture.engine, ListBuckets { owner, prefix, after, max }).await.unwrap();
            let names: Vec<_> = page.buckets.into_iter().map(|(name, _)| name).collect();
            (names.join(" "), page.next.unwrap_or_default())
        };
        let page = |names: &str, next: &str| (names.to_string(), next.to_string());
        assert_eq!(list("", None, 10).await, page("aaa bub bucket zzz", ""));
        assert_eq!(list("", None, 2).await, page("aaa bub", "bub"));
        assert_eq!(list("", Some("bub"), 2).await, page("bucket zzz", ""), "what is not shown makes no page");
        assert_eq!(list("bu", None, 1).await, page("bub", "bub"));
        assert_eq!(list("bu", Some("bub"), 1).await, page(BUCKET, ""));
        assert_eq!(list("bu", Some("a"), 5).await, page("bub bucket", ""));
        assert_eq!(list("bu", Some("c"), 5).await, page("", ""));
    }
}
