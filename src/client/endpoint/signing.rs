//! Turning a call into a request: its URL, its headers, its signature, and its body.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, header};
use reqwest::Url;

use crate::client::endpoint::Endpoint;
use crate::client::endpoint::call::{Call, Payload};
use crate::client::endpoint::credentials::Keys;
use crate::client::endpoint::customer_key::CustomerKeys;
use crate::client::endpoint::regions::host_in;
use crate::client::endpoint::send_body::{Framing, Outcome, framed_len, send_body};
use crate::client::error::Error;
use crate::client::tally::Meter;
use crate::wire::percent;
use crate::wire::sigv4::{PayloadKind, Signer};

/// A request that is ready to go.
pub(super) struct Prepared {
    pub request: reqwest::Request,
    /// Of a body that is read while it is sent.
    pub outcome: Option<Arc<Outcome>>,
    pub signed: Signed,
}

/// What a request was signed with.
pub(super) struct Signed {
    /// `None` without a signature.
    pub access_key_id: Option<String>,
    pub region: String,
    pub has_customer_key: bool,
}

impl Endpoint {
    /// A URL that whoever has it may use for `expires_s` seconds.
    pub async fn presign(&self, call: &Call, expires_s: u32) -> Result<String, Error> {
        let region = self.regions.of(&call.bucket);
        let url = self.url(call, &region)?;
        let Some(keys) = self.credentials.current().await? else {
            let reason = "a URL is presigned with keys".into();
            return Err(Error::Credentials { reason, login: None });
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host(&url)?);
        let now_s = self.clock.now_ms() / 1000;
        let query = signer(keys, &region).presign(
            call.method.as_str(),
            url.path(),
            &call.query_text(),
            &headers,
            expires_s,
            now_s,
        );
        let mut url = url;
        url.set_query(Some(&query));
        Ok(url.into())
    }

    /// Turns a call into a request that can be sent once. A body begins to be read.
    pub(super) async fn prepare(&self, call: &Call, meter: &Arc<Meter>) -> Result<Prepared, Error> {
        let region = self.regions.of(&call.bucket);
        let url = self.url(call, &region)?;
        let mut headers = call.headers.clone();
        headers.insert(header::HOST, host(&url)?);
        self.customer_keys.add_to(call, &mut headers);
        let has_customer_key = CustomerKeys::are_in(&headers);
        let payload = match &call.body {
            Payload::Bytes(bytes) => {
                use sha2::Digest as _;
                PayloadKind::Sha256(sha2::Sha256::digest(bytes).into())
            }
            Payload::Part(_, Framing::Plain) => PayloadKind::Unsigned,
            Payload::Part(source, Framing::Trailer(algorithm)) => {
                trailer_headers(&mut headers, source.len(), *algorithm);
                PayloadKind::UnsignedChunksTrailer
            }
        };
        let keys = self.credentials.current().await?;
        let access_key_id = keys.as_ref().map(|keys| keys.access_key_id.clone());
        match keys {
            Some(keys) => {
                let now_s = self.clock.now_ms() / 1000;
                let query = url.query().unwrap_or("");
                signer(keys, &region).sign_header(
                    call.method.as_str(),
                    url.path(),
                    query,
                    &mut headers,
                    payload,
                    now_s,
                );
            }
            // Without a signature there is nothing that a digest in this header could be part of, and gateways refuse it.
            None if !payload.is_chunked() => {}
            None => {
                let value = HeaderValue::try_from(payload.to_header()).expect("S3's words are ASCII");
                headers.insert("x-amz-content-sha256", value);
            }
        }
        let mut request = reqwest::Request::new(call.method.clone(), url);
        let outcome = match &call.body {
            Payload::Bytes(bytes) => {
                if !bytes.is_empty() {
                    *request.body_mut() = Some(bytes.clone().into());
                } else if matches!(call.method, Method::PUT | Method::POST) {
                    headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
                }
                None
            }
            Payload::Part(source, framing) => {
                let len = framed_len(*framing, source.len(), self.around.piece_len);
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(len));
                let (body, outcome) = send_body(source.clone(), *framing, &self.around, Arc::clone(meter));
                *request.body_mut() = Some(reqwest::Body::wrap(body));
                Some(outcome)
            }
        };
        *request.headers_mut() = headers;
        Ok(Prepared { request, outcome, signed: Signed { access_key_id, region, has_customer_key } })
    }

    /// Where a request goes: below the endpoint, which at AWS is another host in each region.
    fn url(&self, call: &Call, region: &str) -> Result<Url, Error> {
        let mut url = self.base.clone();
        if region != self.regions.home()
            && let Some(host) = url.host_str().and_then(|host| host_in(host, region))
        {
            set_host(&mut url, &host)?;
        }
        // A dot in a host's first label would not match a wildcard certificate.
        let in_path = self.is_path_style || call.bucket.contains('.') || call.bucket.is_empty();
        let mut path = self.below("/").path().to_owned();
        if in_path {
            path += &call.bucket;
            if !call.key.is_empty() {
                path.push('/');
            }
        } else {
            let host = format!("{}.{}", call.bucket, url.host_str().unwrap_or_default());
            set_host(&mut url, &host)?;
        }
        path += &percent::encode_path(call.key.as_bytes());
        url.set_path(&path);
        if url.path() != path {
            return Err(Error::Usage(format!(
                "the key {:?} cannot be sent: in a URL its `.` or `..` would be a step in the path to another key; \
                 `dovetail cp` gives the object another key, and `dovetail rm` deletes it",
                call.key
            )));
        }
        let query = call.query_text();
        url.set_query((!query.is_empty()).then_some(&query));
        Ok(url)
    }
}

fn set_host(url: &mut Url, host: &str) -> Result<(), Error> {
    url.set_host(Some(host)).map_err(|error| Error::Usage(format!("{host:?} is no host: {error}")))
}

fn signer(keys: Keys, region: &str) -> Signer {
    Signer {
        access_key_id: keys.access_key_id,
        secret: keys.secret,
        region: region.to_owned(),
        session_token: keys.session_token,
    }
}

fn trailer_headers(headers: &mut HeaderMap, len: u64, algorithm: dovetail_digest::Algorithm) {
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("aws-chunked"));
    headers.insert("x-amz-decoded-content-length", HeaderValue::from(len));
    headers.insert("x-amz-sdk-checksum-algorithm", HeaderValue::from_static(algorithm.name()));
    let name = crate::wire::checksum::header_name(algorithm);
    headers.insert("x-amz-trailer", HeaderValue::from_static(name));
}

/// As hyper would write it: without the port when it is the scheme's own.
fn host(url: &Url) -> Result<HeaderValue, Error> {
    let host = url.host_str().unwrap_or_default();
    let host = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    HeaderValue::try_from(host).map_err(|_| Error::Usage(format!("{url} has a strange host")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Clock;
    use crate::base::tasks::Tasks;
    use crate::client::endpoint::Settings;
    use crate::client::endpoint::credentials::{Anonymous, Credentials};
    use crate::client::tally::Tally;
    use std::time::Duration;

    fn endpoint(url: Option<&str>) -> Endpoint {
        let clock = Clock::manual(0);
        let settings = Settings {
            url: url.map(str::to_owned),
            region: "eu-west-1".into(),
            path_style: None,
            ca_bundle: None,
            credentials: Credentials::new(Anonymous, clock.clone()),
            customer_keys: CustomerKeys::default(),
            patience: Duration::from_secs(1),
            parallel_max: 4,
            bytes_per_s: None,
            protection: None,
            limits_folder: None,
        };
        Endpoint::new(settings, clock, Tasks::new(), Arc::new(Tally::silent())).unwrap()
    }

    fn url(endpoint: &Endpoint, bucket: &str, key: &str) -> Result<String, Error> {
        let call = Call::new("try", Method::GET, bucket, key).query("prefix", "a b");
        endpoint.url(&call, &endpoint.regions.of(bucket)).map(String::from)
    }

    #[tokio::test]
    async fn aws_has_the_bucket_in_the_host_and_others_in_the_path() {
        let aws = endpoint(None);
        let expected = "https://bucket.s3.eu-west-1.amazonaws.com/a/b%20c?prefix=a%20b";
        assert_eq!(url(&aws, "bucket", "a/b c").unwrap(), expected);
        let expected = "https://s3.eu-west-1.amazonaws.com/with.dots/?prefix=a%20b";
        assert_eq!(url(&aws, "with.dots", "").unwrap().replace("dots?", "dots/?"), expected);
        let other = endpoint(Some("http://127.0.0.1:9000/"));
        assert_eq!(
            url(&other, "bucket", "//a+%").unwrap(),
            "http://127.0.0.1:9000/bucket///a%2B%25?prefix=a%20b"
        );
        for base in ["http://127.0.0.1:9000/s3/here", "http://127.0.0.1:9000/s3/here/"] {
            let below = endpoint(Some(base));
            assert_eq!(below.name(), "http://127.0.0.1:9000/s3/here");
            assert_eq!(
                url(&below, "bucket", "key").unwrap(),
                "http://127.0.0.1:9000/s3/here/bucket/key?prefix=a%20b"
            );
        }
    }

    #[tokio::test]
    async fn a_bucket_of_another_region_is_asked_there_at_aws_and_signed_for_there_elsewhere() {
        let aws = endpoint(None);
        aws.regions.learn("bucket", "us-west-2");
        let expected = "https://bucket.s3.us-west-2.amazonaws.com/a?prefix=a%20b";
        assert_eq!(url(&aws, "bucket", "a").unwrap(), expected);
        let expected = "https://other.s3.eu-west-1.amazonaws.com/a?prefix=a%20b";
        assert_eq!(url(&aws, "other", "a").unwrap(), expected);
        let other = endpoint(Some("http://127.0.0.1:9000"));
        other.regions.learn("bucket", "us-west-2");
        assert_eq!(url(&other, "bucket", "a").unwrap(), "http://127.0.0.1:9000/bucket/a?prefix=a%20b");
    }

    #[tokio::test]
    async fn a_key_that_a_url_would_change_is_refused_rather_than_sent_elsewhere() {
        let other = endpoint(Some("http://127.0.0.1:9000"));
        for key in ["a/../b", "./a", "a/."] {
            assert!(url(&other, "bucket", key).is_err(), "{key}");
        }
        assert!(url(&other, "bucket", "a/...b/.c").is_ok());
    }
}
