//! The key of one content, and everything that is done with it.
//!
//! AES-256-GCM must never see the same key and nonce twice. So nothing here takes a nonce, or a name to derive a key
//! from: whatever is encrypted gets a key of its own, derived from the content's key and fresh randomness that is made
//! in the same call. A blob's key is derived from the blob's random id, which [`ContentKey::new_blob`] makes, and its
//! blocks are counted by the [`BlobSealer`] that alone has it. Two uploads of one part, a repeated one, and copies are
//! different blobs, and so have different keys.
//!
//! ```text
//! content key (random) --blob id--> key of a blob --block number--> nonce
//!                      --salt-----> key of an inline object
//!                      -----------> key that hides the MD5s in ETags
//! ```

use crate::base::random;
use crate::blob::BlobId;
use aws_lc_rs::cipher::{AES_256, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk};
use bytes::Bytes;
// Without AVX-512, aws-lc's AES-GCM takes one block of the cipher at a time, and ring's two.
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

pub const KEY_LEN: usize = 32;
pub const TAG_LEN: usize = 16;
const SALT_LEN: usize = 32;
/// What an inline object has more of when it is encrypted.
pub const INLINE_OVERHEAD_LEN: usize = SALT_LEN + TAG_LEN;

/// The bytes of a key. They are wiped from memory when the last copy goes, and shown by nothing.
#[derive(Clone)]
pub struct KeyBytes(Arc<Zeroizing<[u8; KEY_LEN]>>);

impl KeyBytes {
    pub fn new(bytes: [u8; KEY_LEN]) -> KeyBytes {
        KeyBytes(Arc::new(Zeroizing::new(bytes)))
    }

    pub fn random() -> KeyBytes {
        KeyBytes::new(random::bytes())
    }

    pub(super) fn expose(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// A key for one purpose, by HKDF (RFC 5869). `of` has one length for each purpose.
    fn derive(&self, purpose: &str, of: &[u8]) -> Zeroizing<[u8; KEY_LEN]> {
        let mut derived = Zeroizing::new([0; KEY_LEN]);
        Prk::new_less_safe(HKDF_SHA256, self.expose())
            .expand(&[purpose.as_bytes(), &[0], of], HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut *derived))
            .expect("SHA-256 gives 32 bytes");
        derived
    }

    fn derive_aead(&self, purpose: &str, of: &[u8]) -> LessSafeKey {
        let derived = self.derive(purpose, of);
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &*derived).expect("AES-256 has keys of 32 bytes"))
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyBytes")
    }
}

/// The bytes are not what was encrypted with this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAuthentic;

/// 32 random bytes that belong to one content: to what a PutObject wrote, or to all parts of an upload.
#[derive(Clone, Debug)]
pub struct ContentKey(KeyBytes);

impl ContentKey {
    pub fn random() -> ContentKey {
        ContentKey(KeyBytes::random())
    }

    /// The name of a new blob, and what encrypts its blocks.
    pub fn new_blob(&self) -> (BlobId, BlobSealer) {
        let id = BlobId::random();
        (id, BlobSealer { key: Box::new(self.blob_key(id)), next: 0 })
    }

    /// What decrypts the blocks of a blob of this content.
    pub fn open_blob(&self, id: BlobId) -> BlobOpener {
        BlobOpener(Box::new(self.blob_key(id)))
    }

    fn blob_key(&self, id: BlobId) -> LessSafeKey {
        self.0.derive_aead("dovetail blob", &id.0)
    }

    /// The bytes of an inline object, encrypted: a salt, then as many bytes, then the tag.
    pub fn seal_inline(&self, bytes: &[u8]) -> Vec<u8> {
        seal(&self.0, "dovetail inline", &[], bytes)
    }

    /// What [`ContentKey::seal_inline`] was given.
    pub fn open_inline(&self, sealed: &[u8]) -> Result<Bytes, NotAuthentic> {
        let mut opened = sealed.to_vec();
        let len = open(&self.0, "dovetail inline", &[], &mut opened)?.len();
        Ok(Bytes::from(opened).slice(SALT_LEN..SALT_LEN + len))
    }

    /// What a client may see instead of the MD5 of bytes whose MD5 nobody may see. The same for the same bytes, so that
    /// a repeated part has the same ETag; AES of one block, so that a copy that may show the MD5 still can.
    pub fn hide_md5(&self, mut md5: [u8; 16]) -> [u8; 16] {
        let key = EncryptingKey::ecb(self.md5_key()).expect("AES-256 can do single blocks");
        key.encrypt(&mut md5).expect("an MD5 is one block");
        md5
    }

    /// The MD5 that [`ContentKey::hide_md5`] was given.
    pub fn reveal_md5(&self, mut hidden: [u8; 16]) -> [u8; 16] {
        let key = DecryptingKey::ecb(self.md5_key()).expect("AES-256 can do single blocks");
        key.decrypt(&mut hidden, DecryptionContext::None).expect("an MD5 is one block");
        hidden
    }

    fn md5_key(&self) -> UnboundCipherKey {
        let derived = self.0.derive("dovetail etag", &[]);
        UnboundCipherKey::new(&AES_256, &*derived).expect("AES-256 has keys of 32 bytes")
    }

    /// This key, wrapped by another: a salt, then key and tag. `context` has to be the same when it is unwrapped.
    pub(super) fn wrap(&self, by: &KeyBytes, context: &[u8]) -> ([u8; SALT_LEN], [u8; KEY_LEN + TAG_LEN]) {
        let wrapped = seal(by, "dovetail wrap", context, self.0.expose());
        let (salt, sealed) = wrapped.split_first_chunk().expect("the salt comes first");
        (*salt, sealed.try_into().expect("a key and a tag follow"))
    }

    pub(super) fn unwrap(
        by: &KeyBytes,
        context: &[u8],
        salt: &[u8; SALT_LEN],
        sealed: &[u8; KEY_LEN + TAG_LEN],
    ) -> Result<ContentKey, NotAuthentic> {
        let mut wrapped = Zeroizing::new([&salt[..], sealed].concat());
        let key = open(by, "dovetail wrap", context, &mut wrapped)?;
        Ok(ContentKey(KeyBytes::new(key.try_into().map_err(|_| NotAuthentic)?)))
    }
}

/// Encrypts under a key that is derived from `key` and a new salt, so that its only nonce is used once.
fn seal(key: &KeyBytes, purpose: &str, context: &[u8], bytes: &[u8]) -> Vec<u8> {
    let salt: [u8; SALT_LEN] = random::bytes();
    let mut sealed = Vec::with_capacity(SALT_LEN + bytes.len() + TAG_LEN);
    sealed.extend_from_slice(&salt);
    sealed.extend_from_slice(bytes);
    let tag = key
        .derive_aead(purpose, &salt)
        .seal_in_place_separate_tag(nonce(0), Aad::from(context), &mut sealed[SALT_LEN..])
        .expect("what is encrypted is far below the limits of AES-GCM");
    sealed.extend_from_slice(tag.as_ref());
    sealed
}

/// Decrypts what [`seal`] made, in its place.
fn open<'a>(
    key: &KeyBytes,
    purpose: &str,
    context: &[u8],
    sealed: &'a mut [u8],
) -> Result<&'a mut [u8], NotAuthentic> {
    let (salt, rest) = sealed.split_at_mut_checked(SALT_LEN).ok_or(NotAuthentic)?;
    let key = key.derive_aead(purpose, salt);
    key.open_in_place(nonce(0), Aad::from(context), rest).map_err(|_| NotAuthentic)
}

fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[NONCE_LEN - 8..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// Encrypts the blocks of one blob, in order, each once.
#[derive(Debug)]
pub struct BlobSealer {
    /// Half a kilobyte, and not wiped when it goes: it opens this blob alone.
    key: Box<LessSafeKey>,
    next: u64,
}

impl BlobSealer {
    /// Encrypts the next block in its place and returns its tag.
    pub fn seal(&mut self, block: &mut [u8]) -> [u8; TAG_LEN] {
        let nonce = nonce(self.next);
        self.next += 1;
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::empty(), block)
            .expect("a block is far below the limits of AES-GCM");
        tag.as_ref().try_into().expect("AES-GCM has tags of 16 bytes")
    }
}

/// Decrypts blocks of one blob.
#[derive(Debug)]
pub struct BlobOpener(Box<LessSafeKey>);

impl BlobOpener {
    /// The block of this number, if it is the one that was encrypted.
    pub fn open(&self, index: u64, sealed: &[u8], tag: &[u8; TAG_LEN]) -> Result<Bytes, NotAuthentic> {
        let mut block = sealed.to_vec();
        self.0
            .open_in_place_separate_tag(nonce(index), Aad::empty(), (*tag).into(), &mut block, 0..)
            .map_err(|_| NotAuthentic)?;
        Ok(block.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn whatever_is_encrypted_twice_comes_out_differently_each_time() {
        let key = ContentKey::random();
        let mut seen = HashSet::new();
        let block = [7; 64];
        for _ in 0..3 {
            // As two uploads of one part do: the same key, the same bytes, the same block numbers.
            let (_, mut sealer) = key.new_blob();
            for _ in 0..3 {
                let mut sealed = block;
                sealer.seal(&mut sealed);
                assert!(seen.insert(sealed.to_vec()), "a key stream was used twice");
            }
            assert!(seen.insert(key.seal_inline(&block)[SALT_LEN..][..64].to_vec()));
            assert!(seen.insert(key.wrap(&key.0, b"").1.to_vec()));
        }
    }

    #[test]
    fn a_block_opens_in_its_place_with_its_tag_and_nowhere_else() {
        let key = ContentKey::random();
        let (id, mut sealer) = key.new_blob();
        let mut sealed = [[1; 100], [2; 100]];
        let tags = sealed.each_mut().map(|block| sealer.seal(block));
        let opener = key.open_blob(id);
        assert_eq!(opener.open(0, &sealed[0], &tags[0]).unwrap(), vec![1; 100]);
        assert_eq!(opener.open(1, &sealed[1], &tags[1]).unwrap(), vec![2; 100]);
        assert_eq!(opener.open(0, &sealed[1], &tags[1]), Err(NotAuthentic), "moved");
        assert_eq!(opener.open(0, &sealed[0], &tags[1]), Err(NotAuthentic), "another's tag");
        assert_eq!(opener.open(0, &sealed[0][..99], &tags[0]), Err(NotAuthentic), "cut short");
        sealed[0][50] ^= 1;
        assert_eq!(opener.open(0, &sealed[0], &tags[0]), Err(NotAuthentic), "changed");
        let (other, _) = key.new_blob();
        assert_eq!(key.open_blob(other).open(1, &sealed[1], &tags[1]), Err(NotAuthentic), "another blob");
        let stranger = ContentKey::random();
        assert_eq!(stranger.open_blob(id).open(1, &sealed[1], &tags[1]), Err(NotAuthentic), "another key");
    }

    #[test]
    fn an_inline_object_opens_whole_or_not_at_all() {
        let key = ContentKey::random();
        for bytes in [&b""[..], b"a", &[9; 70_000]] {
            let sealed = key.seal_inline(bytes);
            assert_eq!(key.open_inline(&sealed).unwrap(), bytes);
            assert_eq!(ContentKey::random().open_inline(&sealed), Err(NotAuthentic));
            for at in [0, SALT_LEN, sealed.len() - 1] {
                let mut changed = sealed.clone();
                changed[at] ^= 1;
                assert_eq!(key.open_inline(&changed), Err(NotAuthentic));
            }
            for len in [0, SALT_LEN - 1, SALT_LEN, sealed.len() - 1] {
                assert_eq!(key.open_inline(&sealed[..len]), Err(NotAuthentic));
            }
        }
    }

    #[test]
    fn a_hidden_md5_comes_back_with_the_key_alone() {
        let key = ContentKey::random();
        let hidden = key.hide_md5([5; 16]);
        assert_ne!(hidden, [5; 16]);
        assert_eq!(key.hide_md5([5; 16]), hidden, "a repeated part has the same ETag");
        assert_eq!(key.reveal_md5(hidden), [5; 16]);
        assert_ne!(ContentKey::random().reveal_md5(hidden), [5; 16]);
    }

    #[test]
    fn no_key_is_shown() {
        let key = ContentKey(KeyBytes::new([0xab; 32]));
        let (_, sealer) = key.new_blob();
        for shown in
            [format!("{key:?}"), format!("{sealer:?}"), format!("{:?}", key.open_blob(BlobId([1; 16])))]
        {
            assert!(!shown.contains("171") && !shown.to_lowercase().contains("abab"), "{shown}");
        }
    }
}
