//! Browser forms: what PostObject reads before it knows whether it may write, and the file behind that.
//!
//! Everything but the file is small and read whole; the file streams through the same pass as any other body. What
//! follows it has no meaning, but a form that is cut off or holds a second file is refused, before anything is
//! committed.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>

mod fields;
mod file;

pub use fields::Fields;
pub use file::FormFile;

use crate::base::body::RequestBody;
use crate::s3::error::S3Error;
use crate::wire::error_code::ErrorCode;
use crate::wire::form::{self, Event, FormError, Parser};
use file::Incomplete;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

/// S3's limit on what comes before the file: fields, and what a form puts around them. What comes after it may be as
/// long.
const AROUND_FILE_LEN_MAX: u64 = 20 << 10;

/// A form up to the first byte of its file.
pub struct Form {
    pub fields: Fields,
    pub file: FormFile,
}

/// Reads a form up to its file. The body is asked for, so `100 Continue` goes out.
pub async fn read(headers: &HeaderMap, body: RequestBody) -> Result<Form, S3Error> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let boundary = form::boundary(content_type).ok_or_else(|| malformed("no boundary"))?;
    let len = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut body = Incomplete::new(body, Parser::new(&boundary), len);
    let mut fields = Fields::default();
    let mut name = String::new();
    let mut value = Vec::new();
    loop {
        let event = body.next_event().await?;
        if body.consumed_len() > AROUND_FILE_LEN_MAX {
            return Err(ErrorCode::MaxPostPreDataLengthExceeded.into());
        }
        match event {
            Event::Part(head) if head.name.eq_ignore_ascii_case("file") => {
                fields.fill_in(head.filename.as_deref());
                return Ok(Form { fields, file: FormFile::new(body) });
            }
            Event::Part(head) => {
                name = head.name;
                value.clear();
            }
            Event::Data(data) => value.extend_from_slice(&data),
            Event::PartEnd => fields.add(&name, &value)?,
            Event::End => return Err(ErrorCode::IncorrectNumberOfFilesInPostRequest.into()),
        }
    }
}

fn malformed(why: &'static str) -> S3Error {
    FormError(why).into()
}

impl From<FormError> for S3Error {
    fn from(err: FormError) -> S3Error {
        S3Error::from(ErrorCode::MalformedPOSTRequest).source(err)
    }
}
