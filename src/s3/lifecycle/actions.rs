//! What a lifecycle rule does, and what it cannot do at the same time.

use crate::meta::records::{
    Expiration, LifecycleRule, NoncurrentExpiration, NoncurrentTransition, Transition, TransitionTime,
};
use crate::s3::error::S3Error;
use crate::wire::error_code::ErrorCode;
use crate::wire::http_date;
use crate::wire::xml::{Element, Malformed};

/// Classes that an object can be moved to.
const TRANSITION_CLASSES: [&str; 6] =
    ["STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"];
const DAYS_MAX: u32 = i32::MAX as u32;
const NEWER_KEPT_MAX: u32 = 100;
const MIDNIGHT_S: i64 = 24 * 60 * 60;

pub fn expiration(element: &mut Element<'_, '_>) -> Result<Expiration, S3Error> {
    let mut found = Vec::new();
    while let Some(mut child) = element.next_child()? {
        found.push(match child.name() {
            "Days" => Expiration::Days(number(
                &mut child,
                1,
                DAYS_MAX,
                "'Days' for Expiration action must be a positive integer",
            )?),
            "Date" => Expiration::Date(date_ms(&mut child)?),
            "ExpiredObjectDeleteMarker" => Expiration::DeleteMarkers(child.flag()?),
            _ => continue,
        });
    }
    match found[..] {
        [one] => Ok(one),
        _ => Err(ErrorCode::MalformedXML.into()),
    }
}

pub fn noncurrent_expiration(element: &mut Element<'_, '_>) -> Result<NoncurrentExpiration, S3Error> {
    let (mut days, mut newer_kept) = (None, None);
    while let Some(mut child) = element.next_child()? {
        match child.name() {
            "NoncurrentDays" => {
                let message =
                    "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer";
                days = Some(number(&mut child, 1, DAYS_MAX, message)?);
            }
            "NewerNoncurrentVersions" => newer_kept = Some(newer(&mut child)?),
            _ => {}
        }
    }
    Ok(NoncurrentExpiration { days: days.ok_or(ErrorCode::MalformedXML)?, newer_kept })
}

pub fn abort_uploads(element: &mut Element<'_, '_>) -> Result<u32, S3Error> {
    let mut days = None;
    while let Some(mut child) = element.next_child()? {
        if child.name() == "DaysAfterInitiation" {
            let message =
                "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer";
            days = Some(number(&mut child, 1, DAYS_MAX, message)?);
        }
    }
    days.ok_or_else(|| ErrorCode::MalformedXML.into())
}

pub fn transition(element: &mut Element<'_, '_>) -> Result<Transition, S3Error> {
    let (mut when, mut storage_class) = (Vec::new(), None);
    while let Some(mut child) = element.next_child()? {
        match child.name() {
            "Days" => {
                let message = "'Days' in Transition action must be nonnegative";
                when.push(TransitionTime::Days(number(&mut child, 0, DAYS_MAX, message)?));
            }
            "Date" => when.push(TransitionTime::Date(date_ms(&mut child)?)),
            "StorageClass" => storage_class = Some(class(&mut child)?),
            _ => {}
        }
    }
    match (&when[..], storage_class) {
        ([when], Some(storage_class)) => Ok(Transition { when: *when, storage_class }),
        _ => Err(ErrorCode::MalformedXML.into()),
    }
}

pub fn noncurrent_transition(element: &mut Element<'_, '_>) -> Result<NoncurrentTransition, S3Error> {
    let (mut days, mut storage_class, mut newer_kept) = (None, None, None);
    while let Some(mut child) = element.next_child()? {
        match child.name() {
            "NoncurrentDays" => {
                let message = "'NoncurrentDays' in NoncurrentVersionTransition action must be nonnegative";
                days = Some(number(&mut child, 0, DAYS_MAX, message)?);
            }
            "NewerNoncurrentVersions" => newer_kept = Some(newer(&mut child)?),
            "StorageClass" => storage_class = Some(class(&mut child)?),
            _ => {}
        }
    }
    let (Some(days), Some(storage_class)) = (days, storage_class) else {
        return Err(ErrorCode::MalformedXML.into());
    };
    Ok(NoncurrentTransition { days, storage_class, newer_kept })
}

fn newer(element: &mut Element<'_, '_>) -> Result<u32, S3Error> {
    number(element, 1, NEWER_KEPT_MAX, "'NewerNoncurrentVersions' must be between 1 and 100")
}

fn number(element: &mut Element<'_, '_>, min: u32, max: u32, message: &'static str) -> Result<u32, S3Error> {
    let name = element.name().to_owned();
    let value: i64 = element.parsed()?;
    match u32::try_from(value) {
        Ok(value) if (min..=max).contains(&value) => Ok(value),
        _ => Err(S3Error::argument(&name, &value.to_string(), message)),
    }
}

fn date_ms(element: &mut Element<'_, '_>) -> Result<i64, S3Error> {
    let text = element.text_trimmed()?;
    let unix_s = http_date::parse(&text).filter(|unix_s| http_date::has_four_digits(*unix_s));
    let unix_s = unix_s.ok_or_else(|| Malformed("a date that is none".to_owned()))?;
    if unix_s.rem_euclid(MIDNIGHT_S) != 0 {
        return Err(S3Error::argument("Date", &text, "'Date' must be at midnight GMT"));
    }
    Ok(unix_s * 1000)
}

fn class(element: &mut Element<'_, '_>) -> Result<String, S3Error> {
    let class = element.text_trimmed()?;
    if TRANSITION_CLASSES.contains(&class.as_str()) { Ok(class) } else { Err(ErrorCode::MalformedXML.into()) }
}

/// What does not go together in one rule.
pub fn check(rule: &LifecycleRule) -> Result<(), S3Error> {
    let does_nothing = rule.expiration.is_none()
        && rule.noncurrent_expiration.is_none()
        && rule.abort_uploads_days.is_none()
        && rule.transitions.is_empty()
        && rule.noncurrent_transitions.is_empty();
    if does_nothing {
        return Err(S3Error::invalid_request("At least one action needs to be specified in a rule"));
    }
    if rule.filter.is_about_objects() {
        let what = if rule.filter.tags.is_empty() { "object sizes" } else { "Tags" };
        if rule.abort_uploads_days.is_some() {
            let message = format!("AbortIncompleteMultipartUpload cannot be specified with {what}");
            return Err(S3Error::invalid_request(message));
        }
        if matches!(rule.expiration, Some(Expiration::DeleteMarkers(_))) {
            let message = format!("ExpiredObjectDeleteMarker cannot be specified with {what}");
            return Err(S3Error::invalid_request(message));
        }
    }
    check_classes(rule.transitions.iter().map(|transition| &transition.storage_class), "Transition")?;
    let classes = rule.noncurrent_transitions.iter().map(|transition| &transition.storage_class);
    check_classes(classes, "NoncurrentVersionTransition")?;
    check_order(rule)
}

fn check_classes<'a>(classes: impl Iterator<Item = &'a String>, action: &str) -> Result<(), S3Error> {
    let mut known: Vec<&String> = Vec::new();
    for class in classes {
        if known.contains(&class) {
            return Err(S3Error::invalid_request(format!(
                "'StorageClass' must be different for '{action}' actions in same 'Rule'"
            )));
        }
        known.push(class);
    }
    Ok(())
}

/// What expires before or when it is moved would never be moved.
fn check_order(rule: &LifecycleRule) -> Result<(), S3Error> {
    let is_date = |when: &TransitionTime| matches!(when, TransitionTime::Date(_));
    let dates = rule.transitions.iter().filter(|transition| is_date(&transition.when)).count();
    let is_mixed = match rule.expiration {
        Some(Expiration::Days(_)) => dates > 0,
        Some(Expiration::Date(_)) => dates < rule.transitions.len(),
        _ => dates > 0 && dates < rule.transitions.len(),
    };
    if is_mixed {
        return Err(S3Error::invalid_request(
            "Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule",
        ));
    }
    let too_late = rule.transitions.iter().any(|transition| match (transition.when, rule.expiration) {
        (TransitionTime::Days(moved), Some(Expiration::Days(gone))) => moved >= gone,
        (TransitionTime::Date(moved), Some(Expiration::Date(gone))) => moved >= gone,
        _ => false,
    });
    if too_late {
        let message = "The time in the Expiration action must be later than that in the Transition action";
        return Err(S3Error::argument("Expiration", "", message));
    }
    let noncurrent = rule.noncurrent_expiration.map(|expiration| expiration.days);
    if rule.noncurrent_transitions.iter().any(|moved| noncurrent.is_some_and(|gone| moved.days >= gone)) {
        let message = "'NoncurrentDays' in the NoncurrentVersionExpiration action must be greater than in the \
                       NoncurrentVersionTransition action";
        return Err(S3Error::argument("NoncurrentDays", "", message));
    }
    Ok(())
}
