//! Common prefixes: what listings show in place of the keys that share one.

/// The common prefix under which a listing of `prefix` shows `key`, if it is: up to and with the first delimiter
/// after the prefix.
pub fn common_prefix<'k>(prefix: &str, delimiter: Option<&str>, key: &'k str) -> Option<&'k str> {
    let delimiter = delimiter?;
    let at = key.strip_prefix(prefix)?.find(delimiter)?;
    Some(&key[..prefix.len() + at + delimiter.len()])
}
