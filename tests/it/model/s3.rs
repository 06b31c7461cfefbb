//! S3 in memory, as plainly as it can be said: what the gateway is compared with.

use bytes::Bytes;
use std::collections::BTreeMap;

/// The least length of a part that is not the last (5 MiB).
pub const PART_LEN_MIN: usize = 5 << 20;

#[derive(Default)]
pub struct Model {
    objects: BTreeMap<String, Object>,
    uploads: Vec<Upload>,
}

#[derive(Clone)]
struct Object {
    bytes: Bytes,
    etag: String,
}

struct Upload {
    key: String,
    parts: BTreeMap<u8, Bytes>,
    state: State,
}

enum State {
    Open,
    /// With the list it was completed with and the ETag it got.
    Completed(Vec<(usize, String)>, String),
    Aborted,
}

/// Why a step is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    PreconditionFailed,
    NoSuchKey,
    CopyOntoItself,
    NoSuchUpload,
    NoParts,
    InvalidPartOrder,
    EntityTooSmall,
    InvalidCopyRange,
}

impl Refusal {
    /// The codes S3 may give for it.
    pub fn codes(self) -> &'static [&'static str] {
        match self {
            Refusal::PreconditionFailed => &["PreconditionFailed"],
            Refusal::NoSuchKey => &["NoSuchKey"],
            Refusal::CopyOntoItself => &["InvalidRequest"],
            Refusal::NoSuchUpload => &["NoSuchUpload"],
            // Whether the list or the upload is looked at first is nobody's concern.
            Refusal::NoParts => &["MalformedXML", "NoSuchUpload"],
            Refusal::InvalidPartOrder => &["InvalidPartOrder"],
            Refusal::EntityTooSmall => &["EntityTooSmall"],
            Refusal::InvalidCopyRange => &["InvalidArgument", "InvalidRequest"],
        }
    }
}

impl Model {
    pub fn get(&self, key: &str) -> Option<&Bytes> {
        self.objects.get(key).map(|object| &object.bytes)
    }

    pub fn etag(&self, key: &str) -> Option<String> {
        self.objects.get(key).map(|object| object.etag.clone())
    }

    pub fn put(&mut self, key: &str, bytes: Bytes, if_none_match: bool) -> Result<(), Refusal> {
        if if_none_match && self.objects.contains_key(key) {
            return Err(Refusal::PreconditionFailed);
        }
        let etag = hex(&dovetail_digest::md5(&bytes));
        self.objects.insert(key.to_string(), Object { bytes, etag });
        Ok(())
    }

    pub fn delete(&mut self, key: &str) {
        self.objects.remove(key);
    }

    pub fn copy(&mut self, from: &str, to: &str) -> Result<(), Refusal> {
        let object = self.objects.get(from).ok_or(Refusal::NoSuchKey)?.clone();
        if from == to {
            return Err(Refusal::CopyOntoItself);
        }
        self.objects.insert(to.to_string(), object);
        Ok(())
    }

    pub fn create(&mut self, key: &str) {
        self.uploads.push(Upload { key: key.to_string(), parts: BTreeMap::new(), state: State::Open });
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
        let source = self.objects.get(from).ok_or(Refusal::NoSuchKey)?.bytes.clone();
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
        if let State::Completed(done, _) = &self.uploads[upload].state
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
        let (key, etag) = (open.key.clone(), etag);
        self.objects.insert(key, Object { bytes: bytes.into(), etag: etag.clone() });
        self.uploads[upload].state = State::Completed(list.to_vec(), etag);
        Ok(())
    }

    pub fn completed_list(&self, upload: usize) -> Option<Vec<(usize, String)>> {
        match &self.uploads[upload].state {
            State::Completed(list, _) => Some(list.clone()),
            _ => None,
        }
    }

    /// A repeated Complete is answered as long as the object it made is still there.
    pub fn complete_again(&self, upload: usize) -> Result<(), Refusal> {
        let upload = &self.uploads[upload];
        match &upload.state {
            State::Completed(_, etag) if self.etag(&upload.key).as_ref() == Some(etag) => Ok(()),
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
        for key in self.objects.keys().filter(|key| key.starts_with(prefix)) {
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
