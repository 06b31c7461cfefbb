//! GetObjectAcl: an object's owner and who else may do what with it.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html>

use crate::engine::access::acl;
use crate::engine::access::lists::Asker;
use crate::engine::named_bucket::NamedBucket;
use crate::engine::objects::{self, Found};
use crate::engine::{Engine, Error};
use crate::meta::records::Grant;

/// The object or one of its versions.
#[derive(Clone, Debug, Default)]
pub struct GetObjectAcl {
    pub bucket: NamedBucket,
    pub key: String,
    /// Wire form, well-formed.
    pub version_id: Option<String>,
    /// Judged on the version that is found, where its list has a say.
    pub asker: Option<Asker>,
}

/// A list as it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectAcl {
    /// Canonical id.
    pub owner: String,
    pub grants: Vec<Grant>,
    /// The version's id as the client is told it.
    pub shown_id: Option<String>,
}

pub async fn get_object_acl(engine: &Engine, request: GetObjectAcl) -> Result<ObjectAcl, Error> {
    engine
        .meta
        .read(move |read| {
            let bucket = request.bucket.find(read)?;
            let Found { version, shown_id } =
                objects::version(read, &bucket, &request.key, request.version_id.as_deref())?;
            if let Some(asker) = &request.asker {
                asker.check(&bucket, &version)?;
            }
            let owner = acl::owner_of(&bucket, &version).to_string();
            let acl = version.acl.as_ref().filter(|_| !acl::is_disabled(&bucket));
            Ok(ObjectAcl { grants: acl::entries(&owner, acl), owner, shown_id })
        })
        .await
}
