//! S3 in memory, as plainly as it can be said: what the gateway is compared with.

use super::access::Policy;
use bytes::Bytes;
use std::collections::BTreeMap;

/// The least length of a part that is not the last (5 MiB).
pub const PART_LEN_MIN: usize = 5 << 20;

#[derive(Default)]
pub struct Model {
    /// Every version of a key, the newest last.
    objects: BTreeMap<String, Vec<Version>>,
    uploads: Vec<Upload>,
    versioning: Versioning,
    /// Versions can be locked.
    has_lock: bool,
    pub policy: Option<Policy>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Versioning {
    #[default]
    Never,
    Enabled,
    Suspended,
}

/// An object or a delete marker.
#[derive(Clone)]
pub struct Version {
    /// Made by the gateway, so unknown until [`Model::learn_id`] is told; `null` while versions are not kept.
    pub id: String,
    /// `None` is a delete marker.
    pub object: Option<Object>,
    /// By a legal hold.
    pub is_held: bool,
    /// In governance mode, for longer than any test runs.
    pub is_retained: bool,
}

#[derive(Clone)]
pub struct Object {
    pub bytes: Bytes,
    pub etag: String,
    /// By the gateway's own key (SSE-S3), which its ETag does not show.
    pub encrypted: bool,
    /// By its list. A copy has a list of its own.
    pub is_public: bool,
}

struct Upload {
    key: String,
    parts: BTreeMap<u8, Bytes>,
    encrypted: bool,
    state: State,
}

enum State {
    Open,
    /// With the list it was completed with, and the ETag and the version id it got.
    Completed(Vec<(usize, String)>, String, String),
    Aborted,
}

/// Why a step is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    PreconditionFailed,
    NoSuchKey,
    NoSuchVersion,
    CopyOfMarker,
    CopyOntoItself,
    IllegalRename,
    RenameWithVersions,
    NoSuchUpload,
    NoParts,
    InvalidPartOrder,
    EntityTooSmall,
    InvalidCopyRange,
    Locked,
    NoLock,
    BypassWithoutLock,
    IsMarker,
    VersioningLocked,
    NoObject,
}

impl Refusal {
    /// The codes S3 may give for it.
    pub fn codes(self) -> &'static [&'static str] {
        match self {
            Refusal::PreconditionFailed => &["PreconditionFailed"],
            Refusal::NoSuchKey => &["NoSuchKey"],
            Refusal::NoSuchVersion => &["NoSuchVersion"],
            Refusal::CopyOfMarker => &["InvalidRequest"],
            Refusal::CopyOntoItself => &["InvalidRequest"],
            Refusal::IllegalRename => &["InvalidRequest"],
            Refusal::RenameWithVersions => &["NotImplemented"],
            Refusal::NoSuchUpload => &["NoSuchUpload"],
            // Whether the list or the upload is looked at first is nobody's concern.
            Refusal::NoParts => &["MalformedXML", "NoSuchUpload"],
            Refusal::InvalidPartOrder => &["InvalidPartOrder"],
            Refusal::EntityTooSmall => &["EntityTooSmall"],
            Refusal::InvalidCopyRange => &["InvalidArgument", "InvalidRequest"],
            Refusal::Locked => &["AccessDenied"],
            Refusal::NoLock => &["InvalidRequest"],
            Refusal::BypassWithoutLock => &["InvalidArgument"],
            Refusal::IsMarker => &["MethodNotAllowed"],
            Refusal::VersioningLocked => &["InvalidBucketState"],
            // There is nothing, or a delete marker.
            Refusal::NoObject => &["NoSuchKey", "MethodNotAllowed"],
        }
    }
}

impl Model {
    pub fn with_object_lock() -> Model {
        Model { versioning: Versioning::Enabled, has_lock: true, ..Model::default() }
    }

    pub fn current_mut(&mut self, key: &str) -> Option<&mut Object> {
        self.objects.get_mut(key)?.last_mut()?.object.as_mut()
    }

    pub fn current(&self, key: &str) -> Option<&Object> {
        self.objects.get(key)?.last()?.object.as_ref()
    }

    pub fn get(&self, key: &str) -> Option<&Bytes> {
        self.current(key).map(|object| &object.bytes)
    }

    pub fn etag(&self, key: &str) -> Option<String> {
        self.current(key).map(|object| object.etag.clone())
    }

    pub fn is_encrypted(&self, key: &str) -> bool {
        self.current(key).is_some_and(|object| object.encrypted)
    }

    pub fn set_versioning(&mut self, enabled: bool) -> Result<(), Refusal> {
        if self.has_lock && !enabled {
            return Err(Refusal::VersioningLocked);
        }
        self.versioning = if enabled { Versioning::Enabled } else { Versioning::Suspended };
        Ok(())
    }

    /// Puts a legal hold on a version or takes it off (`Some`), or retains it in governance mode (`None`).
    pub fn lock(&mut self, key: &str, id: &str, hold: Option<bool>) -> Result<(), Refusal> {
        if !self.has_lock {
            return Err(Refusal::NoLock);
        }
        let version =
            self.objects.get_mut(key).and_then(|all| all.iter_mut().find(|version| version.id == id));
        let version = version.ok_or(Refusal::NoSuchVersion)?;
        if version.object.is_none() {
            return Err(Refusal::IsMarker);
        }
        match hold {
            Some(is_held) => version.is_held = is_held,
            None => version.is_retained = true,
        }
        Ok(())
    }

    /// A lifecycle rule whose date is past: objects under the prefix are deleted, and delete markers that cover nothing
    /// go. The keys that have a new delete marker.
    pub fn expire(&mut self, prefix: &str) -> Vec<String> {
        let is_lone_marker = |versions: &Vec<Version>| versions.len() == 1 && versions[0].object.is_none();
        self.objects.retain(|key, versions| !key.starts_with(prefix) || !is_lone_marker(versions));
        let (keys, _) = self.list(prefix, false);
        keys.iter().for_each(|key| self.delete(key));
        // The marker that took the only version's place is the only one.
        self.objects.retain(|key, versions| !key.starts_with(prefix) || !is_lone_marker(versions));
        keys.into_iter().filter(|key| self.objects.contains_key(key)).collect()
    }

    pub fn versioning(&self) -> Versioning {
        self.versioning
    }

    /// Puts a version on top. Unless versions are kept, it takes the null version's place, wherever that is.
    fn add(&mut self, key: &str, object: Option<Object>) {
        let versions = self.objects.entry(key.to_string()).or_default();
        let mut id = String::new();
        if self.versioning != Versioning::Enabled {
            id.push_str("null");
            versions.retain(|version| version.id != id);
        }
        versions.push(Version { id, object, is_held: false, is_retained: false });
    }

    /// The gateway's id of the newest version, if that is still unknown.
    pub fn learn_id(&mut self, key: &str, id: &str) {
        let newest = self.objects.get_mut(key).and_then(|versions| versions.last_mut());
        if let Some(newest) = newest.filter(|newest| newest.id.is_empty()) {
            newest.id = id.to_string();
        }
    }

    /// Every version, in the order of keys and then newest first, and whether it is its key's newest.
    pub fn versions(&self) -> impl Iterator<Item = (&str, &Version, bool)> {
        self.objects.iter().flat_map(|(key, versions)| {
            let newest_first = versions.iter().rev().enumerate();
            newest_first.map(move |(age, version)| (key.as_str(), version, age == 0))
        })
    }

    pub fn put(
        &mut self,
        key: &str,
        bytes: Bytes,
        if_none_match: bool,
        encrypted: bool,
    ) -> Result<(), Refusal> {
        if if_none_match && self.current(key).is_some() {
            return Err(Refusal::PreconditionFailed);
        }
        let etag = hex(&dovetail_digest::md5(&bytes));
        self.add(key, Some(Object { bytes, etag, encrypted, is_public: false }));
        Ok(())
    }

    pub fn delete(&mut self, key: &str) {
        match self.versioning {
            Versioning::Never => drop(self.objects.remove(key)),
            Versioning::Enabled | Versioning::Suspended => self.add(key, None),
        }
    }

    /// Removes a version for good; whether it was a delete marker, if there was one at all.
    pub fn delete_version(&mut self, key: &str, id: &str, bypass: bool) -> Result<Option<bool>, Refusal> {
        if bypass && !self.has_lock {
            return Err(Refusal::BypassWithoutLock);
        }
        let Some(versions) = self.objects.get_mut(key) else { return Ok(None) };
        let Some(at) = versions.iter().position(|version| version.id == id) else { return Ok(None) };
        if versions[at].is_held || (versions[at].is_retained && !bypass) {
            return Err(Refusal::Locked);
        }
        let removed = versions.remove(at);
        self.objects.retain(|_, versions| !versions.is_empty());
        Ok(Some(removed.object.is_none()))
    }

    /// The object that a copy reads, and whether it is the current one of its key.
    fn source(&self, key: &str, id: Option<&str>) -> Result<(Object, bool), Refusal> {
        let versions = self.objects.get(key).map_or(&[][..], |versions| versions);
        let Some(id) = id else {
            let current = self.current(key).ok_or(Refusal::NoSuchKey)?;
            return Ok((current.clone(), true));
        };
        let at = versions.iter().position(|version| version.id == id).ok_or(Refusal::NoSuchVersion)?;
        let object = versions[at].object.clone().ok_or(Refusal::CopyOfMarker)?;
        Ok((object, at + 1 == versions.len()))
    }

    /// A copy keeps the ETag, that of a multipart object too, unless its bytes have to be written anew.
    pub fn copy(&mut self, from: &str, id: Option<&str>, to: &str, encrypted: bool) -> Result<(), Refusal> {
        let (mut object, is_current) = self.source(from, id)?;
        if from == to && is_current && !encrypted {
            return Err(Refusal::CopyOntoItself);
        }
        if object.encrypted != encrypted {
            object.etag = hex(&dovetail_digest::md5(&object.bytes));
            object.encrypted = encrypted;
        }
        object.is_public = false;
        self.add(to, Some(object));
        Ok(())
    }

    pub fn rename(&mut self, from: &str, to: &str, if_none_match: bool) -> Result<(), Refusal> {
        if from.ends_with('/') || to.ends_with('/') {
            return Err(Refusal::IllegalRename);
        }
        if self.versioning != Versioning::Never {
            return Err(Refusal::RenameWithVersions);
        }
        if from == to {
            return Err(Refusal::IllegalRename);
        }
        if self.current(from).is_none() {
            return Err(Refusal::NoSuchKey);
        }
        if if_none_match && self.current(to).is_some() {
            return Err(Refusal::PreconditionFailed);
        }
        let moved = self.objects.remove(from).unwrap_or_default();
        self.objects.insert(to.to_string(), moved);
        Ok(())
    }

    pub fn create(&mut self, key: &str, encrypted: bool) {
        let parts = BTreeMap::new();
        self.uploads.push(Upload { key: key.to_string(), parts, encrypted, state: State::Open });
    }

    pub fn upload_key(&self, upload: usize) -> Option<String> {
        self.uploads.get(upload).map(|upload| upload.key.clone())
    }

    pub fn is_open(&self, upload: usize) -> bool {
        matches!(self.uploads[upload].state, State::Open)
    }

    fn open(&mut self, upload: usize) -> Result<&mut Upload, Refusal> {
        let upload = &mut self.uploads[upload];
        if matches!(upload.state, State::Open) { Ok(upload) } else { Err(Refusal::NoSuchUpload) }
    }

    pub fn part(&mut self, upload: usize, number: u8, bytes: Bytes) -> Result<(), Refusal> {
        self.open(upload)?.parts.insert(number, bytes);
        Ok(())
    }

    pub fn part_copy(
        &mut self,
        upload: usize,
        number: u8,
        from: &str,
        range: Option<(usize, usize)>,
    ) -> Result<(), Refusal> {
        self.open(upload)?;
        let source = self.source(from, None)?.0.bytes;
        let bytes = match range {
            None => source,
            Some((_, last)) if last >= source.len() => return Err(Refusal::InvalidCopyRange),
            Some((first, last)) => source.slice(first..=last),
        };
        self.part(upload, number, bytes)
    }

    pub fn part_list(&self, upload: usize) -> Vec<(usize, String)> {
        let parts = self.uploads[upload].parts.iter();
        parts.map(|(number, bytes)| (*number as usize, hex(&dovetail_digest::md5(bytes)))).collect()
    }

    /// Completes an upload with a list taken from [`Model::part_list`].
    pub fn complete(&mut self, upload: usize, list: &[(usize, String)]) -> Result<(), Refusal> {
        if let State::Completed(done, ..) = &self.uploads[upload].state
            && done == list
        {
            return self.complete_again(upload);
        }
        if list.is_empty() {
            return Err(Refusal::NoParts);
        }
        self.open(upload)?;
        if list.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err(Refusal::InvalidPartOrder);
        }
        let open = &self.uploads[upload];
        let parts: Vec<&Bytes> = list.iter().map(|(number, _)| &open.parts[&(*number as u8)]).collect();
        if parts[..parts.len() - 1].iter().any(|part| part.len() < PART_LEN_MIN) {
            return Err(Refusal::EntityTooSmall);
        }
        let md5s: Vec<u8> = parts.iter().flat_map(|part| dovetail_digest::md5(part)).collect();
        let etag = format!("{}-{}", hex(&dovetail_digest::md5(&md5s)), parts.len());
        let bytes: Vec<u8> = parts.into_iter().flatten().copied().collect();
        let (key, encrypted) = (open.key.clone(), open.encrypted);
        let object = Object { bytes: bytes.into(), etag: etag.clone(), encrypted, is_public: false };
        self.add(&key, Some(object));
        self.uploads[upload].state = State::Completed(list.to_vec(), etag, "null".to_string());
        Ok(())
    }

    pub fn completed_list(&self, upload: usize) -> Option<Vec<(usize, String)>> {
        match &self.uploads[upload].state {
            State::Completed(list, ..) => Some(list.clone()),
            _ => None,
        }
    }

    /// The gateway's id of the version that Complete made.
    pub fn learn_completed_id(&mut self, upload: usize, id: &str) {
        let key = self.uploads[upload].key.clone();
        self.learn_id(&key, id);
        if let State::Completed(_, _, known) = &mut self.uploads[upload].state {
            *known = id.to_string();
        }
    }

    pub fn completed_id(&self, upload: usize) -> Option<&str> {
        match &self.uploads[upload].state {
            State::Completed(_, _, id) => Some(id),
            _ => None,
        }
    }

    /// A repeated Complete is answered as long as the version it made is still there.
    pub fn complete_again(&self, upload: usize) -> Result<(), Refusal> {
        let upload = &self.uploads[upload];
        match &upload.state {
            State::Completed(_, etag, id) => match self.source(&upload.key, Some(id)) {
                Ok((found, _)) if found.etag == *etag => Ok(()),
                _ => Err(Refusal::NoSuchUpload),
            },
            _ => Err(Refusal::NoSuchUpload),
        }
    }

    pub fn abort(&mut self, upload: usize) -> Result<(), Refusal> {
        self.open(upload)?.state = State::Aborted;
        Ok(())
    }

    /// Keys and common prefixes.
    pub fn list(&self, prefix: &str, delimiter: bool) -> (Vec<String>, Vec<String>) {
        let (mut keys, mut prefixes) = (Vec::new(), Vec::new());
        let current = self.objects.keys().filter(|key| self.current(key).is_some());
        for key in current.filter(|key| key.starts_with(prefix)) {
            match key[prefix.len()..].find('/').filter(|_| delimiter) {
                None => keys.push(key.clone()),
                Some(at) => prefixes.push(key[..prefix.len() + at + 1].to_string()),
            }
        }
        prefixes.dedup();
        (keys, prefixes)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
