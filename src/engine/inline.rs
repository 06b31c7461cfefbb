//! Small objects as they are kept in the table `Inline`: a checksum, then the bytes, encrypted if their content is.

use crate::engine::encryption::ContentKey;
use crate::meta::keys::ContentId;
use crate::meta::{Error, ErrorKind};
use bytes::Bytes;

/// CRC-32C of the stored bytes, big-endian, before them.
const CHECKSUM_LEN: usize = 4;

/// The value to store for these bytes, which are encrypted by now if they are to be.
pub fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(CHECKSUM_LEN + bytes.len());
    value.extend_from_slice(&dovetail_digest::crc32c(bytes).to_be_bytes());
    value.extend_from_slice(bytes);
    value
}

/// The bytes in a stored value, verified (invariant 5); anything but what was written is `Corrupt`.
pub fn decode(id: ContentId, value: &Bytes, key: Option<&ContentKey>) -> Result<Bytes, Error> {
    let stored = verify(id, value)?;
    let Some(key) = key else { return Ok(stored) };
    key.open_inline(&stored).map_err(|_| {
        let step = format!("cannot read inline content {id}: it is not what was encrypted");
        Error::new(ErrorKind::Corrupt, step)
    })
}

/// The stored bytes in a value, encrypted or not, compared with their checksum.
pub fn verify(id: ContentId, value: &Bytes) -> Result<Bytes, Error> {
    let corrupt =
        |why: &str| Error::new(ErrorKind::Corrupt, format!("cannot read inline content {id}: {why}"));
    let (checksum, bytes) = value.split_first_chunk().ok_or_else(|| corrupt("it is cut short"))?;
    if dovetail_digest::crc32c(bytes) != u32::from_be_bytes(*checksum) {
        return Err(corrupt("its checksum does not match"));
    }
    Ok(value.slice(CHECKSUM_LEN..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_wrote_and_nothing_else() {
        let id = ContentId([7; 16]);
        for bytes in [&b""[..], b"a", b"some bytes"] {
            let value = encode(bytes);
            assert_eq!(decode(id, &value.clone().into(), None).unwrap(), bytes);
            for at in 0..value.len() {
                let mut damaged = value.clone();
                damaged[at] ^= 1;
                assert_eq!(decode(id, &damaged.into(), None).unwrap_err().kind, ErrorKind::Corrupt);
            }
        }
        assert!(decode(id, &Bytes::from_static(&[1, 2, 3]), None).is_err());
    }

    #[test]
    fn what_is_encrypted_is_verified_without_its_key_and_read_with_it() {
        let (id, key) = (ContentId([7; 16]), ContentKey::random());
        let value: Bytes = encode(&key.seal_inline(b"some bytes")).into();
        assert_eq!(decode(id, &value, Some(&key)).unwrap(), &b"some bytes"[..]);
        assert!(!value.windows(4).any(|window| window == b"some"));
        assert_eq!(decode(id, &value, Some(&ContentKey::random())).unwrap_err().kind, ErrorKind::Corrupt);
        assert_eq!(verify(id, &value).unwrap().len(), value.len() - CHECKSUM_LEN);
        // Plain bytes do not pass for encrypted ones.
        let plain = encode(b"some bytes").into();
        assert_eq!(decode(id, &plain, Some(&key)).unwrap_err().kind, ErrorKind::Corrupt);
    }
}
