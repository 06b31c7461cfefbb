//! PutBucketTagging: replaces a bucket's tags. Those of a set without any are gone, as after DeleteBucketTagging.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html>

use crate::engine::bucket_documents;
use crate::meta::records::TagsRecord;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, document, tags};
use http::StatusCode;

pub async fn put_bucket_tagging(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    let bytes = document::read(&mut request, tags::DOCUMENT_LEN_MAX).await?;
    let tags = tags::of_bucket(&bytes)?;
    if tags.is_empty() {
        bucket_documents::delete::<TagsRecord>(s3.engine(), request.bucket()).await?;
    } else {
        bucket_documents::put(s3.engine(), request.bucket(), TagsRecord { tags }).await?;
    }
    Ok(response::empty(StatusCode::NO_CONTENT))
}
