//! Answers: request ids, XML documents, and the headers that every answer about an object has.

use crate::base::body::ResponseBody;
use crate::base::random;
use crate::meta::records::{Checksum, ChecksumKind, VersionRecord};
use crate::s3::object_lock;
use crate::wire::xml::{NAMESPACE, Writer};
use crate::wire::{checksum, etag, header_value, http_date};
use base64::Engine as _;
use bytes::Bytes;
use dovetail_digest::Algorithm;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http_body_util::{BodyExt as _, Empty, Full};

/// An answer.
pub type Response = http::Response<ResponseBody>;

pub const CHECKSUM_TYPE: HeaderName = HeaderName::from_static("x-amz-checksum-type");
pub const VERSION_ID: HeaderName = HeaderName::from_static("x-amz-version-id");
pub const DELETE_MARKER: HeaderName = HeaderName::from_static("x-amz-delete-marker");
pub const PARTS_COUNT: HeaderName = HeaderName::from_static("x-amz-mp-parts-count");
const STORAGE_CLASS: HeaderName = HeaderName::from_static("x-amz-storage-class");
const TAGGING_COUNT: HeaderName = HeaderName::from_static("x-amz-tagging-count");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const ID_2: HeaderName = HeaderName::from_static("x-amz-id-2");

/// What names a request, to the client and in the log.
#[derive(Clone, Debug)]
pub struct RequestId {
    request_id: String,
    host_id: String,
}

impl RequestId {
    pub fn random() -> RequestId {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let bytes = random::bytes::<64>();
        let request_id =
            bytes[..16].iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
        let host_id = base64::engine::general_purpose::STANDARD.encode(&bytes[16..]);
        RequestId { request_id, host_id }
    }

    /// 16 upper-case letters and digits.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Opaque; SDKs log it.
    pub fn host_id(&self) -> &str {
        &self.host_id
    }

    /// The headers that every answer has.
    pub fn stamp(&self, headers: &mut HeaderMap, now_ms: i64) {
        set(headers, REQUEST_ID, &self.request_id);
        set(headers, ID_2, &self.host_id);
        set(headers, header::DATE, &http_date::rfc1123(now_ms.div_euclid(1000)));
        headers.insert(header::SERVER, HeaderValue::from_static("Dovetail"));
    }
}

/// Sets a header. A value that no header can hold (a control character in stored metadata, say) is left out rather
/// than sent wrong.
pub fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(name, value);
    }
}

/// An answer without a body.
pub fn empty(status: StatusCode) -> Response {
    let mut response = http::Response::new(empty_body());
    *response.status_mut() = status;
    if status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    response
}

pub fn empty_body() -> ResponseBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A document whose root has S3's namespace.
pub fn document(root: &'static str) -> Writer {
    Writer::document(root, Some(NAMESPACE))
}

pub fn xml(document: Writer) -> Response {
    xml_with_status(StatusCode::OK, document)
}

pub fn xml_with_status(status: StatusCode, document: Writer) -> Response {
    whole(status, "application/xml", document.finish().into())
}

/// A document that is kept as it came.
pub fn json(text: String) -> Response {
    whole(StatusCode::OK, "application/json", text.into())
}

fn whole(status: StatusCode, content_type: &'static str, bytes: Bytes) -> Response {
    let mut response = empty(status);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    *response.body_mut() = Full::new(bytes).map_err(|never| match never {}).boxed_unsync();
    response
}

/// `ETag`, with its quotes.
pub fn set_etag(headers: &mut HeaderMap, bare: impl std::fmt::Display) {
    set(headers, header::ETAG, &etag::quote(&bare.to_string()));
}

pub fn set_version_id(headers: &mut HeaderMap, version_id: Option<&str>) {
    if let Some(id) = version_id {
        set(headers, VERSION_ID, id);
    }
}

/// The headers of an object that a 304 has too.
pub fn set_validators(headers: &mut HeaderMap, version: &VersionRecord) {
    set_etag(headers, version.etag);
    set(headers, header::LAST_MODIFIED, &http_date::rfc1123(version.modified_ms.div_euclid(1000)));
    set_version_id(headers, version.version_id.as_deref());
}

/// Everything that GetObject and HeadObject say about an object, but its length, range and checksum.
pub fn set_object(headers: &mut HeaderMap, version: &VersionRecord) {
    set_validators(headers, version);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("binary/octet-stream"));
    for (name, value) in &version.metadata.headers {
        if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
            set(headers, name, value);
        }
    }
    for (name, value) in &version.metadata.user {
        if let Ok(name) = HeaderName::from_bytes(format!("x-amz-meta-{name}").as_bytes()) {
            set(headers, name, &header_value::encode(value));
        }
    }
    if let Some(class) = &version.metadata.storage_class {
        set(headers, STORAGE_CLASS, class);
    }
    object_lock::set(headers, version);
    if !version.metadata.tags.is_empty() {
        headers.insert(TAGGING_COUNT, HeaderValue::from(version.metadata.tags.len()));
    }
}

/// A checksum in words: its algorithm and its value as headers and XML write it.
pub struct ChecksumText {
    pub algorithm: Algorithm,
    /// Base64 of the digest, with `-N` when `parts` was given and the checksum is composite.
    pub value: String,
    pub kind: &'static str,
}

impl ChecksumText {
    /// `parts` is the number of parts that a composite checksum is over. `None` if the algorithm is not known to this
    /// version of Dovetail, which then cannot name it.
    pub fn new(checksum: &Checksum, parts: Option<u16>) -> Option<ChecksumText> {
        let algorithm = Algorithm::from_name(&checksum.algorithm)?;
        let mut value = base64::engine::general_purpose::STANDARD.encode(&checksum.value);
        if let (ChecksumKind::Composite, Some(parts)) = (checksum.kind, parts) {
            value.push_str(&format!("-{parts}"));
        }
        Some(ChecksumText { algorithm, value, kind: kind_name(checksum.kind) })
    }

    /// The checksum's header and `x-amz-checksum-type`.
    pub fn set(&self, headers: &mut HeaderMap) {
        self.set_value(headers);
        headers.insert(CHECKSUM_TYPE, HeaderValue::from_static(self.kind));
    }

    /// The checksum's header alone.
    pub fn set_value(&self, headers: &mut HeaderMap) {
        set(headers, HeaderName::from_static(checksum::header_name(self.algorithm)), &self.value);
    }

    /// The checksum's element alone.
    pub fn write(&self, document: &mut Writer) {
        document.text(checksum::element_name(self.algorithm), &self.value);
    }
}

pub fn kind_name(kind: ChecksumKind) -> &'static str {
    match kind {
        ChecksumKind::FullObject => "FULL_OBJECT",
        ChecksumKind::Composite => "COMPOSITE",
    }
}

/// `<Name><ID/><DisplayName/></Name>`: an owner or an initiator.
pub fn write_owner(document: &mut Writer, element: &'static str, id: &str, display_name: Option<&str>) {
    document.open(element).text("ID", id).text_optional("DisplayName", display_name).close();
}

pub fn storage_class(class: Option<&str>) -> &str {
    class.unwrap_or("STANDARD")
}
