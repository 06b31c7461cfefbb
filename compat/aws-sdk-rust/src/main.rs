//! The official SDK against the gateway, as a program that uploads large files would use it. Two runs with a kill of
//! the gateway between them: `begin FILE` sends every second part and leaves the upload's id in FILE, `resume FILE`
//! asks ListParts what is there, sends the rest, completes, and reads everything back. Prints a line a check (Test
//! Anything Protocol).

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketVersioningStatus, ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload,
    CompletedPart, Delete, ObjectIdentifier, Tag, Tagging, VersioningConfiguration,
};
use std::error::Error;
use std::future::Future;
use std::time::Duration;

type Outcome = Result<(), Box<dyn Error>>;

const BUCKET: &str = "compat";
const PART_LEN: usize = 5 << 20;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let client = client();
    match arguments.get(1).map(String::as_str) {
        Some("begin") => begin(&client, &arguments[2]).await,
        Some("resume") => resume(&client, &arguments[2]).await,
        _ => panic!("usage: begin|resume FILE"),
    }
}

fn client() -> Client {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let credentials = Credentials::new(
        variable("AWS_ACCESS_KEY_ID"),
        variable("AWS_SECRET_ACCESS_KEY"),
        None,
        None,
        "compat",
    );
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(variable("ENDPOINT"))
        .force_path_style(true)
        .credentials_provider(credentials)
        .build();
    Client::from_conf(config)
}

async fn check(name: &str, outcome: impl Future<Output = Outcome>) {
    match outcome.await {
        Ok(()) => println!("ok {name}"),
        Err(err) => println!("not ok {name}\n# {err:?}"),
    }
}

fn expect(holds: bool, what: &str) -> Outcome {
    if holds { Ok(()) } else { Err(what.into()) }
}

/// Bytes that can be made again in another process, and differ from part to part.
fn part(number: usize) -> Vec<u8> {
    let len = if number == parts() { PART_LEN / 3 } else { PART_LEN };
    let mut state = number as u64 + 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_be_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn parts() -> usize {
    let mib: usize = std::env::var("COMPAT_MIB").ok().and_then(|mib| mib.parse().ok()).unwrap_or(256);
    (mib / 5).max(3)
}

async fn begin(client: &Client, state: &str) {
    check("makes a bucket", async {
        client.create_bucket().bucket(BUCKET).send().await?;
        client.head_bucket().bucket(BUCKET).send().await?;
        Ok(())
    })
    .await;
    check("puts and gets with the default checksums", small_object(client)).await;
    check("keeps each checksum algorithm", algorithms(client)).await;
    check("gets clean errors", errors(client)).await;
    check("honours conditions", conditions(client)).await;
    check("presigned URLs upload and download", presigned(client)).await;
    check("keeps versions", versions(client)).await;
    check("keeps tags", tags(client)).await;
    check("deletes many", delete_many(client)).await;
    check("begins a multipart upload and sends every second part", async {
        let upload = client
            .create_multipart_upload()
            .bucket(BUCKET)
            .key("large")
            .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
            .checksum_type(ChecksumType::FullObject)
            .send()
            .await?;
        let id = upload.upload_id().ok_or("no upload id")?;
        std::fs::write(state, id)?;
        for number in (1..=parts()).step_by(2) {
            send_part(client, id, number).await?;
        }
        Ok(())
    })
    .await;
}

async fn resume(client: &Client, state: &str) {
    check("resumes by what ListParts shows, and completes", async {
        let id = std::fs::read_to_string(state)?;
        let there: Vec<i32> =
            listed(client, &id).await?.iter().filter_map(|part| part.part_number()).collect();
        let wanted: Vec<i32> = (1..=parts() as i32).step_by(2).collect();
        expect(there == wanted, &format!("ListParts shows {there:?}"))?;
        for number in 1..=parts() {
            if !there.contains(&(number as i32)) {
                send_part(client, &id, number).await?;
            }
        }
        let completed = listed(client, &id).await?;
        let first = complete(client, &id, &completed).await?;
        let again = complete(client, &id, &completed).await?;
        expect(first == again, "the repeated Complete answers differently")
    })
    .await;
    check("reads it back whole, with its checksum", async {
        let answer = client
            .get_object()
            .bucket(BUCKET)
            .key("large")
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await?;
        expect(answer.checksum_crc64_nvme().is_some(), "no CRC64NVME")?;
        let body = answer.body.collect().await?.into_bytes();
        let wanted: Vec<u8> = (1..=parts()).flat_map(part).collect();
        expect(body == wanted, "the bytes differ")
    })
    .await;
    check("reads it back by part and by range", async {
        for number in [1, 2, parts()] {
            let answer =
                client.get_object().bucket(BUCKET).key("large").part_number(number as i32).send().await?;
            expect(answer.parts_count() == Some(parts() as i32), "wrong number of parts")?;
            expect(answer.body.collect().await?.into_bytes() == part(number), "the part differs")?;
        }
        let range = format!("bytes={}-{}", PART_LEN - 5, PART_LEN + 4);
        let answer = client.get_object().bucket(BUCKET).key("large").range(range).send().await?;
        let wanted = [&part(1)[PART_LEN - 5..], &part(2)[..5]].concat();
        expect(answer.body.collect().await?.into_bytes() == wanted, "the range differs")
    })
    .await;
    check("copies and deletes", async {
        client.copy_object().bucket(BUCKET).key("copy").copy_source("compat/large").send().await?;
        client.delete_object().bucket(BUCKET).key("large").send().await?;
        let head = client.head_object().bucket(BUCKET).key("copy").send().await?;
        let wanted: usize = (1..=parts()).map(|number| part(number).len()).sum();
        expect(head.content_length() == Some(wanted as i64), "wrong length")
    })
    .await;
}

async fn send_part(client: &Client, id: &str, number: usize) -> Outcome {
    let body = ByteStream::from(part(number));
    let request = client.upload_part().bucket(BUCKET).key("large").upload_id(id).part_number(number as i32);
    request.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).body(body).send().await?;
    Ok(())
}

async fn listed(client: &Client, id: &str) -> Result<Vec<aws_sdk_s3::types::Part>, Box<dyn Error>> {
    let mut pages = client
        .list_parts()
        .bucket(BUCKET)
        .key("large")
        .upload_id(id)
        .max_parts(7)
        .into_paginator()
        .items()
        .send();
    let mut parts = Vec::new();
    while let Some(part) = pages.next().await {
        parts.push(part?);
    }
    Ok(parts)
}

async fn complete(
    client: &Client,
    id: &str,
    parts: &[aws_sdk_s3::types::Part],
) -> Result<(Option<String>, Option<String>), Box<dyn Error>> {
    let parts = parts.iter().map(|part| {
        CompletedPart::builder()
            .set_part_number(part.part_number())
            .set_e_tag(part.e_tag().map(str::to_string))
            .set_checksum_crc64_nvme(part.checksum_crc64_nvme().map(str::to_string))
            .build()
    });
    let list = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
    let request = client.complete_multipart_upload().bucket(BUCKET).key("large").upload_id(id);
    let answer = request.multipart_upload(list).send().await?;
    Ok((answer.e_tag().map(str::to_string), answer.checksum_crc64_nvme().map(str::to_string)))
}

async fn small_object(client: &Client) -> Outcome {
    for len in [0, 1, 65_536, 1 << 20] {
        let bytes = part(1)[..len].to_vec();
        let key = format!("small/{len}");
        client.put_object().bucket(BUCKET).key(&key).body(bytes.clone().into()).send().await?;
        let answer = client.get_object().bucket(BUCKET).key(&key).send().await?;
        expect(answer.body.collect().await?.into_bytes() == bytes, &key)?;
    }
    Ok(())
}

async fn algorithms(client: &Client) -> Outcome {
    use ChecksumAlgorithm as A;
    for algorithm in [A::Crc32, A::Crc32C, A::Crc64Nvme, A::Sha1, A::Sha256] {
        let put = client.put_object().bucket(BUCKET).key("sum").checksum_algorithm(algorithm.clone());
        put.body(ByteStream::from_static(b"hello")).send().await?;
        let head = client
            .head_object()
            .bucket(BUCKET)
            .key("sum")
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await?;
        let kept = match algorithm {
            A::Crc32 => head.checksum_crc32(),
            A::Crc32C => head.checksum_crc32_c(),
            A::Crc64Nvme => head.checksum_crc64_nvme(),
            A::Sha1 => head.checksum_sha1(),
            _ => head.checksum_sha256(),
        };
        expect(kept.is_some(), &format!("{algorithm:?} was not kept"))?;
    }
    Ok(())
}

async fn errors(client: &Client) -> Outcome {
    let missing = client.get_object().bucket(BUCKET).key("missing").send().await;
    expect(missing.err().is_some_and(|err| err.code() == Some("NoSuchKey")), "not NoSuchKey")?;
    let unknown = client.list_parts().bucket(BUCKET).key("k").upload_id("0".repeat(32)).send().await;
    expect(unknown.err().is_some_and(|err| err.code() == Some("NoSuchUpload")), "not NoSuchUpload")?;
    let nowhere = client.list_objects_v2().bucket("compat-missing").send().await;
    expect(nowhere.err().is_some_and(|err| err.code() == Some("NoSuchBucket")), "not NoSuchBucket")
}

/// What an answer's error code is; empty when there was no error.
fn code<T, E: ProvideErrorMetadata>(answer: Result<T, E>) -> String {
    answer.err().and_then(|err| err.code().map(str::to_string)).unwrap_or_default()
}

async fn conditions(client: &Client) -> Outcome {
    let put =
        |key: &'static str| client.put_object().bucket(BUCKET).key(key).body(ByteStream::from_static(b"x"));
    let etag = put("once").if_none_match("*").send().await?.e_tag.ok_or("no ETag")?;
    let second = code(put("once").if_none_match("*").send().await);
    expect(second == "PreconditionFailed", &second)?;
    let stale = code(put("once").if_match("\"0123\"").send().await);
    expect(stale == "PreconditionFailed", &stale)?;
    let absent = code(put("absent").if_match(&etag).send().await);
    expect(absent == "NoSuchKey", &absent)?;
    // The key was written while the upload was open, if with the same bytes: whoever completes has to look again.
    let upload = client.create_multipart_upload().bucket(BUCKET).key("once").send().await?;
    let id = upload.upload_id().ok_or("no upload id")?;
    put("once").send().await?;
    let request = client.upload_part().bucket(BUCKET).key("once").upload_id(id).part_number(1);
    let sent = request.body(ByteStream::from_static(b"y")).send().await?;
    let part = CompletedPart::builder().part_number(1).set_e_tag(sent.e_tag).build();
    let list = CompletedMultipartUpload::builder().parts(part).build();
    let complete =
        client.complete_multipart_upload().bucket(BUCKET).key("once").upload_id(id).multipart_upload(list);
    let conflict = code(complete.if_match(etag).send().await);
    expect(conflict == "ConditionalRequestConflict", &conflict)
}

async fn versions(client: &Client) -> Outcome {
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket(BUCKET).versioning_configuration(enabled).send().await?;
    let mut ids = Vec::new();
    for body in [b"one", b"two"] {
        let put = client.put_object().bucket(BUCKET).key("versioned").body(ByteStream::from_static(body));
        ids.push(put.send().await?.version_id.ok_or("no version id")?);
    }
    let marker = client.delete_object().bucket(BUCKET).key("versioned").send().await?;
    let deleted = code(client.get_object().bucket(BUCKET).key("versioned").send().await);
    expect(deleted == "NoSuchKey", &deleted)?;
    let listed = client.list_object_versions().bucket(BUCKET).prefix("versioned").send().await?;
    let found: Vec<_> = listed.versions().iter().filter_map(|version| version.version_id()).collect();
    expect(found == [&ids[1], &ids[0]] && listed.delete_markers().len() == 1, "the versions differ")?;
    let undo = client.delete_object().bucket(BUCKET).key("versioned").set_version_id(marker.version_id);
    undo.send().await?;
    let current = client.get_object().bucket(BUCKET).key("versioned").send().await?;
    expect(current.body.collect().await?.into_bytes() == "two", "not the second version")?;
    let first = client.get_object().bucket(BUCKET).key("versioned").version_id(&ids[0]).send().await?;
    expect(first.body.collect().await?.into_bytes() == "one", "not the first version")?;
    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
    client.put_bucket_versioning().bucket(BUCKET).versioning_configuration(suspended).send().await?;
    Ok(())
}

async fn tags(client: &Client) -> Outcome {
    let put = client.put_object().bucket(BUCKET).key("tagged").tagging("from=header");
    put.body(ByteStream::from_static(b"x")).send().await?;
    let found = client.get_object_tagging().bucket(BUCKET).key("tagged").send().await?;
    expect(found.tag_set() == [Tag::builder().key("from").value("header").build()?], "not the header's tag")?;
    let set = Tagging::builder().tag_set(Tag::builder().key("a key").value("ü/+").build()?).build()?;
    client.put_object_tagging().bucket(BUCKET).key("tagged").tagging(set.clone()).send().await?;
    let found = client.get_object_tagging().bucket(BUCKET).key("tagged").send().await?;
    expect(found.tag_set() == set.tag_set(), "not the new tag")?;
    client.delete_object_tagging().bucket(BUCKET).key("tagged").send().await?;
    let found = client.get_object_tagging().bucket(BUCKET).key("tagged").send().await?;
    expect(found.tag_set().is_empty(), "a tag is left")
}

async fn presigned(client: &Client) -> Outcome {
    let expiry = PresigningConfig::expires_in(Duration::from_secs(60))?;
    let curl = |arguments: &[&str]| {
        std::process::Command::new("curl")
            .args(["--silent", "--show-error", "--fail"])
            .args(arguments)
            .output()
    };
    let upload = client.put_object().bucket(BUCKET).key("signed by url").presigned(expiry.clone()).await?;
    let sent = curl(&[
        "--request",
        "PUT",
        "--data-binary",
        "from a url",
        "--header",
        "Content-Type:",
        upload.uri(),
    ])?;
    expect(sent.status.success(), &String::from_utf8_lossy(&sent.stderr))?;
    let download = client.get_object().bucket(BUCKET).key("signed by url").presigned(expiry).await?;
    let fetched = curl(&[download.uri()])?;
    expect(fetched.status.success() && fetched.stdout == b"from a url", "the download differs")
}

async fn delete_many(client: &Client) -> Outcome {
    let mut keys = Vec::new();
    for number in 0..20 {
        let key = format!("many/{number}");
        client.put_object().bucket(BUCKET).key(&key).body(ByteStream::from_static(b"x")).send().await?;
        keys.push(ObjectIdentifier::builder().key(key).build()?);
    }
    let delete = Delete::builder().set_objects(Some(keys)).build()?;
    let answer = client.delete_objects().bucket(BUCKET).delete(delete).send().await?;
    expect(answer.deleted().len() == 20 && answer.errors().is_empty(), "not all were deleted")
}
