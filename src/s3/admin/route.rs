//! Which administrative request a method and a path are.

use crate::s3::error::{S3Error, method_not_allowed};
use crate::wire::error_code::ErrorCode;
use crate::wire::percent;
use http::Method;

const PREFIX: &str = "/_/admin/v1/";

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    Users,
    Policy(String),
    Change(Change),
}

/// A request that changes something; with names of users and ids of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Add(String),
    Remove(String),
    SetPolicy(String),
    RemovePolicy(String),
    CreateKey(String),
    RevokeKey(String),
}

impl Route {
    pub fn of(method: &Method, path: &str) -> Result<Route, S3Error> {
        let segments = path.strip_prefix(PREFIX).map(|rest| rest.split('/').collect::<Vec<_>>());
        let name =
            |raw: &str| percent::decode(raw.as_bytes()).map_err(|_| S3Error::from(ErrorCode::InvalidURI));
        let get = *method == Method::GET;
        let (put, post, delete) =
            (*method == Method::PUT, *method == Method::POST, *method == Method::DELETE);
        match segments.as_deref() {
            Some(["users"]) if get => Ok(Route::Users),
            Some(["users"]) => Err(method_not_allowed(method, "USERS", "GET")),
            Some(["users", user]) if put => Ok(Route::Change(Change::Add(name(user)?))),
            Some(["users", user]) if delete => Ok(Route::Change(Change::Remove(name(user)?))),
            Some(["users", _]) => Err(method_not_allowed(method, "USER", "PUT, DELETE")),
            Some(["users", user, "policy"]) if get => Ok(Route::Policy(name(user)?)),
            Some(["users", user, "policy"]) if put => Ok(Route::Change(Change::SetPolicy(name(user)?))),
            Some(["users", user, "policy"]) if delete => Ok(Route::Change(Change::RemovePolicy(name(user)?))),
            Some(["users", _, "policy"]) => Err(method_not_allowed(method, "POLICY", "GET, PUT, DELETE")),
            Some(["users", user, "keys"]) if post => Ok(Route::Change(Change::CreateKey(name(user)?))),
            Some(["users", _, "keys"]) => Err(method_not_allowed(method, "KEYS", "POST")),
            Some(["keys", id]) if delete => Ok(Route::Change(Change::RevokeKey(name(id)?))),
            Some(["keys", _]) => Err(method_not_allowed(method, "KEY", "DELETE")),
            _ => Err(S3Error::new(ErrorCode::NoSuchEntity, "There is no such administrative request")),
        }
    }
}

impl Change {
    /// What is done, and to which user or key, for the log.
    pub fn in_words(&self) -> (&'static str, &str) {
        match self {
            Change::Add(name) => ("add user", name),
            Change::Remove(name) => ("remove user", name),
            Change::SetPolicy(name) => ("set policy", name),
            Change::RemovePolicy(name) => ("remove policy", name),
            Change::CreateKey(name) => ("create key", name),
            Change::RevokeKey(id) => ("revoke key", id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_and_a_path_are_one_request_or_none() {
        let of = |method: &str, path: &str| {
            Route::of(&method.parse().unwrap(), path).map_err(|err| err.code().as_str())
        };
        let change = |change: fn(String) -> Change, name: &str| Ok(Route::Change(change(name.to_owned())));
        assert_eq!(of("GET", "/_/admin/v1/users"), Ok(Route::Users));
        assert_eq!(of("GET", "/_/admin/v1/users/a%40b/policy"), Ok(Route::Policy("a@b".into())));
        for (method, path, expected) in [
            ("PUT", "users/ann", change(Change::Add, "ann")),
            ("DELETE", "users/ann", change(Change::Remove, "ann")),
            ("PUT", "users/ann/policy", change(Change::SetPolicy, "ann")),
            ("DELETE", "users/ann/policy", change(Change::RemovePolicy, "ann")),
            ("POST", "users/ann/keys", change(Change::CreateKey, "ann")),
            ("DELETE", "keys/DTKEY", change(Change::RevokeKey, "DTKEY")),
            ("POST", "users", Err("MethodNotAllowed")),
            ("GET", "users/ann", Err("MethodNotAllowed")),
            ("POST", "users/ann/policy", Err("MethodNotAllowed")),
            ("GET", "users/ann/keys", Err("MethodNotAllowed")),
            ("GET", "keys/DTKEY", Err("MethodNotAllowed")),
            ("GET", "", Err("NoSuchEntity")),
            ("GET", "users/ann/other", Err("NoSuchEntity")),
            ("GET", "users/ann/policy/more", Err("NoSuchEntity")),
            ("PUT", "users/%zz", Err("InvalidURI")),
        ] {
            assert_eq!(of(method, &format!("/_/admin/v1/{path}")), expected, "{method} {path}");
        }
        assert_eq!(of("GET", "/_/admin/v2/users"), Err("NoSuchEntity"));
    }
}
