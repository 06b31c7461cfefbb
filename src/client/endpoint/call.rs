//! A request and its answer as values, before anything about connections or keys.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};

use crate::client::address::Address;
use crate::client::endpoint::connection::IDLE_TIMEOUT;
use crate::client::endpoint::send_body::Framing;
use crate::client::source::Source;
use crate::wire::percent;

/// A request.
#[derive(Clone, Debug)]
pub struct Call {
    /// For messages: "upload part 7 of s3://bucket/key".
    pub doing: String,
    pub method: Method,
    /// Empty for the list of buckets.
    pub bucket: String,
    /// Empty for requests about the bucket.
    pub key: String,
    /// Names and values, not encoded.
    pub query: Vec<(&'static str, String)>,
    pub headers: HeaderMap,
    pub body: Payload,
    /// How long nothing may move.
    pub idle: Duration,
    /// The object is the source of a copy, which has a key of its own.
    pub reads_copy_source: bool,
}

/// A request's body.
#[derive(Clone, Debug)]
pub enum Payload {
    Bytes(Bytes),
    /// Read while it is sent, and checked afterwards by [`Endpoint::call`]'s caller.
    Part(Source, Framing),
}

/// A whole answer with a status below 300.
#[derive(Clone, Debug)]
pub struct Answer {
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Of the bytes that were sent behind a trailer.
    pub digest: Option<dovetail_digest::Digest>,
}

impl Call {
    pub fn new(doing: impl Into<String>, method: Method, bucket: &str, key: &str) -> Call {
        Call {
            doing: doing.into(),
            method,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Payload::Bytes(Bytes::new()),
            idle: IDLE_TIMEOUT,
            reads_copy_source: false,
        }
    }

    /// A request about an object, or about one of its versions.
    pub fn about(doing: impl Into<String>, method: Method, object: &Address) -> Call {
        let call = Call::new(doing, method, &object.bucket, &object.key);
        match &object.version {
            Some(id) => call.query("versionId", id),
            None => call,
        }
    }

    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Call {
        self.query.push((name, value.into()));
        self
    }

    /// Leaves a header out whose value no header can hold; S3's own never are such.
    pub fn header(mut self, name: &'static str, value: impl AsRef<str>) -> Call {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.insert(name, value);
        }
        self
    }

    pub fn body(mut self, body: Payload) -> Call {
        self.body = body;
        self
    }

    /// Whether this makes the bucket, wherever that is to be.
    pub fn is_create_bucket(&self) -> bool {
        self.method == Method::PUT && self.key.is_empty() && self.query.is_empty()
    }

    /// As it stands behind the `?`.
    pub fn query_text(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.query {
            if !text.is_empty() {
                text.push('&');
            }
            text += name;
            text.push('=');
            text += &percent::encode(value.as_bytes());
        }
        text
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
