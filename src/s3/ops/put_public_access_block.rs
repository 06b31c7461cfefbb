//! PutPublicAccessBlock: what is blocked in this bucket from now on.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html>

use crate::engine;
use crate::meta::records::PublicAccessBlockRecord;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, document};
use crate::wire::xml::{Document, Malformed};
use http::StatusCode;

pub async fn put_public_access_block(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    let bytes = document::read(&mut request, document::LEN_MAX).await?;
    let block = Some(parse(&bytes)?);
    let bucket = request.bucket();
    engine::ops::put_public_access_block::put_public_access_block(s3.engine(), bucket, block).await?;
    Ok(response::empty(StatusCode::OK))
}

/// What is not said is off, but something has to be said.
fn parse(bytes: &[u8]) -> Result<PublicAccessBlockRecord, Malformed> {
    let mut block = PublicAccessBlockRecord::default();
    let mut is_empty = true;
    let mut document = Document::new(bytes)?;
    let mut root = document.root(&["PublicAccessBlockConfiguration"])?;
    while let Some(mut child) = root.next_child()? {
        let slot = match child.name() {
            "BlockPublicAcls" => &mut block.block_public_acls,
            "IgnorePublicAcls" => &mut block.ignore_public_acls,
            "BlockPublicPolicy" => &mut block.block_public_policy,
            "RestrictPublicBuckets" => &mut block.restrict_public_buckets,
            _ => continue,
        };
        *slot = child.flag()?;
        is_empty = false;
    }
    if is_empty { Err(Malformed("a configuration that says nothing".to_owned())) } else { Ok(block) }
}
