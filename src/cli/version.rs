//! `--version-id`: one version of an object rather than the newest.

use clap::Args;

use crate::client::address::Address;
use crate::client::error::Error;

#[derive(Args, Clone, Debug, Default)]
pub struct Version {
    /// This version of the object rather than the newest; `ls --versions` shows which there are
    #[arg(long, value_name = "ID")]
    version_id: Option<String>,
}

impl Version {
    /// The version of an object that is meant. A folder has none.
    pub fn of(&self, address: Address) -> Result<Address, Error> {
        match &self.version_id {
            None => Ok(address),
            Some(id) if id.is_empty() => Err(Error::Usage("--version-id is empty".into())),
            Some(_) if address.is_prefix() => {
                Err(Error::Usage(format!("{address} is no object and has no version")))
            }
            Some(id) => Ok(Address { version: Some(id.clone()), ..address }),
        }
    }

    /// Fails if one version is asked for where there are many objects, or one that is only to be.
    pub fn is_of_one(&self, is_many: bool) -> Result<(), Error> {
        match &self.version_id {
            Some(_) if is_many => Err(Error::Usage("--version-id is that of one object".into())),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_has_versions() {
        let of = |id: &str, text: &str| {
            let version = Version { version_id: Some(id.into()) };
            version.of(Address::parse(text).unwrap()).map(|address| address.to_string())
        };
        assert_eq!(of("null", "s3://bucket/key").unwrap(), "s3://bucket/key?versionId=null");
        for (id, text) in [("", "s3://bucket/key"), ("v", "s3://bucket"), ("v", "s3://bucket/folder/")] {
            assert!(matches!(of(id, text), Err(Error::Usage(_))), "{id} {text}");
        }
        assert!(Version::default().is_of_one(true).is_ok());
    }
}
