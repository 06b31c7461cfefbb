//! The administrative requests of a Dovetail gateway: its users and their keys.
//!
//! They are sent once and never again on their own: a repeated request for a key would leave a key that nobody knows of.

use crate::client::endpoint::Endpoint;
use crate::client::endpoint::call::{Answer, Call, Payload};
use crate::client::error::Error;
use http::Method;
use serde::{Deserialize, Serialize};

/// A user as a gateway tells of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UserEntry {
    pub name: String,
    /// The name of the account, or its canonical id when the configuration has nobody of it any more.
    pub account: String,
    pub created: String,
    pub has_policy: bool,
    pub keys: Vec<KeyEntry>,
}

/// An access key of a user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyEntry {
    pub access_key_id: String,
    pub created: String,
}

/// A key pair that was just made. Nothing tells the secret again.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewKey {
    pub access_key_id: String,
    pub secret_access_key: String,
}

/// A user to be made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The name of the account; by default the gateway's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// An IAM-style policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

#[derive(Deserialize)]
struct Listing {
    users: Vec<UserEntry>,
}

impl Endpoint {
    pub async fn users(&self) -> Result<Vec<UserEntry>, Error> {
        let call = admin("list the users", Method::GET, "users");
        let answer = self.administer(&call).await?;
        Ok(read::<Listing>(&call, &answer)?.users)
    }

    pub async fn add_user(&self, name: &str, user: &NewUser) -> Result<(), Error> {
        let body = serde_json::to_vec(user).map_err(|err| Error::Usage(err.to_string()))?;
        let call = admin(format!("add the user {name}"), Method::PUT, &format!("users/{name}"));
        self.administer(&call.body(Payload::Bytes(body.into()))).await.map(drop)
    }

    pub async fn remove_user(&self, name: &str) -> Result<(), Error> {
        let call = admin(format!("remove the user {name}"), Method::DELETE, &format!("users/{name}"));
        self.administer(&call).await.map(drop)
    }

    /// A user's policy as it was given; `None` without one.
    pub async fn user_policy(&self, name: &str) -> Result<Option<String>, Error> {
        let call = admin(format!("read the policy of {name}"), Method::GET, &format!("users/{name}/policy"));
        let answer = self.administer(&call).await?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        Ok((!text.is_empty()).then_some(text))
    }

    /// Replaces a user's policy, or takes it away.
    pub async fn set_user_policy(&self, name: &str, policy: Option<String>) -> Result<(), Error> {
        let method = if policy.is_some() { Method::PUT } else { Method::DELETE };
        let call = admin(format!("set the policy of {name}"), method, &format!("users/{name}/policy"));
        self.administer(&call.body(Payload::Bytes(policy.unwrap_or_default().into()))).await.map(drop)
    }

    pub async fn create_key(&self, user: &str) -> Result<NewKey, Error> {
        let call = admin(format!("make a key for {user}"), Method::POST, &format!("users/{user}/keys"));
        let answer = self.administer(&call).await?;
        read(&call, &answer)
    }

    pub async fn revoke_key(&self, id: &str) -> Result<(), Error> {
        let call = admin(format!("revoke the key {id}"), Method::DELETE, &format!("keys/{id}"));
        self.administer(&call).await.map(drop)
    }

    async fn administer(&self, call: &Call) -> Result<Answer, Error> {
        if self.is_aws() {
            return Err(Error::Usage("name the gateway with --endpoint-url or AWS_ENDPOINT_URL".into()));
        }
        self.call_once(call).await
    }
}

/// A request below `/_/admin/v1/`, which can be no bucket.
fn admin(doing: impl Into<String>, method: Method, path: &str) -> Call {
    Call::new(doing, method, "_", &format!("admin/v1/{path}"))
}

fn read<T: for<'d> Deserialize<'d>>(call: &Call, answer: &Answer) -> Result<T, Error> {
    // The parser's own message would show what it read, a secret perhaps.
    serde_json::from_slice(&answer.body)
        .map_err(|_| Error::malformed(&call.doing, "it is not the JSON that was expected"))
}
