//! `LifecycleConfiguration`, read and written. What comes back is what was sent, with the ids that were missing.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html>

use super::{actions, filter};
use crate::base::random;
use crate::meta::records::{
    Expiration, FilterForm, LifecycleFilter, LifecycleRecord, LifecycleRule, TransitionMinimum,
    TransitionTime,
};
use crate::s3::error::S3Error;
use crate::s3::response;
use crate::wire::error_code::ErrorCode;
use crate::wire::xml::{Document, Element, Malformed, Writer};

/// Rules of one bucket.
const RULES_MAX: usize = 1000;
/// A thousand rules with a name, a prefix and a few tags each.
pub const DOCUMENT_LEN_MAX: usize = 1 << 20;
/// Characters of a rule's name.
const ID_LEN_MAX: usize = 255;

/// Reads a configuration.
pub fn parse(bytes: &[u8], transition_minimum: TransitionMinimum) -> Result<LifecycleRecord, S3Error> {
    let mut rules: Vec<LifecycleRule> = Vec::new();
    let mut document = Document::new(bytes)?;
    let mut root = document.root(&["LifecycleConfiguration"])?;
    while let Some(mut child) = root.next_child()? {
        if child.name() != "Rule" {
            continue;
        }
        if rules.len() == RULES_MAX {
            return Err(S3Error::invalid_request(format!(
                "The number of lifecycle rules must not exceed the allowed limit of {RULES_MAX} rules"
            )));
        }
        rules.push(parse_rule(&mut child)?);
    }
    if rules.is_empty() {
        return Err(ErrorCode::MalformedXML.into());
    }
    name(&mut rules)?;
    Ok(LifecycleRecord { rules, transition_minimum })
}

/// Ids tell rules apart; a rule without one gets one that nobody guesses.
fn name(rules: &mut [LifecycleRule]) -> Result<(), S3Error> {
    let mut ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).filter(|id| !id.is_empty()).collect();
    ids.sort_unstable();
    if let Some(same) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
        let message = "Rule ID must be unique. Found same ID for one or more rules";
        return Err(S3Error::argument("ID", same[0], message));
    }
    for rule in rules.iter_mut().filter(|rule| rule.id.is_empty()) {
        rule.id = random::bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
    }
    Ok(())
}

fn parse_rule(element: &mut Element<'_, '_>) -> Result<LifecycleRule, S3Error> {
    let mut rule = LifecycleRule::default();
    let (mut status, mut filter) = (None, None);
    while let Some(mut child) = element.next_child()? {
        match child.name() {
            "ID" => rule.id = id(child.text()?.into_owned())?,
            "Status" => status = Some(is_enabled(&child.text_trimmed()?)?),
            "Filter" => once(&mut filter, filter::parse(&mut child)?)?,
            "Prefix" => once(&mut filter, filter::of_prefix(child.text()?.into_owned())?)?,
            "Expiration" => once(&mut rule.expiration, actions::expiration(&mut child)?)?,
            "NoncurrentVersionExpiration" => {
                once(&mut rule.noncurrent_expiration, actions::noncurrent_expiration(&mut child)?)?;
            }
            "AbortIncompleteMultipartUpload" => {
                once(&mut rule.abort_uploads_days, actions::abort_uploads(&mut child)?)?;
            }
            "Transition" => rule.transitions.push(actions::transition(&mut child)?),
            "NoncurrentVersionTransition" => {
                rule.noncurrent_transitions.push(actions::noncurrent_transition(&mut child)?);
            }
            _ => {}
        }
    }
    rule.enabled = status.ok_or(ErrorCode::MalformedXML)?;
    rule.filter = filter.ok_or(ErrorCode::MalformedXML)?;
    actions::check(&rule)?;
    Ok(rule)
}

/// A second one of an element that may come once.
fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Malformed> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Malformed("an element that comes twice".to_owned())),
    }
}

fn id(text: String) -> Result<String, S3Error> {
    if text.chars().count() > ID_LEN_MAX {
        let message = format!("ID length should not exceed allowed limit of {ID_LEN_MAX}");
        return Err(S3Error::argument("ID", &text, message));
    }
    Ok(text)
}

fn is_enabled(status: &str) -> Result<bool, Malformed> {
    match status {
        "Enabled" => Ok(true),
        "Disabled" => Ok(false),
        _ => Err(Malformed("a status that is none".to_owned())),
    }
}

/// The configuration as GetBucketLifecycleConfiguration gives it back.
pub fn write(record: &LifecycleRecord) -> Writer {
    let mut document = response::document("LifecycleConfiguration");
    for rule in &record.rules {
        document.open("Rule").text("ID", &rule.id);
        write_filter(&mut document, &rule.filter);
        document.text("Status", if rule.enabled { "Enabled" } else { "Disabled" });
        write_actions(&mut document, rule);
        document.close();
    }
    document
}

fn write_filter(document: &mut Writer, filter: &LifecycleFilter) {
    match filter.form {
        FilterForm::Prefix => {
            document.text("Prefix", filter.prefix.as_deref().unwrap_or(""));
            return;
        }
        FilterForm::Single => document.open("Filter"),
        FilterForm::And => document.open("Filter").open("And"),
    };
    document.text_optional("Prefix", filter.prefix.as_deref());
    for (key, value) in &filter.tags {
        document.open("Tag").text("Key", key).text("Value", value).close();
    }
    document
        .number_optional("ObjectSizeGreaterThan", filter.larger_than)
        .number_optional("ObjectSizeLessThan", filter.smaller_than);
    if filter.form == FilterForm::And {
        document.close();
    }
    document.close();
}

fn write_actions(document: &mut Writer, rule: &LifecycleRule) {
    if let Some(expiration) = rule.expiration {
        document.open("Expiration");
        match expiration {
            Expiration::Days(days) => document.number("Days", days.into()),
            Expiration::Date(date_ms) => document.time("Date", date_ms.div_euclid(1000)),
            Expiration::DeleteMarkers(go) => document.flag("ExpiredObjectDeleteMarker", go),
        };
        document.close();
    }
    for transition in &rule.transitions {
        document.open("Transition");
        match transition.when {
            TransitionTime::Days(days) => document.number("Days", days.into()),
            TransitionTime::Date(date_ms) => document.time("Date", date_ms.div_euclid(1000)),
        };
        document.text("StorageClass", &transition.storage_class).close();
    }
    if let Some(expiration) = rule.noncurrent_expiration {
        document.open("NoncurrentVersionExpiration");
        document.number("NoncurrentDays", expiration.days.into());
        document.number_optional("NewerNoncurrentVersions", expiration.newer_kept.map(u64::from)).close();
    }
    for transition in &rule.noncurrent_transitions {
        document.open("NoncurrentVersionTransition");
        document.number("NoncurrentDays", transition.days.into());
        document.number_optional("NewerNoncurrentVersions", transition.newer_kept.map(u64::from));
        document.text("StorageClass", &transition.storage_class).close();
    }
    if let Some(days) = rule.abort_uploads_days {
        document.open("AbortIncompleteMultipartUpload").number("DaysAfterInitiation", days.into()).close();
    }
}
