//! GetObjectAttributes: an object's record, and its parts a page at a time.

use crate::engine::access::lists::Asker;
use crate::engine::encryption::{self, CustomerKey};
use crate::engine::named_bucket::NamedBucket;
use crate::engine::objects::{self, Found};
use crate::engine::{Engine, Error, extents};
use crate::meta::Read;
use crate::meta::keys::ContentId;
use crate::meta::records::{Body, PartRecord, VersionRecord};
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub struct GetObjectAttributes {
    pub bucket: NamedBucket,
    pub key: String,
    /// Wire form, well-formed.
    pub version_id: Option<String>,
    /// The parts after this position, at most so many.
    pub parts: Option<(u16, usize)>,
    pub customer_key: Option<CustomerKey>,
    /// Judged on the version that is found, where its list has a say.
    pub asker: Option<Asker>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    pub version: VersionRecord,
    /// The version's id as the client is told it: nothing while the bucket has never had versions.
    pub shown_id: Option<String>,
    /// Of a multipart object.
    pub parts_count: Option<u16>,
    /// Positions in the completed list, from 1, which GetObject takes as part numbers.
    pub parts: Vec<(u16, PartRecord)>,
    /// There are parts after these.
    pub truncated: bool,
}

pub async fn get_object_attributes(
    engine: &Engine,
    request: GetObjectAttributes,
) -> Result<Attributes, Error> {
    let keyring = Arc::clone(&engine.settings.keyring);
    engine
        .meta
        .read(move |read| {
            let bucket = request.bucket.find(read)?;
            let Found { version, shown_id } =
                objects::version(read, &bucket, &request.key, request.version_id.as_deref())?;
            if let Some(asker) = &request.asker {
                asker.check(&bucket, &version)?;
            }
            encryption::check(&keyring, version.encryption.as_ref(), request.customer_key.as_ref())?;
            let mut found =
                Attributes { version, shown_id, parts_count: None, parts: Vec::new(), truncated: false };
            if let (Some((after, max)), Body::Multipart(content)) = (request.parts, found.version.body) {
                add_parts(read, content, after, max, &mut found)?;
            }
            Ok(found)
        })
        .await
}

fn add_parts(
    read: &dyn Read,
    content: ContentId,
    after: u16,
    max: usize,
    found: &mut Attributes,
) -> Result<(), Error> {
    let index = extents::index(read, content)?;
    found.parts_count = Some(index.parts);
    let wanted = usize::from(index.parts.saturating_sub(after)).min(max);
    if wanted > 0 {
        extents::scan_positions(read, content, &index, after + 1, &mut |position, part| {
            found.parts.push((position, part.part));
            found.parts.len() < wanted
        })?;
    }
    found.truncated = usize::from(after) + found.parts.len() < usize::from(index.parts) && max > 0;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{BUCKET, Fixture, pattern};

    #[tokio::test]
    async fn pages_of_parts_go_by_position() {
        let fixture = Fixture::new().await;
        let parts: Vec<_> = (1..=150).map(|number| (number * 5, pattern(u64::from(number), 10))).collect();
        fixture.put_multipart("key", &parts).await;
        let ask = async |key: &str, parts: Option<(u16, usize)>| {
            let (bucket, key) = (BUCKET.into(), key.into());
            let request = GetObjectAttributes { bucket, key, parts, ..GetObjectAttributes::default() };
            get_object_attributes(&fixture.engine, request).await.unwrap()
        };
        for (after, max, expected, truncated) in [
            (0, 1000, 1..=150, false),
            (0, 149, 1..=149, true),
            (0, 150, 1..=150, false),
            (63, 3, 64..=66, true),
            (64, 2, 65..=66, true),
            (100, 1000, 101..=150, false),
            (149, 1, 150..=150, false),
        ] {
            let found = ask("key", Some((after, max))).await;
            assert_eq!(found.parts_count, Some(150));
            let positions: Vec<u16> = found.parts.iter().map(|(position, _)| *position).collect();
            assert_eq!(positions, expected.clone().collect::<Vec<_>>(), "{max} after {after}");
            assert_eq!(found.truncated, truncated, "{max} after {after}");
            for (position, part) in found.parts {
                assert_eq!(part.md5, dovetail_digest::md5(&parts[usize::from(position) - 1].1));
            }
        }
        for after in [150, 151, u16::MAX] {
            let found = ask("key", Some((after, 10))).await;
            assert_eq!((found.parts, found.truncated), (vec![], false));
        }
        fixture.put_inline("small", b"bytes").await;
        let found = ask("small", Some((0, 10))).await;
        assert_eq!((found.parts_count, found.parts, found.truncated), (None, vec![], false));
    }
}
