//! ListObjectsV2: the same pages as version 1, with opaque tokens.

use super::list_objects::Listing;
use crate::engine::ops::list_objects::ListAfter;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::listing::Token;
use crate::s3::request::Request;
use crate::s3::response::{self, Response};

pub async fn list_objects_v2(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let listing = Listing::parse(&request)?;
    let query = &request.query;
    let token = query.get("continuation-token");
    let start_after = query.get("start-after");
    // A token wins over start-after. An empty one counts as absent and is echoed all the same.
    let after = match token.filter(|token| !token.is_empty()).map(Token::decode).transpose()? {
        Some(Token::Key(key)) => Some(ListAfter::Key(key)),
        Some(Token::Prefix(prefix)) => Some(ListAfter::Prefix(prefix)),
        None => query.get_nonempty("start-after").map(|key| ListAfter::Key(key.to_owned())),
    };
    let page = listing.page(s3, &request, after).await?;
    let next = page.next.as_ref().map(|next| match next {
        ListAfter::Key(key) => Token::Key(key.clone()).encode(),
        ListAfter::Prefix(prefix) => Token::Prefix(prefix.clone()).encode(),
    });

    let mut document = response::document("ListBucketResult");
    listing.write_head(&mut document, &request);
    document.text_optional("ContinuationToken", token);
    document.text_optional("NextContinuationToken", next.as_deref());
    if let Some(key) = start_after {
        document.text("StartAfter", &listing.encoding.text(key));
    }
    document.number("KeyCount", page.entries.len() as u64);
    let with_owner = query.get("fetch-owner") == Some("true");
    listing.write_rest(&mut document, s3, &page, with_owner);
    Ok(response::xml(document))
}
