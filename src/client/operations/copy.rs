//! Copying on the server: no byte passes through here.

use std::sync::Arc;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use http::{HeaderMap, HeaderValue};
use tokio_util::sync::CancellationToken;

use crate::base::limits::PART_LEN_MAX;
use crate::client::address::Address;
use crate::client::endpoint::Endpoint;
use crate::client::error::Error;
use crate::client::operations::multipart::composite_etag;
use crate::client::operations::requests::{ObjectHead, Written};
use crate::client::plan::Plan;
use crate::wire::copy_source::CopySource;
use crate::wire::limits::Limits;
use crate::wire::percent;

/// A larger object is copied in parts of this length, so that no single request takes too long.
const COPY_PART_LEN: u64 = 1 << 30;
/// Parts copied side by side.
const COPIES_AT_ONCE: usize = 8;
/// What describes an object, besides its metadata. It is not copied by itself when it is copied in parts.
pub const KEPT_HEADERS: [&str; 6] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
];

/// Copies an object with its metadata and tags; its length. `headers` say how the copy is encrypted. Once `stop` is cancelled it ends
/// soon, and leaves no open upload.
pub async fn copy(
    endpoint: &Arc<Endpoint>,
    from: &Address,
    to: &Address,
    headers: &HeaderMap,
    stop: &CancellationToken,
) -> Result<(u64, Written), Error> {
    let source =
        CopySource { bucket: from.bucket.clone(), key: from.key.clone(), version_id: from.version.clone() };
    if !from.has_url() {
        let len = unless(stop, listed_len(endpoint, from)).await?;
        return Ok((len, unless(stop, endpoint.copy_object(&source, to, headers)).await?));
    }
    let head = unless(stop, endpoint.look_at_copy_source(from)).await?;
    if head.len <= PART_LEN_MAX {
        return Ok((head.len, unless(stop, endpoint.copy_object(&source, to, headers)).await?));
    }
    let mut described = kept(&head.headers);
    let tags = unless(stop, endpoint.object_tags(from)).await?;
    if !tags.is_empty()
        && let Ok(value) = HeaderValue::from_str(&tag_header(&tags))
    {
        described.insert("x-amz-tagging", value);
    }
    described.extend(headers.clone());
    let upload_id = endpoint.create_copy_upload(to, &described).await?;
    let plan = Plan::new(head.len, Some(COPY_PART_LEN), &Limits::default())?;
    let copied = stream::iter(plan.parts())
        .map(|part| {
            let (source, etag, upload_id) = (&source, &head.etag, &upload_id);
            async move {
                let etag = endpoint.copy_part(source, etag, to, upload_id, part).await?;
                Ok::<_, Error>((part.number, etag))
            }
        })
        .buffered(COPIES_AT_ONCE)
        .try_collect::<Vec<_>>();
    let written = match unless(stop, copied).await {
        Ok(parts) => complete(endpoint, to, &upload_id, &parts, &head).await,
        Err(error) => Err(error),
    };
    if written.is_err() {
        // Nothing of it is worth keeping: copying costs no transfer.
        let _ = endpoint.abort_upload(to, &upload_id).await;
    }
    Ok((head.len, written?))
}

/// Joins the parts. If the upload is gone, an earlier request may have joined them, and its answer was lost: then the object is the copy.
async fn complete(
    endpoint: &Endpoint,
    to: &Address,
    upload_id: &str,
    parts: &[(u16, String)],
    source: &ObjectHead,
) -> Result<Written, Error> {
    let gone = match endpoint.complete_copy(to, upload_id, parts).await {
        Err(error) if error.is_no_such_upload() => error,
        completed => return completed,
    };
    let head = match endpoint.head_object(to).await {
        Err(error) if error.is_not_found() => return Err(gone),
        head => head?,
    };
    match is_copy(&head, parts, source) {
        true => Ok(Written { etag: head.etag, checksum: head.checksum }),
        false => Err(gone),
    }
}

/// Whether an object is what these copied parts join to, by its ETag or by its checksum.
fn is_copy(head: &ObjectHead, parts: &[(u16, String)], source: &ObjectHead) -> bool {
    let etag = composite_etag(parts.iter().map(|(_, etag)| etag.as_str()));
    let has_etag = etag.is_some_and(|etag| etag == head.etag);
    let has_checksum = head.checksum.is_some_and(|checksum| {
        checksum.part_count.is_none() && source.checksum.is_some_and(|of_source| of_source == checksum)
    });
    head.len == source.len && (has_etag || has_checksum)
}

/// The length of an object that cannot be looked at, because no URL names it. A header names what is copied.
async fn listed_len(endpoint: &Endpoint, address: &Address) -> Result<u64, Error> {
    let page = endpoint.list_objects(address, None, None).await?;
    // A key is the first of those that begin with it.
    let found = page.objects.into_iter().find(|object| object.key == address.key);
    let found = found.ok_or_else(|| Error::Incomplete(format!("there is no object {address}")))?;
    match found.len <= PART_LEN_MAX {
        true => Ok(found.len),
        false => Err(Error::Usage(format!("{address} is too long to be copied without being looked at"))),
    }
}

async fn unless<T>(
    stop: &CancellationToken,
    job: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(Error::Interrupted),
        done = job => done,
    }
}

/// Tags as a request brings them along.
fn tag_header(tags: &[(String, String)]) -> String {
    let encoded = |text: &str| percent::encode(text.as_bytes()).into_owned();
    let pairs: Vec<String> =
        tags.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
    pairs.join("&")
}

fn kept(headers: &HeaderMap) -> HeaderMap {
    let is_kept = |name: &str| KEPT_HEADERS.contains(&name) || name.starts_with("x-amz-meta-");
    headers
        .iter()
        .filter(|(name, _)| is_kept(name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_go_along_as_a_query_would() {
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(tag_header(&[tag("a b", "1=2&3"), tag("ü", "")]), "a%20b=1%3D2%263&%C3%BC=");
    }
}
