// The official SDK for JavaScript and its lib-storage against the gateway, with the settings a new user has. Two runs
// with a kill of the gateway between them: `begin FILE` sends every second part of an upload and leaves its id in
// FILE, `resume FILE` asks ListParts what is there and sends the rest. Prints a line a check (Test Anything Protocol).

import assert from "node:assert/strict";
import fs from "node:fs";
import { Readable } from "node:stream";
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectTaggingCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  ListPartsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const PART_LEN = 5 << 20;
const Bucket = "compat";
// Region, endpoint and keys are in the environment.
const client = new S3Client({ forcePathStyle: true });
const [, , step, state] = process.argv;

// The same bytes in both runs, so that the second can tell whether the first one's arrived.
function content() {
  const mib = Math.max(16, Number(process.env.COMPAT_MIB ?? 256));
  const bytes = Buffer.alloc(mib * (1 << 20) + 12345);
  let word = 7;
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    word = (Math.imul(word, 1664525) + 1013904223) >>> 0;
    bytes.writeUInt32LE(word, at);
  }
  return bytes;
}

const large = content();

async function check(name, run) {
  try {
    await run();
    console.log("ok", name);
  } catch (error) {
    console.log("not ok", name);
    for (const line of String(error.stack).split("\n").slice(0, 10)) console.log("#", line);
  }
}

const put = (Key, Body, more) => client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));

// What is stored, of one version if that is given.
async function stored(Key, VersionId) {
  const answer = await client.send(new GetObjectCommand({ Bucket, Key, VersionId }));
  return Buffer.from(await answer.Body.transformToByteArray());
}

async function refused(request, code, status) {
  const error = await request.then(() => assert.fail(`${code} was wanted, and it succeeded`), (error) => error);
  assert.equal(`${error.name} ${error.$metadata?.httpStatusCode}`, `${code} ${status}`);
}

async function uploadsInParts() {
  // A buffer whose length is known, and a stream that can be read once.
  for (const Body of [large, Readable.from([large])]) {
    await new Upload({ client, params: { Bucket, Key: "transferred", Body } }).done();
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: "transferred", ChecksumMode: "ENABLED" }));
    assert.equal(head.ContentLength, large.length);
    assert.ok(head.ChecksumCRC32, "there is no CRC32");
    assert.ok(large.equals(await stored("transferred")), "the download differs");
  }
}

async function presigned() {
  const params = { Bucket, Key: "signed by url" };
  const upload = await getSignedUrl(client, new PutObjectCommand(params), { expiresIn: 60 });
  assert.equal((await fetch(upload, { method: "PUT", body: "from a url" })).status, 200);
  const download = await getSignedUrl(client, new GetObjectCommand(params), { expiresIn: 60 });
  assert.equal(await (await fetch(download)).text(), "from a url");
}

async function versions() {
  const VersioningConfiguration = { Status: "Enabled" };
  await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  const first = await put("versioned", "one");
  const second = await put("versioned", "two");
  const marker = await client.send(new DeleteObjectCommand({ Bucket, Key: "versioned" }));
  await refused(stored("versioned"), "NoSuchKey", 404);
  const listed = await client.send(new ListObjectVersionsCommand({ Bucket, Prefix: "versioned" }));
  assert.deepEqual(listed.Versions.map((version) => version.VersionId), [second.VersionId, first.VersionId]);
  assert.deepEqual(listed.DeleteMarkers.map((version) => version.VersionId), [marker.VersionId]);
  await client.send(new DeleteObjectCommand({ Bucket, Key: "versioned", VersionId: marker.VersionId }));
  assert.equal(String(await stored("versioned")), "two");
  assert.equal(String(await stored("versioned", first.VersionId)), "one");
}

async function tags() {
  const Key = "tagged";
  const tagSet = async () => (await client.send(new GetObjectTaggingCommand({ Bucket, Key }))).TagSet;
  await put(Key, "x", { Tagging: "from=header" });
  assert.deepEqual(await tagSet(), [{ Key: "from", Value: "header" }]);
  const TagSet = [{ Key: "a key", Value: "ü/+" }];
  await client.send(new PutObjectTaggingCommand({ Bucket, Key, Tagging: { TagSet } }));
  assert.deepEqual(await tagSet(), TagSet);
  await client.send(new DeleteObjectTaggingCommand({ Bucket, Key }));
  assert.deepEqual(await tagSet() ?? [], []);
}

async function conditionalWrites() {
  const Key = "conditional";
  const first = await put(Key, "one", { IfNoneMatch: "*" });
  await refused(put(Key, "two", { IfNoneMatch: "*" }), "PreconditionFailed", 412);
  await refused(put(Key, "two", { IfMatch: '"0123"' }), "PreconditionFailed", 412);
  await refused(put("absent", "two", { IfMatch: first.ETag }), "NoSuchKey", 404);
  // The key was written while the upload was open, if with the same bytes: whoever completes has to look again.
  const upload = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  await put(Key, "one");
  await sendPart(upload, 1, Buffer.from("two"));
  await refused(complete(upload, { IfMatch: first.ETag }), "ConditionalRequestConflict", 409);
  await refused(complete(upload, { IfNoneMatch: "*" }), "PreconditionFailed", 412);
  assert.equal(String(await stored(Key)), "one");
}

function sendPart({ Key, UploadId, ChecksumAlgorithm }, PartNumber, Body) {
  return client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ChecksumAlgorithm }));
}

// The SDK's own paginateListParts never ends, on Amazon S3 neither: it goes by the marker, which is always there.
async function listParts({ Key, UploadId }) {
  const parts = [];
  let page = {};
  do {
    const request = { Bucket, Key, UploadId, MaxParts: 7, PartNumberMarker: page.NextPartNumberMarker };
    page = await client.send(new ListPartsCommand(request));
    for (const { PartNumber, ETag, ChecksumCRC32 } of page.Parts ?? []) parts.push({ PartNumber, ETag, ChecksumCRC32 });
  } while (page.IsTruncated);
  return parts;
}

// Lists the parts that have arrived, and completes with all of them.
async function complete({ Key, UploadId }, conditions) {
  const MultipartUpload = { Parts: await listParts({ Key, UploadId }) };
  await client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload, ...conditions }));
}

const pieces = () => Array.from({ length: Math.ceil(large.length / PART_LEN) }, (_, index) =>
  large.subarray(index * PART_LEN, (index + 1) * PART_LEN));

async function begin() {
  const request = { Bucket, Key: "resumed", ChecksumAlgorithm: "CRC32" };
  const upload = await client.send(new CreateMultipartUploadCommand(request));
  for (const [index, piece] of pieces().entries()) {
    if (index % 2 === 0) await sendPart(upload, index + 1, piece);
  }
  fs.writeFileSync(state, upload.UploadId);
}

async function resume() {
  const upload = { Key: "resumed", UploadId: fs.readFileSync(state, "utf8"), ChecksumAlgorithm: "CRC32" };
  const arrived = new Set((await listParts(upload)).map((part) => part.PartNumber));
  const missing = [...pieces().entries()].filter(([index]) => !arrived.has(index + 1));
  assert.equal(missing.length, Math.floor(pieces().length / 2));
  for (const [index, piece] of missing) await sendPart(upload, index + 1, piece);
  await complete(upload);
  assert.ok(large.equals(await stored("resumed")), "the download differs");
}

if (step === "begin") {
  await check("makes a bucket", async () => {
    await client.send(new CreateBucketCommand({ Bucket }));
    await client.send(new HeadBucketCommand({ Bucket }));
  });
  await check("lib-storage uploads in parts with checksums, and the download is the same", uploadsInParts);
  await check("presigned URLs upload and download", presigned);
  await check("keeps versions", versions);
  await check("keeps tags", tags);
  await check("honours conditional writes", conditionalWrites);
  await check("begins an upload and sends every second part", begin);
} else {
  await check("an upload goes on after kill -9 of the gateway", resume);
}
