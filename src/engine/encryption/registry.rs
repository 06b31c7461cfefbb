//! Which master keys something may be wrapped by: what a gateway must have before it starts.
//!
//! A key is registered before the first content's key is wrapped by it, and forgotten when
//! `jobs::key_rewrapper` has found nothing more that is. So a gateway whose key file was lost or mixed up says so at its
//! start, and never makes a new key beside data that needs the old one.

use super::{Encryption, Keyring};
use crate::engine::{Engine, Error};
use crate::meta::records::{MasterKeyRecord, Record};
use crate::meta::{Meta, Step, Table};

/// The fingerprints of the registered keys.
pub async fn registered(meta: &Meta) -> Result<Vec<String>, Error> {
    meta.read(|read| {
        let mut found = Vec::new();
        read.scan(Table::MasterKeys, &[], &mut |key, _| {
            found.push(String::from_utf8_lossy(key).into_owned());
            Step::Next
        })?;
        Ok(found)
    })
    .await
}

/// Those of `registered` that are not in the keyring.
pub fn missing<'a>(registered: &'a [String], keyring: &Keyring) -> Vec<&'a str> {
    let has = |fingerprint: &&str| keyring.masters().any(|master| master == *fingerprint);
    registered.iter().map(String::as_str).filter(|fingerprint| !has(fingerprint)).collect()
}

/// Registers the newest master key before it is used, durably; once in the life of a process.
pub async fn before_use(engine: &Engine, wanted: Option<&Encryption>) -> Result<(), Error> {
    let keyring = &engine.settings.keyring;
    let (Some(Encryption::S3), Some(newest)) = (wanted, keyring.masters().next_back()) else { return Ok(()) };
    if keyring.is_registered.get().is_some() {
        return Ok(());
    }
    let (key, since_ms) = (newest.as_bytes().to_vec(), engine.clock.now_ms());
    engine
        .meta
        .transact(move |tx| {
            if tx.get(Table::MasterKeys, &key)?.is_none() {
                tx.put(Table::MasterKeys, &key, MasterKeyRecord { since_ms }.encode());
            }
            Ok::<_, Error>(())
        })
        .await?;
    let _ = keyring.is_registered.set(());
    Ok(())
}
