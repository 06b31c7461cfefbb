//! Users that are made, changed and removed while the gateway runs, and their access keys.
//!
//! A user belongs to an account, which is one of the configuration's users: what it makes is the account's, and it may
//! do what its policy and the buckets' policies allow, without any: nothing.
//!
//! Records are in the table `Users`. Every signature needs them, so they are also kept in memory, taken apart, and read
//! anew after every change before that is acknowledged. One gateway has the store to itself, so nobody else changes it.

mod seal;
#[cfg(test)]
mod tests;

pub use seal::{KEY_LEN, SealingKey};

use crate::base::clock::Clock;
use crate::base::random;
use crate::engine::access::{MalformedPolicy, Policy};
use crate::engine::{Engine, Error};
use crate::meta::keys;
use crate::meta::records::{AccessKeyRecord, Record, UserRecord};
use crate::meta::{Meta, Read, Step, Table, Write};
use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::Mutex;

/// Users of a gateway. All of them are in memory, and in one answer when they are listed (invariant 6).
const USERS_MAX: usize = 5_000;
/// Keys of one user: two are needed to change one for another without a gap.
const KEYS_PER_USER_MAX: usize = 4;
/// Characters of a user's name, as in IAM.
const NAME_LEN_MAX: usize = 64;
/// The characters of a key id after its first two. 32 of them, so that no choice is likelier than another.
const ID_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A user as it is used.
#[derive(Debug)]
pub struct User {
    pub name: String,
    /// The canonical id of its account.
    pub account: String,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// As it was given.
    pub policy_text: Option<String>,
    /// Taken apart; empty without one, which allows nothing.
    pub policy: Policy,
    /// Ids and creation times of its keys, in the order of the ids.
    pub keys: Vec<(String, i64)>,
}

/// What signs requests as a user.
#[derive(Clone, Debug)]
pub struct AccessKey {
    pub user: Arc<User>,
    pub secret: Secret,
}

/// A secret that is not shown.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// A key pair that was just made: nothing tells its secret again.
#[derive(Debug)]
pub struct NewKey {
    pub id: String,
    pub secret: Secret,
}

/// A user to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub name: String,
    /// The canonical id of its account, which there is.
    pub account: String,
    pub policy: Option<String>,
}

/// Why users were not changed. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("there is no user {0}")]
    NoSuchUser(String),
    #[error("there is no access key {0}")]
    NoSuchKey(String),
    #[error("there is a user {0} already")]
    Exists(String),
    #[error("a user's name has 1 to {NAME_LEN_MAX} letters, digits and characters of +=,.@_-")]
    BadName,
    #[error("{0}")]
    BadPolicy(String),
    #[error("there cannot be more than {max} {what}")]
    TooMany { max: usize, what: &'static str },
    #[error(transparent)]
    Engine(#[from] Error),
}

impl From<crate::meta::Error> for ChangeError {
    fn from(err: crate::meta::Error) -> ChangeError {
        ChangeError::Engine(err.into())
    }
}

impl From<MalformedPolicy> for ChangeError {
    fn from(err: MalformedPolicy) -> ChangeError {
        ChangeError::BadPolicy(err.0)
    }
}

/// All of a gateway's users that the configuration does not have. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Users(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    meta: Meta,
    clock: Clock,
    sealing_key: SealingKey,
    current: ArcSwap<Snapshot>,
    /// Held while users are changed: what is in memory afterwards is the state after the last change.
    changes: Mutex<()>,
}

#[derive(Debug, Default)]
struct Snapshot {
    by_name: BTreeMap<String, Arc<User>>,
    by_key: HashMap<String, AccessKey>,
}

impl Users {
    /// None yet: [`Users::load`] reads those that are stored.
    pub fn new(engine: &Engine, sealing_key: SealingKey) -> Users {
        let (meta, clock) = (engine.meta.clone(), engine.clock.clone());
        let (current, changes) = (ArcSwap::default(), Mutex::default());
        Users(Arc::new(Shared { meta, clock, sealing_key, current, changes }))
    }

    /// Reads the users that are stored. A key whose secret cannot be opened is logged, and signs nothing.
    pub async fn load(&self) -> Result<(), Error> {
        let records = self.0.meta.read(|read| Records::read(read)).await?;
        let snapshot = records.into_snapshot(&self.0.sealing_key)?;
        self.0.current.store(Arc::new(snapshot));
        Ok(())
    }

    /// Whose key this is. Costs a look into memory.
    pub fn of_key(&self, access_key_id: &str) -> Option<AccessKey> {
        self.0.current.load().by_key.get(access_key_id).cloned()
    }

    /// All users in the order of their names.
    pub fn all(&self) -> Vec<Arc<User>> {
        self.0.current.load().by_name.values().cloned().collect()
    }

    pub fn get(&self, name: &str) -> Option<Arc<User>> {
        self.0.current.load().by_name.get(name).cloned()
    }

    /// Makes a user, which may do nothing but what its policy allows, and has no key yet.
    pub async fn add(&self, new: NewUser) -> Result<(), ChangeError> {
        let NewUser { name, account, policy } = new;
        check_name(&name)?;
        check_policy(policy.as_deref())?;
        let record = UserRecord { account, created_ms: self.0.clock.now_ms(), policy };
        self.change(move |tx, known| {
            if known.by_name.contains_key(&name) {
                return Err(ChangeError::Exists(name.clone()));
            }
            if known.by_name.len() >= USERS_MAX {
                return Err(ChangeError::TooMany { max: USERS_MAX, what: "users" });
            }
            tx.put(Table::Users, &keys::user(&name), record.encode());
            Ok(())
        })
        .await
    }

    /// Removes a user and its keys. What it made is its account's and stays.
    pub async fn remove(&self, name: &str) -> Result<(), ChangeError> {
        let name = name.to_owned();
        self.change(move |tx, known| {
            let user = known.user(&name)?;
            tx.delete(Table::Users, &keys::user(&name));
            for (id, _) in &user.keys {
                tx.delete(Table::Users, &keys::access_key(id));
            }
            Ok(())
        })
        .await
    }

    /// Replaces a user's policy; `None` leaves it with none, and so with nothing that it may do on its own.
    pub async fn set_policy(&self, name: &str, policy: Option<String>) -> Result<(), ChangeError> {
        check_policy(policy.as_deref())?;
        let name = name.to_owned();
        self.change(move |tx, known| {
            let user = known.user(&name)?;
            let (account, created_ms) = (user.account.clone(), user.created_ms);
            let record = UserRecord { account, created_ms, policy: policy.clone() };
            tx.put(Table::Users, &keys::user(&name), record.encode());
            Ok(())
        })
        .await
    }

    /// Makes a key pair for a user. This alone tells its secret, once.
    pub async fn create_key(&self, name: &str) -> Result<NewKey, ChangeError> {
        let id = random::bytes::<18>().map(|byte| ID_ALPHABET[usize::from(byte % 32)]);
        let id = format!("DT{}", String::from_utf8_lossy(&id));
        let secret = URL_SAFE_NO_PAD.encode(random::bytes::<30>());
        let record = AccessKeyRecord {
            user: name.to_owned(),
            created_ms: self.0.clock.now_ms(),
            sealed_secret: self.0.sealing_key.seal(&secret, &id),
        };
        let key = NewKey { id: id.clone(), secret: Secret(secret.into()) };
        let name = name.to_owned();
        self.change(move |tx, known| {
            if known.user(&name)?.keys.len() >= KEYS_PER_USER_MAX {
                return Err(ChangeError::TooMany { max: KEYS_PER_USER_MAX, what: "keys of one user" });
            }
            tx.put(Table::Users, &keys::access_key(&id), record.encode());
            Ok(())
        })
        .await?;
        Ok(key)
    }

    /// Nothing that this key signs is accepted any more.
    pub async fn revoke_key(&self, access_key_id: &str) -> Result<(), ChangeError> {
        let id = access_key_id.to_owned();
        self.change(move |tx, known| {
            if !known.by_name.values().any(|user| user.keys.iter().any(|(known, _)| *known == id)) {
                return Err(ChangeError::NoSuchKey(id.clone()));
            }
            tx.delete(Table::Users, &keys::access_key(&id));
            Ok(())
        })
        .await
    }

    /// One change after the other: judged by what is in memory, which nobody else can make old, then committed, then
    /// read anew, so that it is followed when this returns.
    async fn change<F>(&self, job: F) -> Result<(), ChangeError>
    where
        F: Fn(&mut dyn Write, &Snapshot) -> Result<(), ChangeError> + Send + 'static,
    {
        let _changes = self.0.changes.lock().await;
        let known = self.0.current.load_full();
        let outcome = self.0.meta.transact(move |tx| job(tx, &known)).await;
        // Even a commit that failed may have happened.
        self.load().await?;
        outcome
    }
}

impl Snapshot {
    fn user(&self, name: &str) -> Result<&Arc<User>, ChangeError> {
        self.by_name.get(name).ok_or_else(|| ChangeError::NoSuchUser(name.to_owned()))
    }
}

/// The table, decoded.
#[derive(Default)]
struct Records {
    users: Vec<(String, UserRecord)>,
    keys: Vec<(String, AccessKeyRecord)>,
}

impl Records {
    fn read(read: &dyn Read) -> Result<Records, Error> {
        let mut records = Records::default();
        let mut failure = None;
        read.scan(Table::Users, &[], &mut |stored, value| {
            let taken = match keys::parse_user_entry(stored) {
                Some(keys::UserEntry::User(name)) => {
                    UserRecord::decode(value).map(|record| records.users.push((name.to_owned(), record)))
                }
                Some(keys::UserEntry::AccessKey(id)) => {
                    AccessKeyRecord::decode(value).map(|record| records.keys.push((id.to_owned(), record)))
                }
                None => Ok(()),
            };
            match taken {
                Ok(()) => Step::Next,
                Err(err) => {
                    failure = Some(err);
                    Step::Stop
                }
            }
        })?;
        failure.map_or(Ok(records), |err| Err(err.into()))
    }

    fn into_snapshot(self, sealing_key: &SealingKey) -> Result<Snapshot, Error> {
        let mut keys_of: HashMap<String, Vec<(String, i64)>> = HashMap::new();
        for (id, record) in &self.keys {
            keys_of.entry(record.user.clone()).or_default().push((id.clone(), record.created_ms));
        }
        let mut snapshot = Snapshot::default();
        for (name, record) in self.users {
            let UserRecord { account, created_ms, policy: policy_text } = record;
            let policy = match policy_text.as_deref().map(|text| Policy::of_user(text.as_bytes())) {
                None => Policy::default(),
                Some(Ok(policy)) => policy,
                // It was checked when it was put, so this program is older than the one that did.
                Some(Err(err)) => {
                    tracing::error!(user.name = %name, error = %err, "cannot read a user's policy, so the user may do nothing");
                    Policy::default()
                }
            };
            let keys = keys_of.remove(&name).unwrap_or_default();
            let user = User { name: name.clone(), account, created_ms, policy_text, policy, keys };
            snapshot.by_name.insert(name, Arc::new(user));
        }
        for (id, record) in self.keys {
            let Some(user) = snapshot.by_name.get(&record.user) else { continue };
            match sealing_key.open(&record.sealed_secret, &id) {
                Some(secret) => {
                    let key = AccessKey { user: Arc::clone(user), secret: Secret(secret.into()) };
                    snapshot.by_key.insert(id, key);
                }
                None => tracing::error!(
                    user.name = %record.user,
                    key.id = %id,
                    "cannot open the secret of an access key, so it signs nothing; is the sealing key another one?"
                ),
            }
        }
        Ok(snapshot)
    }
}

fn check_name(name: &str) -> Result<(), ChangeError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    match (1..=NAME_LEN_MAX).contains(&name.len()) && name.bytes().all(is_allowed) {
        true => Ok(()),
        false => Err(ChangeError::BadName),
    }
}

fn check_policy(text: Option<&str>) -> Result<(), ChangeError> {
    if let Some(text) = text {
        Policy::of_user(text.as_bytes())?;
    }
    Ok(())
}
