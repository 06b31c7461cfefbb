//! A small S3 client that hides nothing: every status, header and error document is there to be looked at.

use bytes::Bytes;
use dovetail::base::clock::Clock;
use dovetail::wire::percent;
use dovetail::wire::sigv4::{PayloadKind, Secret, Signer};
use http::{HeaderMap, HeaderName, HeaderValue};

/// A client of one endpoint, with one key pair.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    endpoint: String,
    signer: Signer,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text of the first element of this name.
    pub fn element(&self, name: &str) -> Option<String> {
        self.elements(name).into_iter().next()
    }

    /// The texts of all elements of this name, as they stand (not unescaped).
    pub fn elements(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let mut found = Vec::new();
        for piece in text.split(&open).skip(1) {
            if let Some((content, _)) = piece.split_once(&close) {
                found.push(content.to_string());
            }
        }
        found
    }

    /// The error code of an error document.
    pub fn code(&self) -> String {
        self.element("Code").unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    #[track_caller]
    pub fn expect_code(self, status: u16, code: &str) -> Answer {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{}", self.text());
        self
    }
}

impl Client {
    pub fn new(endpoint: &str, access_key_id: &str, secret: &str) -> Client {
        Client::over(reqwest::Client::builder(), endpoint, access_key_id, secret)
    }

    /// A client whose connections are made as `builder` says.
    pub fn over(
        builder: reqwest::ClientBuilder,
        endpoint: &str,
        access_key_id: &str,
        secret: &str,
    ) -> Client {
        // A client must never retry by itself: a test wants to see the first answer.
        let http = builder.retry(reqwest::retry::never()).build().expect("a client can be made");
        let signer = Signer {
            access_key_id: access_key_id.to_string(),
            secret: Secret::new(secret),
            region: "us-east-1".to_string(),
            session_token: None,
        };
        Client { http, endpoint: endpoint.to_string(), signer }
    }

    /// Sends a signed request. `path` begins with a slash and is percent-encoded by the caller; it may hold a query.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, reqwest::Error> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let body = body.into();
        let mut map = HeaderMap::new();
        let host = self.endpoint.trim_start_matches("http://").trim_start_matches("https://");
        map.insert("host", HeaderValue::from_str(host).expect("a host is a header value"));
        for (name, value) in headers {
            let name = HeaderName::try_from(*name).expect("a header name");
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
        }
        let now = Clock::system().now_ms() / 1000;
        self.signer.sign_header(method, path, query, &mut map, PayloadKind::Unsigned, now);
        // reqwest leaves the length of an empty body out, which S3 refuses.
        if matches!(method, "PUT" | "POST") {
            map.insert("content-length", HeaderValue::from(body.len()));
        }
        let url = if query.is_empty() {
            format!("{}{path}", self.endpoint)
        } else {
            format!("{}{path}?{query}", self.endpoint)
        };
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let answer = self.http.request(method, url).headers(map).body(body).send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Answer { status, headers, body: answer.bytes().await? })
    }

    /// The same without a signature, and without a body.
    pub async fn send_unsigned(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, reqwest::Error> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let ask = self.http.request(method, format!("{}{path}", self.endpoint));
        let answer = headers.iter().fold(ask, |ask, (name, value)| ask.header(*name, *value)).send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Answer { status, headers, body: answer.bytes().await? })
    }

    pub async fn put(
        &self,
        bucket: &str,
        key: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, reqwest::Error> {
        self.send("PUT", &path(bucket, key), &[], body).await
    }

    pub async fn get(&self, bucket: &str, key: &str) -> Result<Answer, reqwest::Error> {
        self.send("GET", &path(bucket, key), &[], "").await
    }

    pub async fn delete(&self, bucket: &str, key: &str) -> Result<Answer, reqwest::Error> {
        self.send("DELETE", &path(bucket, key), &[], "").await
    }

    pub async fn copy(&self, bucket: &str, from: &str, to: &str) -> Result<Answer, reqwest::Error> {
        let source = path(bucket, from);
        self.send("PUT", &path(bucket, to), &[("x-amz-copy-source", &source)], "").await
    }

    /// CreateMultipartUpload; the upload's id.
    pub async fn create_upload(&self, bucket: &str, key: &str) -> Result<String, reqwest::Error> {
        let answer = self.send("POST", &format!("{}?uploads", path(bucket, key)), &[], "").await?.expect(200);
        Ok(answer.element("UploadId").expect("the answer names the upload"))
    }

    pub async fn upload_part(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        number: usize,
        body: impl Into<Bytes>,
    ) -> Result<Answer, reqwest::Error> {
        let path = format!("{}?partNumber={number}&uploadId={upload}", path(bucket, key));
        self.send("PUT", &path, &[], body).await
    }

    /// CompleteMultipartUpload with part numbers and ETags.
    pub async fn complete(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        parts: &[(usize, String)],
    ) -> Result<Answer, reqwest::Error> {
        let parts: String = parts
            .iter()
            .map(|(number, etag)| {
                format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
            })
            .collect();
        let document = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        self.send("POST", &format!("{}?uploadId={upload}", path(bucket, key)), &[], document).await
    }

    pub async fn abort(&self, bucket: &str, key: &str, upload: &str) -> Result<Answer, reqwest::Error> {
        self.send("DELETE", &format!("{}?uploadId={upload}", path(bucket, key)), &[], "").await
    }

    /// ListParts on one page: numbers and ETags.
    pub async fn list_parts(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
    ) -> Result<Option<Vec<(usize, String)>>, reqwest::Error> {
        let answer = self.send("GET", &format!("{}?uploadId={upload}", path(bucket, key)), &[], "").await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let answer = answer.expect(200);
        let numbers =
            answer.elements("PartNumber").into_iter().map(|number| number.parse().expect("a number"));
        let etags =
            answer.elements("ETag").into_iter().map(|etag| etag.replace("&quot;", "").replace('"', ""));
        Ok(Some(numbers.zip(etags).collect()))
    }

    /// All keys of a bucket, page by page.
    pub async fn list(&self, bucket: &str) -> Result<Vec<String>, reqwest::Error> {
        let (mut keys, mut token) = (Vec::new(), None::<String>);
        loop {
            let mut path = format!("/{bucket}?list-type=2&max-keys=7");
            if let Some(token) = &token {
                path.push_str(&format!("&continuation-token={}", percent::encode(token.as_bytes())));
            }
            let answer = self.send("GET", &path, &[], "").await?.expect(200);
            keys.extend(answer.elements("Key"));
            token = answer.element("NextContinuationToken");
            if token.is_none() {
                return Ok(keys);
            }
        }
    }
}

/// The path of a key, percent-encoded.
pub fn path(bucket: &str, key: &str) -> String {
    let key: Vec<String> =
        key.split('/').map(|piece| percent::encode(piece.as_bytes()).into_owned()).collect();
    format!("/{bucket}/{}", key.join("/"))
}
