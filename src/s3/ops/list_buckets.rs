//! ListBuckets: the buckets of whoever asks.

use crate::engine;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::listing::{self, Token};
use crate::s3::request::Request;
use crate::s3::response::{self, Response};
use crate::wire::error_code::ErrorCode;

/// Entries on a page, and the highest `max-buckets`.
const MAX_BUCKETS: u32 = 10_000;

pub async fn list_buckets(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let (user, query) = (request.user()?, &request.query);
    let max = listing::number(query, "max-buckets", "maxBuckets")?.unwrap_or(MAX_BUCKETS);
    if !(1..=MAX_BUCKETS).contains(&max) {
        return Err(S3Error::argument(
            "maxBuckets",
            &max.to_string(),
            format!("Argument max-buckets must be an integer between 1 and {MAX_BUCKETS}"),
        ));
    }
    let after = match query.get_nonempty("continuation-token").map(Token::decode).transpose()? {
        Some(Token::Key(name) | Token::Prefix(name)) => Some(name),
        None => None,
    };
    let is_elsewhere = match query.get_nonempty("bucket-region") {
        Some(region) if region != s3.region() && !is_region(region) => {
            return Err(S3Error::argument(
                "bucket-region",
                region,
                "Argument value is not a valid AWS Region",
            ));
        }
        Some(region) => region != s3.region(),
        None => false,
    };
    let prefix = listing::prefix(query);
    let asked = engine::ops::list_buckets::ListBuckets {
        owner: user.id.clone(),
        prefix: prefix.clone(),
        after,
        max: max as usize,
    };
    let page = match is_elsewhere {
        true => engine::ops::list_buckets::BucketPage::default(),
        false => engine::ops::list_buckets::list_buckets(s3.engine(), asked).await?,
    };

    let mut document = response::document("ListAllMyBucketsResult");
    response::write_owner(&mut document, "Owner", &user.id, Some(&user.display_name));
    document.open("Buckets");
    for (name, bucket) in &page.buckets {
        document
            .open("Bucket")
            .text("Name", name)
            .time("CreationDate", bucket.created_ms.div_euclid(1000))
            .text("BucketRegion", s3.region())
            .text("BucketArn", &arn(name))
            .close();
    }
    document.close();
    let next = page.next.map(|name| Token::Key(name).encode());
    document.text_optional("ContinuationToken", next.as_deref());
    document.text_optional("Prefix", query.get("prefix"));
    Ok(response::xml(document))
}

pub fn arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

/// Whether a name looks like a region: `eu-west-1`, `us-gov-east-1`.
pub fn is_region(name: &str) -> bool {
    let words: Vec<&str> = name.split('-').collect();
    let [words @ .., number] = &words[..] else { return false };
    words.len() >= 2
        && words.iter().all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The error of a region that is not this gateway's.
pub fn wrong_region(region: &str) -> S3Error {
    if is_region(region) || region == "EU" {
        let message = format!(
            "The {region} location constraint is incompatible for the region specific endpoint this request was sent to."
        );
        S3Error::new(ErrorCode::IllegalLocationConstraintException, message)
    } else {
        S3Error::from(ErrorCode::InvalidLocationConstraint).field("LocationConstraint", region)
    }
}
