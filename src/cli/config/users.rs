//! The users of the configuration, and the one of the environment.

use super::texts::{access_key_id, not_empty, secret_access_key};
use super::{ConfigError, Input, User};
use crate::wire::sigv4::Secret;
use sha2::{Digest, Sha256};

pub fn users(
    input: &Input<'_>,
    key_pair: (Option<String>, Option<String>),
) -> Result<Vec<User>, ConfigError> {
    let mut indexes: Vec<usize> =
        input.0.below("users.").filter_map(|(name, _)| name.split('.').next()?.parse().ok()).collect();
    indexes.sort_unstable();
    indexes.dedup();
    let mut users = indexes.into_iter().map(|index| user(input, index)).collect::<Result<Vec<_>, _>>()?;
    match key_pair {
        (Some(id), Some(secret)) => {
            let bad = |name: &str| {
                let key = name.to_string();
                move |reason| ConfigError { key, source_of_value: None, reason }
            };
            let id = access_key_id(&id).map_err(bad("DOVETAIL_ACCESS_KEY_ID"))?;
            let secret = secret_access_key(&secret).map_err(bad("DOVETAIL_SECRET_ACCESS_KEY"))?;
            users.push(User::named("main", id, secret));
        }
        (None, None) => {}
        (id, _) => {
            let missing = if id.is_none() { "DOVETAIL_ACCESS_KEY_ID" } else { "DOVETAIL_SECRET_ACCESS_KEY" };
            let reason = "is not set; allowed: this and the other one of the pair, or neither".to_string();
            return Err(ConfigError { key: missing.to_string(), source_of_value: None, reason });
        }
    }
    let mut seen = std::collections::HashSet::new();
    for user in &users {
        if !seen.insert(&user.access_key_id) {
            return Err(input.error("users", format!("access_key_id {} is there twice", user.access_key_id)));
        }
    }
    Ok(users)
}

fn user(input: &Input<'_>, index: usize) -> Result<User, ConfigError> {
    let key = |field: &str| format!("users.{index}.{field}");
    let needed = |field: &str, parse: fn(&str) -> Result<String, String>| {
        let found = input.parse_optional(&key(field), parse)?;
        found.ok_or_else(|| input.error(&key(field), "is missing; allowed: text"))
    };
    let name = needed("name", not_empty)?;
    let secret = input.parse_optional(&key("secret_access_key"), secret_access_key)?;
    let secret = secret.ok_or_else(|| input.error(&key("secret_access_key"), "is missing; allowed: text"))?;
    let mut user = User::named(&name, needed("access_key_id", access_key_id)?, secret);
    if let Some(id) = input.parse_optional(&key("id"), not_empty)? {
        user.id = id;
    }
    if let Some(display_name) = input.parse_optional(&key("display_name"), not_empty)? {
        user.display_name = display_name;
    }
    user.email = input.parse_optional(&key("email"), not_empty)?;
    Ok(user)
}

impl User {
    /// A user whose owner id and display name derive from the name: the id is 64 hexadecimal digits, as in AWS.
    pub fn named(name: &str, access_key_id: String, secret_access_key: Secret) -> User {
        let digest = Sha256::digest(format!("dovetail user {name}"));
        User {
            name: name.to_string(),
            id: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            display_name: name.to_string(),
            email: None,
            access_key_id,
            secret_access_key,
        }
    }
}
