//! The versions of objects: what a bucket keeps under a key besides the newest.

use http::Method;

use crate::client::address::Address;
use crate::client::answers::{add_prefixes, decoded, time};
use crate::client::endpoint::Endpoint;
use crate::client::endpoint::call::Call;
use crate::client::error::Error;
use crate::wire::xml::{Document, Element, Malformed};

/// A version, or a delete marker, which stands for no object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedVersion {
    pub key: String,
    /// `null` for what was written without versions.
    pub id: String,
    pub is_latest: bool,
    pub is_delete_marker: bool,
    pub len: u64,
    /// Without quotes; empty of a delete marker.
    pub etag: String,
    /// In Unix seconds.
    pub modified_s: i64,
}

/// Where the next page begins: key marker and version id marker.
pub type VersionMarker = (String, String);

/// One page of ListObjectVersions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionPage {
    /// By key, then newest first.
    pub versions: Vec<ListedVersion>,
    pub prefixes: Vec<String>,
    pub next: Option<VersionMarker>,
}

impl Endpoint {
    /// A page of versions under a prefix; with `delimiter`, what is below it is one entry.
    pub async fn list_versions(
        &self,
        prefix: &Address,
        delimiter: Option<&str>,
        marker: Option<&VersionMarker>,
    ) -> Result<VersionPage, Error> {
        let doing = format!("list the versions of {prefix}");
        let mut call = Call::new(doing, Method::GET, &prefix.bucket, "")
            .query("versions", "")
            .query("encoding-type", "url")
            .query("prefix", &prefix.key);
        if let Some(delimiter) = delimiter {
            call = call.query("delimiter", delimiter);
        }
        if let Some((key, id)) = marker {
            call = call.query("key-marker", key);
            // After a prefix there is no version to begin with.
            if !id.is_empty() {
                call = call.query("version-id-marker", id);
            }
        }
        self.parsed(&call, version_page).await
    }
}

fn version_page(body: &[u8]) -> Result<VersionPage, Malformed> {
    let mut document = Document::new(body)?;
    let mut root = document.root(&["ListVersionsResult"])?;
    let mut page = VersionPage::default();
    let (mut is_truncated, mut is_encoded) = (false, false);
    let (mut key_marker, mut id_marker) = (String::new(), String::new());
    while let Some(mut field) = root.next_child()? {
        match field.name() {
            "Version" => page.versions.push(version(&mut field, false)?),
            "DeleteMarker" => page.versions.push(version(&mut field, true)?),
            "CommonPrefixes" => add_prefixes(&mut field, &mut page.prefixes)?,
            "IsTruncated" => is_truncated = field.flag()?,
            "EncodingType" => is_encoded = !field.text_trimmed()?.is_empty(),
            "NextKeyMarker" => key_marker = field.text()?.into_owned(),
            "NextVersionIdMarker" => id_marker = field.text_trimmed()?,
            _ => {}
        }
    }
    if is_encoded {
        page.versions.iter_mut().for_each(|version| version.key = decoded(&version.key));
        page.prefixes.iter_mut().for_each(|prefix| *prefix = decoded(prefix));
        key_marker = decoded(&key_marker);
    }
    page.next = is_truncated.then_some((key_marker, id_marker));
    Ok(page)
}

fn version(entry: &mut Element<'_, '_>, is_delete_marker: bool) -> Result<ListedVersion, Malformed> {
    let mut found = ListedVersion { is_delete_marker, ..ListedVersion::default() };
    while let Some(mut field) = entry.next_child()? {
        match field.name() {
            "Key" => found.key = field.text()?.into_owned(),
            "VersionId" => found.id = field.text_trimmed()?,
            "IsLatest" => found.is_latest = field.flag()?,
            "Size" => found.len = field.parsed()?,
            "ETag" => found.etag = crate::wire::etag::unquote(&field.text()?).to_owned(),
            "LastModified" => found.modified_s = time(&mut field)?,
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions_and_delete_markers_in_their_order() {
        let body = br#"<ListVersionsResult><IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>
<NextKeyMarker>a%2Bb</NextKeyMarker><NextVersionIdMarker>v1</NextVersionIdMarker>
<DeleteMarker><Key>a%2Bb</Key><VersionId>v3</VersionId><IsLatest>true</IsLatest>
<LastModified>2026-01-01T00:00:01.000Z</LastModified></DeleteMarker>
<Version><Key>a%2Bb</Key><VersionId>v2</VersionId><IsLatest>false</IsLatest>
<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"e"</ETag><Size>3</Size></Version>
<CommonPrefixes><Prefix>p%0A/</Prefix></CommonPrefixes></ListVersionsResult>"#;
        let page = version_page(body).unwrap();
        let [marker, version] = &page.versions[..] else { panic!("{page:?}") };
        assert_eq!((marker.key.as_str(), marker.id.as_str(), marker.is_delete_marker), ("a+b", "v3", true));
        assert!(marker.is_latest && !version.is_latest && !version.is_delete_marker);
        assert_eq!((version.id.as_str(), version.len, version.etag.as_str()), ("v2", 3, "e"));
        assert_eq!(marker.modified_s - version.modified_s, 1);
        assert_eq!((page.prefixes[0].as_str(), page.next), ("p\n/", Some(("a+b".into(), "v1".into()))));
        assert_eq!(version_page(b"<ListVersionsResult/>").unwrap(), VersionPage::default());
    }
}
