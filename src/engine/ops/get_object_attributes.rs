//! GetObjectAttributes: an object's record, and its parts a page at a time.

use crate::engine::{Engine, Error, extents, objects};
use crate::meta::Read;
use crate::meta::keys::ContentId;
use crate::meta::records::{Body, PartRecord, VersionRecord};

#[derive(Clone, Debug, Default)]
pub struct GetObjectAttributes {
    pub bucket: String,
    pub key: String,
    /// Wire form, well-formed.
    pub version_id: Option<String>,
    /// The parts after this position, at most so many.
    pub parts: Option<(u16, usize)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    pub version: VersionRecord,
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
    engine
        .meta
        .read(move |read| {
            let bucket = objects::bucket(read, &request.bucket)?.id;
            let version = objects::version(read, bucket, &request.key, request.version_id.as_deref())?;
            let mut found = Attributes { version, parts_count: None, parts: Vec::new(), truncated: false };
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
