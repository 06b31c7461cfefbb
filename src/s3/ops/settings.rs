//! Settings of buckets that Dovetail could not follow. What says that such a feature is off is accepted, what would
//! switch it on is refused, after everything else that AWS would refuse has been: nothing is kept that nobody acts on.
//!
//! Reading them is `unset`'s.

use crate::engine;
use crate::meta::records::Versioning;
use crate::s3::document;
use crate::s3::error::S3Error;
use crate::s3::operation::Operation as O;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::s3::{S3, not_implemented};
use crate::wire::bucket_name;
use crate::wire::error_code::ErrorCode;
use crate::wire::xml::{Document, Element, Malformed};
use http::StatusCode;

/// The answer, if the request changes such a setting.
pub async fn answer(s3: &S3, request: &mut Request) -> Option<Result<Response, S3Error>> {
    Some(match request.operation {
        O::PutBucketNotificationConfiguration => notification(request).await,
        O::PutBucketLogging => logging(s3, request).await,
        O::PutBucketRequestPayment => request_payment(request).await,
        O::PutBucketReplication => replication(request).await,
        O::PutBucketAbac => abac(request).await,
        O::PutBucketAnalyticsConfiguration => with_id(request, "AnalyticsConfiguration").await,
        O::PutBucketInventoryConfiguration => with_id(request, "InventoryConfiguration").await,
        O::PutBucketMetricsConfiguration => with_id(request, "MetricsConfiguration").await,
        O::PutBucketIntelligentTieringConfiguration => {
            with_id(request, "IntelligentTieringConfiguration").await
        }
        O::DeleteBucketReplication
        | O::DeleteBucketAnalyticsConfiguration
        | O::DeleteBucketInventoryConfiguration
        | O::DeleteBucketMetricsConfiguration
        | O::DeleteBucketIntelligentTieringConfiguration => Ok(response::empty(StatusCode::NO_CONTENT)),
        _ => return None,
    })
}

fn accepted() -> Result<Response, S3Error> {
    Ok(response::empty(StatusCode::OK))
}

/// Events that can be asked for; a name that ends in `*` stands for a family.
const EVENTS: [&str; 29] = [
    "s3:ReducedRedundancyLostObject",
    "s3:ObjectCreated:*",
    "s3:ObjectCreated:Put",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete",
    "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:ObjectRestore:*",
    "s3:ObjectRestore:Post",
    "s3:ObjectRestore:Completed",
    "s3:ObjectRestore:Delete",
    "s3:Replication:*",
    "s3:Replication:OperationFailedReplication",
    "s3:Replication:OperationNotTracked",
    "s3:Replication:OperationMissedThreshold",
    "s3:Replication:OperationReplicatedAfterThreshold",
    "s3:LifecycleTransition",
    "s3:IntelligentTiering",
    "s3:ObjectAcl:Put",
    "s3:LifecycleExpiration:*",
    "s3:LifecycleExpiration:Delete",
    "s3:LifecycleExpiration:DeleteMarkerCreated",
    "s3:ObjectTagging:*",
    "s3:ObjectTagging:Put",
    "s3:ObjectTagging:Delete",
    "s3:ObjectAnnotation:*",
    "s3:TestEvent",
];

/// Nobody can be told of events: only no configuration at all is accepted, which is how one is removed.
async fn notification(request: &mut Request) -> Result<Response, S3Error> {
    let bytes = document::read(request, document::LEN_MAX).await?;
    let mut document = Document::new(&bytes)?;
    let mut root = document.root(&["NotificationConfiguration"])?;
    let mut destination = None;
    let mut has_event_bridge = false;
    while let Some(mut child) = root.next_child()? {
        match child.name() {
            "QueueConfiguration" | "TopicConfiguration" | "CloudFunctionConfiguration" => {
                destination = Some(notification_target(&mut child)?);
            }
            "EventBridgeConfiguration" => has_event_bridge = true,
            _ => {}
        }
    }
    let skips_check = request
        .header("x-amz-skip-destination-validation")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    match destination {
        Some(arn) if !skips_check => Err(S3Error::argument(
            "NotificationConfiguration",
            &arn,
            "Unable to validate the following destination configurations",
        )),
        None if !has_event_bridge => accepted(),
        _ => Err(not_implemented(request.operation)),
    }
}

/// The destination that one configuration names, once the rest of it is sound.
fn notification_target(element: &mut Element<'_, '_>) -> Result<String, S3Error> {
    let (mut arn, mut events) = (None, 0);
    while let Some(mut child) = element.next_child()? {
        match child.name() {
            "Queue" | "Topic" | "CloudFunction" => arn = Some(child.text_trimmed()?),
            "Event" => {
                events += 1;
                let event = child.text_trimmed()?;
                if !EVENTS.contains(&event.as_str()) {
                    return Err(S3Error::argument(
                        "Event",
                        &event,
                        "The event is not supported for notifications",
                    ));
                }
            }
            "Filter" => notification_filter(&mut child)?,
            _ => {}
        }
    }
    match arn {
        Some(arn) if events > 0 => Ok(arn),
        _ => Err(ErrorCode::MalformedXML.into()),
    }
}

fn notification_filter(element: &mut Element<'_, '_>) -> Result<(), S3Error> {
    while let Some(mut key) = element.next_child()? {
        if key.name() != "S3Key" {
            continue;
        }
        while let Some(mut rule) = key.next_child()? {
            while let Some(mut child) = rule.next_child()? {
                if child.name() != "Name" {
                    continue;
                }
                let name = child.text_trimmed()?;
                if !["prefix", "suffix"].iter().any(|known| name.eq_ignore_ascii_case(known)) {
                    return Err(S3Error::argument(
                        "FilterRule.Name",
                        &name,
                        "filter rule name must be either prefix or suffix",
                    ));
                }
            }
        }
    }
    Ok(())
}

/// No access logs are written, so a bucket for them is refused, after it has been looked for.
async fn logging(s3: &S3, request: &mut Request) -> Result<Response, S3Error> {
    let bytes = document::read(request, document::LEN_MAX).await?;
    let mut document = Document::new(&bytes)?;
    let mut root = document.root(&["BucketLoggingStatus"])?;
    let mut target = None;
    while let Some(mut child) = root.next_child()? {
        if child.name() == "LoggingEnabled" {
            target = Some(logging_target(&mut child)?);
        }
    }
    let Some(target) = target else { return accepted() };
    let refused = || S3Error::from(ErrorCode::InvalidTargetBucketForLogging).field("TargetBucket", &target);
    if !bucket_name::is_valid(&target) {
        return Err(refused());
    }
    match engine::ops::head_bucket::head_bucket(s3.engine(), &target).await {
        Ok(bucket) if request.caller.id() == Some(bucket.owner.as_str()) => {
            Err(not_implemented(request.operation))
        }
        Ok(_) | Err(engine::Error::NoSuchBucket) => Err(refused()),
        Err(err) => Err(err.into()),
    }
}

fn logging_target(element: &mut Element<'_, '_>) -> Result<String, Malformed> {
    let (mut bucket, mut prefix) = (None, None);
    while let Some(mut child) = element.next_child()? {
        match child.name() {
            "TargetBucket" => bucket = Some(child.text_trimmed()?),
            "TargetPrefix" => prefix = Some(child.text()?.into_owned()),
            _ => {}
        }
    }
    let (bucket, _) =
        bucket.zip(prefix).ok_or_else(|| Malformed("no target of logs, or no prefix".to_owned()))?;
    Ok(bucket)
}

/// Nobody pays here.
async fn request_payment(request: &mut Request) -> Result<Response, S3Error> {
    let bytes = document::read(request, document::LEN_MAX).await?;
    match enumerated(&bytes, "RequestPaymentConfiguration", "Payer", &["BucketOwner", "Requester"])? {
        "BucketOwner" => accepted(),
        _ => Err(not_implemented(request.operation)),
    }
}

/// There is nowhere to replicate to.
async fn replication(request: &mut Request) -> Result<Response, S3Error> {
    let bytes = document::read(request, document::LEN_MAX).await?;
    let mut document = Document::new(&bytes)?;
    let mut root = document.root(&["ReplicationConfiguration"])?;
    let (mut has_role, mut rules) = (false, 0);
    while let Some(mut child) = root.next_child()? {
        match child.name() {
            "Role" => has_role = !child.text_trimmed()?.is_empty(),
            "Rule" => {
                rules += 1;
                replication_rule(&mut child)?;
            }
            _ => {}
        }
    }
    if !has_role || rules == 0 {
        return Err(ErrorCode::MalformedXML.into());
    }
    if request.bucket_record()?.versioning != Versioning::Enabled {
        return Err(S3Error::invalid_request(
            "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
        ));
    }
    Err(not_implemented(request.operation))
}

fn replication_rule(element: &mut Element<'_, '_>) -> Result<(), Malformed> {
    let (mut status, mut has_destination) = (None, false);
    while let Some(mut child) = element.next_child()? {
        match child.name() {
            "Status" => status = Some(child.text_trimmed()?),
            "Destination" => has_destination = true,
            _ => {}
        }
    }
    match status.as_deref() {
        Some("Enabled" | "Disabled") if has_destination => Ok(()),
        _ => Err(Malformed("a rule without a status or a destination".to_owned())),
    }
}

async fn abac(request: &mut Request) -> Result<Response, S3Error> {
    let bytes = document::read(request, document::LEN_MAX).await?;
    match enumerated(&bytes, "AbacStatus", "Status", &["Enabled", "Disabled"])? {
        "Disabled" => accepted(),
        _ => Err(not_implemented(request.operation)),
    }
}

/// A configuration of which a bucket can have several, none of which does anything here.
async fn with_id(request: &mut Request, root: &str) -> Result<Response, S3Error> {
    let bytes = document::read(request, document::LEN_MAX).await?;
    let id = child_text(&bytes, root, "Id")?.ok_or(ErrorCode::MalformedXML)?;
    if Some(id.as_str()) != request.query.get("id") {
        return Err(ErrorCode::IdMismatch.into());
    }
    Err(not_implemented(request.operation))
}

/// The one of `values` that the child of a document's root has.
pub fn enumerated(
    bytes: &[u8],
    root: &str,
    child: &str,
    values: &[&'static str],
) -> Result<&'static str, S3Error> {
    let text = child_text(bytes, root, child)?.unwrap_or_default();
    values.iter().find(|value| **value == text).copied().ok_or_else(|| ErrorCode::MalformedXML.into())
}

fn child_text(bytes: &[u8], root: &str, wanted: &str) -> Result<Option<String>, Malformed> {
    let mut document = Document::new(bytes)?;
    let mut root = document.root(&[root])?;
    let mut text = None;
    while let Some(mut child) = root.next_child()? {
        if child.name() == wanted {
            text = Some(child.text_trimmed()?);
        }
    }
    Ok(text)
}
