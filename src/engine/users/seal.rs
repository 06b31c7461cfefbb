//! Secrets as they are stored: AES-256-GCM under a key that is kept beside the store and not in it, so that neither a
//! copy of the store nor a backup of it alone gives any secret away.

use crate::base::random;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::fmt;

pub const KEY_LEN: usize = 32;

/// What seals and opens secrets. `Debug` shows nothing of it.
pub struct SealingKey(LessSafeKey);

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey")
    }
}

impl SealingKey {
    pub fn new(key: &[u8; KEY_LEN]) -> SealingKey {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("the key has the length of the algorithm");
        SealingKey(LessSafeKey::new(key))
    }

    /// Seals a secret to what it belongs to: the nonce, which is random, and the ciphertext with its tag.
    pub fn seal(&self, secret: &str, belongs_to: &str) -> Vec<u8> {
        let nonce = random::bytes::<NONCE_LEN>();
        let mut text = secret.as_bytes().to_vec();
        let sealed = self.0.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(belongs_to.as_bytes()),
            &mut text,
        );
        sealed.expect("a short text can be sealed");
        [&nonce[..], &text].concat()
    }

    /// The secret; `None` when it was sealed under another key, belongs to something else, or is damaged.
    pub fn open(&self, sealed: &[u8], belongs_to: &str) -> Option<String> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(belongs_to.as_bytes()), &mut text).ok()?;
        String::from_utf8(opened.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_with_its_key_and_its_owner_alone() {
        let key = SealingKey::new(&[1; KEY_LEN]);
        let sealed = key.seal("secret", "DTKEY");
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_ne!(sealed, key.seal("secret", "DTKEY"), "no nonce twice");
        assert_eq!(key.open(&sealed, "DTKEY").as_deref(), Some("secret"));
        assert_eq!(key.open(&sealed, "DTOTHER"), None);
        assert_eq!(SealingKey::new(&[2; KEY_LEN]).open(&sealed, "DTKEY"), None);
        let mut damaged = sealed.clone();
        damaged[NONCE_LEN] ^= 1;
        assert_eq!(key.open(&damaged, "DTKEY"), None);
        assert_eq!(key.open(&sealed[..5], "DTKEY"), None);
    }
}
