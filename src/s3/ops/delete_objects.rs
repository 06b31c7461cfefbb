//! DeleteObjects: up to 1,000 keys in one document, one result each.

use crate::base::limits::DELETE_OBJECTS_MAX;
use crate::engine;
use crate::engine::conditions::{Tags, WriteConditions};
use crate::engine::ops::delete_object::{Deleted, ObjectToDelete};
use crate::s3::S3;
use crate::s3::authorize;
use crate::s3::document;
use crate::s3::error::S3Error;
use crate::s3::object_lock;
use crate::s3::request::{Request, is_version_id};
use crate::s3::response::{self, Response};
use crate::s3::router::check_key;
use crate::wire::error_code::ErrorCode;
use crate::wire::etag;
use crate::wire::http_date;
use crate::wire::xml::{Document, Element, Malformed, Writer};

pub async fn delete_objects(s3: &S3, mut request: Request) -> Result<Response, S3Error> {
    let bytes = document::read(&mut request, document::LONG_LEN_MAX).await?;
    let mut list = parse(&bytes)?;
    if list.objects.is_empty() || list.objects.len() > DELETE_OBJECTS_MAX {
        return Err(ErrorCode::MalformedXML.into());
    }

    // What cannot be a key or a version is answered for itself, and the engine never sees it.
    let mut faults: Vec<Option<S3Error>> = list.objects.iter().map(fault).collect();
    for (object, fault) in list.objects.iter_mut().zip(&mut faults).filter(|(_, fault)| fault.is_none()) {
        *fault = refusal(s3, &request, object).await?;
    }
    let sound = list.objects.iter().zip(&faults).filter(|(_, fault)| fault.is_none());
    let asked = engine::ops::delete_objects::DeleteObjects {
        bucket: request.bucket(),
        owner: request.writer(),
        objects: sound.map(|(object, _)| object.clone()).collect(),
        bypass_governance: object_lock::bypasses_governance(&request),
    };
    let mut results = engine::ops::delete_objects::delete_objects(s3.engine(), asked).await?.into_iter();

    let mut document = response::document("DeleteResult");
    for (object, fault) in list.objects.iter().zip(faults) {
        let outcome = match fault {
            Some(error) => Err(error),
            None => match results.next() {
                Some(result) => result.map_err(S3Error::from),
                None => Err(ErrorCode::InternalError.into()),
            },
        };
        write_result(&mut document, object, outcome, list.quiet);
    }
    Ok(response::xml(document))
}

fn write_result(
    document: &mut Writer,
    object: &ObjectToDelete,
    outcome: Result<Deleted, S3Error>,
    quiet: bool,
) {
    let version_id = object.version_id.as_deref();
    match outcome {
        Ok(_) if quiet => {}
        Ok(deleted) => {
            document.open("Deleted").text("Key", &object.key).text_optional("VersionId", version_id);
            // One that was added, or one that was removed by its id.
            if let Some(id) = &deleted.marker_id {
                document.flag("DeleteMarker", true).text("DeleteMarkerVersionId", id);
            }
            document.close();
        }
        Err(error) => {
            document
                .open("Error")
                .text("Key", &object.key)
                .text_optional("VersionId", version_id)
                .text("Code", error.code().as_str())
                .text("Message", error.message())
                .close();
        }
    }
}

/// Why the caller may not delete this one, if so. What it was judged by is left with it.
async fn refusal(
    s3: &S3,
    request: &Request,
    object: &mut ObjectToDelete,
) -> Result<Option<S3Error>, S3Error> {
    let learns = matches!(object.conditions.if_match, Some(Tags::Listed(_)));
    match authorize::deletion(s3, request, &object.key, object.version_id.as_deref(), learns).await {
        Ok(judged_tags) => {
            object.conditions.judged_tags = judged_tags;
            Ok(None)
        }
        Err(error) if error.code() == ErrorCode::AccessDenied => Ok(Some(error)),
        Err(error) => Err(error),
    }
}

fn fault(object: &ObjectToDelete) -> Option<S3Error> {
    match &object.version_id {
        Some(id) if !is_version_id(id) => Some(ErrorCode::NoSuchVersion.into()),
        _ => check_key(&object.key).err(),
    }
}

struct List {
    quiet: bool,
    objects: Vec<ObjectToDelete>,
}

fn parse(bytes: &[u8]) -> Result<List, Malformed> {
    let mut list = List { quiet: false, objects: Vec::new() };
    let mut document = Document::new(bytes)?;
    let mut root = document.root(&["Delete"])?;
    while let Some(mut child) = root.next_child()? {
        match child.name() {
            "Quiet" => list.quiet = child.flag()?,
            // One more than allowed is enough to refuse the list.
            "Object" if list.objects.len() > DELETE_OBJECTS_MAX => break,
            "Object" => list.objects.push(parse_object(&mut child)?),
            _ => {}
        }
    }
    Ok(list)
}

fn parse_object(element: &mut Element<'_, '_>) -> Result<ObjectToDelete, Malformed> {
    let mut object = ObjectToDelete::default();
    while let Some(mut child) = element.next_child()? {
        match child.name() {
            "Key" => object.key = child.text()?.into_owned(),
            "VersionId" => object.version_id = Some(child.text_trimmed()?).filter(|id| !id.is_empty()),
            "ETag" => {
                let text = child.text_trimmed()?;
                let tags = match etag::unquote(&text) {
                    "*" => Tags::Any,
                    tag => Tags::Listed(vec![tag.to_owned()]),
                };
                object.conditions = WriteConditions { if_match: Some(tags), ..WriteConditions::default() };
            }
            "Size" => object.if_size = Some(child.parsed()?),
            "LastModifiedTime" => {
                let text = child.text_trimmed()?;
                let time =
                    http_date::parse(&text).ok_or_else(|| Malformed("a time that is none".to_owned()))?;
                object.if_modified = Some(time);
            }
            _ => {}
        }
    }
    if object.key.is_empty() {
        return Err(Malformed("an object without a key".to_owned()));
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_keys_as_they_are() {
        let list = parse(
            b"<Delete xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><Quiet> true </Quiet><Object><Key> a&#1;&amp;%20\
              </Key><VersionId>null</VersionId><ETag>&quot;x&quot;</ETag><Size>3</Size></Object></Delete>",
        )
        .unwrap();
        assert!(list.quiet);
        let object = &list.objects[0];
        assert_eq!(object.key, " a\u{1}&%20");
        assert_eq!(object.version_id.as_deref(), Some("null"));
        assert_eq!(object.conditions.if_match, Some(Tags::Listed(vec!["x".into()])));
        assert_eq!(object.if_size, Some(3));
    }

    #[test]
    fn refuses_documents_that_say_nothing_clear() {
        for bad in [
            &b""[..],
            b"<Delete>",
            b"<Other/>",
            b"<Delete><Object></Object></Delete>",
            b"<Delete><Object><Key></Key></Object></Delete>",
            b"<Delete><Quiet>perhaps</Quiet></Delete>",
            b"<!DOCTYPE d [<!ENTITY a 'b'>]><Delete><Object><Key>&a;</Key></Object></Delete>",
            b"<Delete><Object><Key>k</Key><LastModifiedTime>soon</LastModifiedTime></Object></Delete>",
        ] {
            assert!(parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
