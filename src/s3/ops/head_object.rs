//! HeadObject: GetObject's status and headers, without the bytes.

use super::get_object::{Overrides, head, read, refusal, set_expiration};
use crate::engine;
use crate::s3::S3;
use crate::s3::error::S3Error;
use crate::s3::request::Request;
use crate::s3::response::Response;

pub async fn head_object(s3: &S3, request: Request) -> Result<Response, S3Error> {
    let asked = read(s3, &request)?;
    let overrides = Overrides::of(&request)?;
    match engine::ops::head_object::head_object(s3.engine(), asked).await {
        Ok(found) => {
            let mut answer = head(&request, &found, &overrides);
            set_expiration(s3, &request, &found, &mut answer).await;
            Ok(answer)
        }
        Err(err) => refusal(&request, err),
    }
}
