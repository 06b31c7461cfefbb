//! Reads of configuration that Dovetail does not have: what S3 answers while such a feature is off. Clients and
//! Terraform read all of them when they start or refresh. Setting one is `settings`' business, or refused.

use crate::s3::error::S3Error;
use crate::s3::operation::Operation as O;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::wire::error_code::ErrorCode as E;
use crate::wire::xml::Writer;

/// The answer, if the request is such a read.
pub fn answer(request: &Request) -> Option<Result<Response, S3Error>> {
    Some(match document(request.operation)? {
        Unset::Document(document) => Ok(response::xml(document)),
        Unset::Missing(code) => Err(code.into()),
    })
}

enum Unset {
    Document(Writer),
    Missing(E),
}

fn document(operation: O) -> Option<Unset> {
    let empty = |root| Unset::Document(response::document(root));
    Some(match operation {
        O::GetBucketNotificationConfiguration => empty("NotificationConfiguration"),
        O::GetBucketLogging => empty("BucketLoggingStatus"),
        O::GetBucketRequestPayment => with("RequestPaymentConfiguration", |document| {
            document.text("Payer", "BucketOwner");
        }),
        O::GetBucketAbac => with("AbacStatus", |document| {
            document.text("Status", "Disabled");
        }),
        O::ListBucketAnalyticsConfigurations => empty_list("ListBucketAnalyticsConfigurationResult"),
        O::ListBucketInventoryConfigurations => empty_list("ListInventoryConfigurationsResult"),
        O::ListBucketMetricsConfigurations => empty_list("ListMetricsConfigurationsResult"),
        O::ListBucketIntelligentTieringConfigurations => {
            empty_list("ListBucketIntelligentTieringConfigurationsOutput")
        }
        O::GetBucketReplication => Unset::Missing(E::ReplicationConfigurationNotFoundError),
        O::GetBucketAnalyticsConfiguration
        | O::GetBucketInventoryConfiguration
        | O::GetBucketMetricsConfiguration
        | O::GetBucketIntelligentTieringConfiguration
        | O::GetBucketMetadataConfiguration
        | O::GetBucketMetadataTableConfiguration => Unset::Missing(E::NoSuchConfiguration),
        _ => return None,
    })
}

fn with(root: &'static str, fill: impl FnOnce(&mut Writer)) -> Unset {
    let mut document = response::document(root);
    fill(&mut document);
    Unset::Document(document)
}

fn empty_list(root: &'static str) -> Unset {
    with(root, |document| {
        document.flag("IsTruncated", false);
    })
}
