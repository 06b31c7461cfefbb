//! What the text of one key may be, and what is said of one that may not. Sizes and times are [`super::values`]'.

use super::{keys, values};
use crate::base::buffers::{CHUNK_LEN, CHUNKS_PER_BODY};
use crate::meta::records::ObjectOwnership;
use crate::telemetry::log;
use crate::wire::sigv4::Secret;
use std::net::SocketAddr;
use std::time::Duration;

/// More connections than this need more file descriptors than systems give.
const CONNECTIONS_MAX: usize = 1 << 20;

pub fn not_empty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("is empty; allowed: text".to_string()) } else { Ok(text.to_string()) }
}

pub fn boolean(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("`{text}` is neither; allowed: true, false"))
}

pub fn word(key: &str, text: &str) -> Result<String, String> {
    let Some(keys::Kind::Word(words)) = keys::find(key).map(|key| key.kind) else {
        unreachable!("{key} is a word in the table");
    };
    if words.contains(&text) {
        return Ok(text.to_string());
    }
    Err(format!("`{text}` is not known; allowed: {}", words.join(", ")))
}

pub fn log_format(text: &str) -> Result<log::Format, String> {
    Ok(if word("log_format", text)? == "json" { log::Format::Json } else { log::Format::Text })
}

pub fn ownership(text: &str) -> Result<ObjectOwnership, String> {
    Ok(match word("default_object_ownership", text)?.as_str() {
        "ObjectWriter" => ObjectOwnership::ObjectWriter,
        "BucketOwnerPreferred" => ObjectOwnership::BucketOwnerPreferred,
        _ => ObjectOwnership::BucketOwnerEnforced,
    })
}

pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("`{text}` is not an address; allowed: ADDR:PORT, such as 127.0.0.1:9000 or [::]:9000")
    })
}

pub fn region(text: &str) -> Result<String, String> {
    let fine = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    if text.is_empty() || text.len() > 64 || !text.bytes().all(fine) {
        return Err(format!("`{text}` is not a region; allowed: lower-case letters, digits and -"));
    }
    Ok(text.to_string())
}

pub fn domain(text: &str) -> Result<String, String> {
    let fine = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if !text.split('.').all(fine) || text.parse::<std::net::Ipv4Addr>().is_ok() {
        return Err(format!(
            "`{text}` is not a domain; allowed: a host name without port, such as s3.localhost"
        ));
    }
    Ok(text.to_ascii_lowercase())
}

pub fn access_key_id(text: &str) -> Result<String, String> {
    // A slash ends the key id in a signature's credential.
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if !(3..=128).contains(&text.len()) || !text.bytes().all(fine) {
        return Err("is no access key id; allowed: 3 to 128 letters, digits and -._".to_string());
    }
    Ok(text.to_string())
}

pub fn secret_access_key(text: &str) -> Result<Secret, String> {
    if text.len() < 8 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(
            "is no secret access key; allowed: at least 8 printable characters without blanks".to_string()
        );
    }
    Ok(Secret::new(text))
}

pub fn connections(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=CONNECTIONS_MAX).contains(number));
    number.ok_or_else(|| {
        format!("`{text}` is out of range; allowed: a whole number from 1 to {CONNECTIONS_MAX}")
    })
}

pub fn upload_memory(text: &str) -> Result<usize, String> {
    at_least(to_usize(values::size(text)?)?, CHUNK_LEN * CHUNKS_PER_BODY)
}

/// A duration in which something has to happen.
pub fn timeout(text: &str) -> Result<Duration, String> {
    let duration = values::duration(text)?;
    if duration.is_zero() { Err("is zero; allowed: 1ms or more".to_string()) } else { Ok(duration) }
}

pub fn to_usize(len: u64) -> Result<usize, String> {
    usize::try_from(len).map_err(|_| format!("{len} bytes are more than this machine can address"))
}

pub fn at_least(len: usize, min: usize) -> Result<usize, String> {
    if len < min { Err(format!("{len} bytes are too few; allowed: {min} or more")) } else { Ok(len) }
}

pub fn at_most(len: u64, max: u64) -> Result<u64, String> {
    if len > max { Err(format!("{len} bytes are too many; allowed: {max} or fewer")) } else { Ok(len) }
}
