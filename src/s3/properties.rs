//! What must hold for any document at all: what is taken is given back, and means the same when it is sent again. The unit
//! tests run this on seeded mutations; `fuzz/` on everything.

use crate::meta::records::TransitionMinimum;
use crate::s3::{lifecycle, object_lock};

/// The documents of lifecycle and object lock.
pub fn documents(bytes: &[u8]) {
    if let Ok(rules) = lifecycle::parse(bytes, TransitionMinimum::default()) {
        let written = lifecycle::write(&rules).finish();
        let again = lifecycle::parse(&written, TransitionMinimum::default());
        assert!(again.as_ref().is_ok_and(|again| *again == rules), "{again:?} instead of {rules:?}");
    }
    if let Ok(lock) = object_lock::parse_configuration(bytes) {
        let again = object_lock::parse_configuration(&object_lock::configuration(&lock).finish());
        assert!(again.as_ref().is_ok_and(|again| *again == lock), "{again:?} instead of {lock:?}");
    }
    if let Ok(Some(retention)) = object_lock::parse_retention(bytes) {
        let again = object_lock::parse_retention(&object_lock::retention(&retention).finish());
        assert!(again.as_ref().is_ok_and(|again| *again == Some(retention)), "{again:?}");
    }
    let _ = object_lock::parse_legal_hold(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_any_shape_are_taken_whole_or_refused() {
        crate::wire::mutation::check(
            documents,
            &[
                b"<LifecycleConfiguration><Rule><ID>a</ID><Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value>v</Value>\
                  </Tag><ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter><Status>Enabled</Status><Transition>\
                  <Days>3</Days><StorageClass>GLACIER</StorageClass></Transition><Expiration><Days>9</Days></Expiration>\
                  <NoncurrentVersionExpiration><NoncurrentDays>5</NoncurrentDays></NoncurrentVersionExpiration></Rule>\
                  </LifecycleConfiguration>",
                b"<LifecycleConfiguration><Rule><Prefix/><Status>Disabled</Status><Expiration><Date>2030-01-01</Date>\
                  </Expiration><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>\
                  </AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>",
                b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
                  <Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>",
                b"<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate></Retention>",
            ],
            &[
                b"<Rule>",
                b"</Rule>",
                b"<Prefix>",
                b"<Filter/>",
                b"<Days>",
                b"0",
                b"-1",
                b"99999999999",
                b"&#13;",
                b"T00:00:00Z",
                b"Enabled",
                b"</And>",
            ],
        );
    }
}
