//! RestoreObject: nothing is ever archived, so whatever could be restored is restored already. Tools that restore before
//! they read go on; for objects of other storage classes the answer is AWS's.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html>

use crate::engine;
use crate::engine::ops::get_object::GetObject;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, document, not_implemented};
use crate::wire::error_code::ErrorCode;
use crate::wire::xml::{Document, Element, Malformed};
use http::StatusCode;

/// Classes of which AWS keeps an archived copy only.
const ARCHIVED: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

pub async fn restore_object(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    let bytes = document::read(&mut request, document::LEN_MAX).await?;
    if bytes.is_empty() {
        return Err(ErrorCode::MissingRequestBodyError.into());
    }
    if parse(&bytes)?.is_select {
        return Err(not_implemented(request.operation));
    }
    let asked = GetObject {
        bucket: request.bucket(),
        key: request.key(),
        version_id: request.version_id()?,
        asker: request.asker.clone(),
        ..GetObject::default()
    };
    let version = engine::ops::head_object::head_object(s3.engine(), asked).await?.version;
    let class = response::storage_class(version.metadata.storage_class.as_deref());
    if !ARCHIVED.contains(&class) {
        let message = "Restore is not allowed for the object's current storage class";
        return Err(S3Error::new(ErrorCode::InvalidObjectState, message).field("StorageClass", class));
    }
    Ok(response::empty(StatusCode::OK))
}

#[derive(Default)]
struct Restore {
    days: Option<u32>,
    is_select: bool,
}

fn parse(bytes: &[u8]) -> Result<Restore, Malformed> {
    let mut restore = Restore::default();
    let mut document = Document::new(bytes)?;
    let mut root = document.root(&["RestoreRequest"])?;
    while let Some(mut child) = root.next_child()? {
        match child.name() {
            "Days" => restore.days = Some(child.parsed()?),
            "Type" => restore.is_select = child.text_trimmed()? == "SELECT",
            "SelectParameters" | "OutputLocation" => restore.is_select = true,
            "Tier" => check_tier(&child.text_trimmed()?)?,
            "GlacierJobParameters" => check_job(&mut child)?,
            _ => {}
        }
    }
    match restore.days {
        Some(0) => Err(Malformed("a restore for no days".to_owned())),
        None if !restore.is_select => Err(Malformed("a restore without days".to_owned())),
        _ => Ok(restore),
    }
}

fn check_job(element: &mut Element<'_, '_>) -> Result<(), Malformed> {
    while let Some(mut child) = element.next_child()? {
        if child.name() == "Tier" {
            check_tier(&child.text_trimmed()?)?;
        }
    }
    Ok(())
}

fn check_tier(tier: &str) -> Result<(), Malformed> {
    match tier {
        "Standard" | "Bulk" | "Expedited" => Ok(()),
        _ => Err(Malformed("an unknown tier".to_owned())),
    }
}
