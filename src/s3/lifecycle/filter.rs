//! What a lifecycle rule is about: `Filter`, with one thing or several under `And`, or the deprecated `Prefix`.

use crate::base::limits::KEY_LEN_MAX;
use crate::meta::records::{FilterForm, LifecycleFilter};
use crate::s3::error::S3Error;
use crate::wire::error_code::ErrorCode;
use crate::wire::xml::{Element, Malformed};

/// The deprecated form.
pub fn of_prefix(prefix: String) -> Result<LifecycleFilter, S3Error> {
    check_prefix(&prefix)?;
    Ok(LifecycleFilter { form: FilterForm::Prefix, prefix: Some(prefix), ..LifecycleFilter::default() })
}

/// Reads a `Filter`. An empty one fits everything.
pub fn parse(element: &mut Element<'_, '_>) -> Result<LifecycleFilter, S3Error> {
    let mut filter = LifecycleFilter::default();
    let mut children = 0;
    while let Some(mut child) = element.next_child()? {
        match child.name() {
            "And" => {
                filter = parse_and(&mut child)?;
                children += 1;
            }
            _ => children += usize::from(parse_part(&mut filter, &mut child)?),
        }
    }
    if children > 1 {
        return Err(Malformed("a filter of several without And".to_owned()).into());
    }
    check(&filter)?;
    Ok(filter)
}

fn parse_and(element: &mut Element<'_, '_>) -> Result<LifecycleFilter, S3Error> {
    let mut filter = LifecycleFilter { form: FilterForm::And, ..LifecycleFilter::default() };
    let mut parts = 0;
    while let Some(mut child) = element.next_child()? {
        parts += usize::from(parse_part(&mut filter, &mut child)?);
    }
    if parts == 0 { Err(ErrorCode::MalformedXML.into()) } else { Ok(filter) }
}

/// Reads one part into the filter, if it is one.
fn parse_part(filter: &mut LifecycleFilter, child: &mut Element<'_, '_>) -> Result<bool, S3Error> {
    match child.name() {
        "Prefix" => filter.prefix = Some(child.text()?.into_owned()),
        "Tag" => filter.tags.push(parse_tag(child)?),
        "ObjectSizeGreaterThan" => filter.larger_than = Some(child.parsed()?),
        "ObjectSizeLessThan" => filter.smaller_than = Some(child.parsed()?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn parse_tag(element: &mut Element<'_, '_>) -> Result<(String, String), Malformed> {
    let (mut key, mut value) = (None, None);
    while let Some(mut child) = element.next_child()? {
        match child.name() {
            "Key" => key = Some(child.text()?.into_owned()),
            "Value" => value = Some(child.text()?.into_owned()),
            _ => {}
        }
    }
    key.zip(value).ok_or_else(|| Malformed("a Tag without Key or Value".to_owned()))
}

fn check(filter: &LifecycleFilter) -> Result<(), S3Error> {
    filter.prefix.as_deref().map_or(Ok(()), check_prefix)?;
    for (at, (key, _)) in filter.tags.iter().enumerate() {
        if filter.tags[..at].iter().any(|(known, _)| known == key) {
            return Err(S3Error::invalid_request("Duplicate Tag Keys are not allowed."));
        }
    }
    match (filter.larger_than, filter.smaller_than) {
        (Some(larger), Some(smaller)) if larger >= smaller => Err(S3Error::invalid_request(
            "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.",
        )),
        _ => Ok(()),
    }
}

fn check_prefix(prefix: &str) -> Result<(), S3Error> {
    if prefix.len() > KEY_LEN_MAX {
        let message = format!("The maximum size of a prefix is {KEY_LEN_MAX}.");
        return Err(S3Error::invalid_request(message));
    }
    Ok(())
}
