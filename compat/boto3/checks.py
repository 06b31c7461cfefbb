"""boto3 against the gateway: every checksum, conditions, odd keys, ranges and parts, and an upload that is resumed by
ListParts after kill -9. Prints a line a check (Test Anything Protocol)."""

import concurrent.futures
import hashlib
import io
import os
import signal
import subprocess
import time
import traceback
import urllib.error
import urllib.request

import boto3
import botocore.config
import botocore.exceptions
from boto3.s3.transfer import TransferConfig

ENDPOINT = os.environ["ENDPOINT"]
MIB = 1 << 20
PART = 5 * MIB
s3 = boto3.client("s3", endpoint_url=ENDPOINT)
BIG = os.urandom(int(os.environ["COMPAT_MIB"]) * MIB + 12345)
gateway_pid = int(os.environ["GATEWAY_PID"])


def restart_gateway():
    """kill -9, then the same command again."""
    global gateway_pid
    os.kill(gateway_pid, signal.SIGKILL)
    environment = dict(
        os.environ,
        DOVETAIL_ACCESS_KEY_ID=os.environ["AWS_ACCESS_KEY_ID"],
        DOVETAIL_SECRET_ACCESS_KEY=os.environ["AWS_SECRET_ACCESS_KEY"],
    )
    command = [os.environ["GATEWAY"], "serve", "--listen", "127.0.0.1:" + os.environ["GATEWAY_PORT"]]
    command += ["--data-dir", os.environ["DATA_DIR"]]
    deadline = time.time() + 30
    while True:
        try:
            process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while process.poll() is None and time.time() < deadline:
                try:
                    urllib.request.urlopen(ENDPOINT + "/_/ready", timeout=1)
                    gateway_pid = process.pid
                    return
                except OSError:
                    time.sleep(0.05)
        except OSError:
            pass
        assert time.time() < deadline, "the gateway did not come back"


def error_code(call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return "no error"


def a_bucket_is_made_and_found():
    s3.create_bucket(Bucket="compat")
    assert "compat" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert s3.head_bucket(Bucket="compat")["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert error_code(s3.create_bucket, Bucket="compat") in ("BucketAlreadyOwnedByYou",)
    assert error_code(s3.head_bucket, Bucket="compat-missing") == "404"


def objects_of_every_size_come_back():
    lengths = (0, 1, 4096, 65535, 65536, 65537, MIB, 9 * MIB + 1)
    # One put after the other: botocore waits for ever when the answer to an empty one leaves the connection open.
    for length in lengths:
        put = s3.put_object(Bucket="compat", Key=f"size/{length}", Body=BIG[:length])
        assert put["ETag"] == '"%s"' % hashlib.md5(BIG[:length]).hexdigest()
    for length in lengths:
        body = BIG[:length]
        got = s3.get_object(Bucket="compat", Key=f"size/{length}", ChecksumMode="ENABLED")
        assert got["Body"].read() == body and got["ContentLength"] == length


def every_checksum_is_verified_and_kept():
    for algorithm in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"):
        put = s3.put_object(Bucket="compat", Key="sum", Body=b"hello", ChecksumAlgorithm=algorithm)
        head = s3.head_object(Bucket="compat", Key="sum", ChecksumMode="ENABLED")
        assert put["Checksum" + algorithm] == head["Checksum" + algorithm], algorithm
    wrong = error_code(s3.put_object, Bucket="compat", Key="wrong", Body=b"hello", ChecksumCRC32="AAAAAA==")
    assert wrong == "BadDigest", wrong
    assert error_code(s3.head_object, Bucket="compat", Key="wrong") == "404"
    assert error_code(s3.put_object, Bucket="compat", Key="wrong", Body=b"x", ContentMD5="bm90IGFuIG1kNQ==") == "InvalidDigest"


def metadata_comes_back():
    metadata = {"simple": "value", "empty": ""}
    s3.put_object(
        Bucket="compat", Key="meta", Body=b"x", Metadata=metadata, ContentType="text/x-test",
        CacheControl="no-cache", ContentDisposition="attachment", ContentEncoding="identity", ContentLanguage="de",
    )
    head = s3.head_object(Bucket="compat", Key="meta")
    assert head["Metadata"] == metadata and head["ContentType"] == "text/x-test"
    assert (head["CacheControl"], head["ContentDisposition"], head["ContentLanguage"]) == ("no-cache", "attachment", "de")


def odd_keys_come_back():
    keys = ["a", "a/", "/a", "a//b", "a/./b", "ü€😀", "x" * 1024, "tab\tkey", 'q"uo\'te', "per%25cent", "pl+us", "a&b<c>d", "~_-.*()", "#frag?ment=1", "back\\slash", "ctl\x01key"]
    for key in keys:
        s3.put_object(Bucket="compat", Key="odd/" + key if len(key) < 1000 else key, Body=key.encode())
    found = [item["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket="compat", Prefix="odd/", PaginationConfig={"PageSize": 3}) for item in page.get("Contents", [])]
    wanted = sorted(("odd/" + key for key in keys if len(key) < 1000), key=str.encode)
    assert found == wanted, (found, wanted)
    for key in wanted:
        assert s3.get_object(Bucket="compat", Key=key)["Body"].read().decode() == key[len("odd/"):]


def listings_fold_common_prefixes():
    for key in ("list/a", "list/b/1", "list/b/2", "list/c/1", "list/d"):
        s3.put_object(Bucket="compat", Key=key, Body=b"")
    for operation in ("list_objects", "list_objects_v2"):
        keys, prefixes = [], []
        for page in s3.get_paginator(operation).paginate(Bucket="compat", Prefix="list/", Delimiter="/", PaginationConfig={"PageSize": 1}):
            keys += [item["Key"] for item in page.get("Contents", [])]
            prefixes += [item["Prefix"] for item in page.get("CommonPrefixes", [])]
        assert keys == ["list/a", "list/d"] and prefixes == ["list/b/", "list/c/"], (operation, keys, prefixes)


def conditions_hold():
    etag = s3.put_object(Bucket="compat", Key="cond", Body=b"one")["ETag"]
    assert error_code(s3.put_object, Bucket="compat", Key="cond", Body=b"two", IfNoneMatch="*") == "PreconditionFailed"
    assert error_code(s3.put_object, Bucket="compat", Key="cond", Body=b"two", IfMatch='"00000000000000000000000000000000"') == "PreconditionFailed"
    s3.put_object(Bucket="compat", Key="cond", Body=b"two", IfMatch=etag)
    assert error_code(s3.get_object, Bucket="compat", Key="cond", IfMatch=etag) == "PreconditionFailed"
    assert error_code(s3.get_object, Bucket="compat", Key="cond", IfNoneMatch=s3.head_object(Bucket="compat", Key="cond")["ETag"]) == "304"
    assert error_code(s3.get_object, Bucket="compat", Key="missing") == "NoSuchKey"


def a_key_written_since_the_upload_began_is_a_conflict():
    etag = s3.put_object(Bucket="compat", Key="cond", Body=b"one")["ETag"]
    upload = s3.create_multipart_upload(Bucket="compat", Key="cond")["UploadId"]
    s3.put_object(Bucket="compat", Key="cond", Body=b"one")
    part = s3.upload_part(Bucket="compat", Key="cond", UploadId=upload, PartNumber=1, Body=b"two")
    complete = {"Bucket": "compat", "Key": "cond", "UploadId": upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}}
    assert error_code(s3.complete_multipart_upload, IfMatch=etag, **complete) == "ConditionalRequestConflict"
    assert error_code(s3.complete_multipart_upload, IfNoneMatch="*", **complete) == "PreconditionFailed"
    s3.abort_multipart_upload(Bucket="compat", Key="cond", UploadId=upload)


def versions_are_kept():
    bucket = {"Bucket": "compat-versions"}
    s3.create_bucket(**bucket)
    s3.put_bucket_versioning(VersioningConfiguration={"Status": "Enabled"}, **bucket)
    ids = [s3.put_object(Key="k", Body=body, **bucket)["VersionId"] for body in (b"one", b"two")]
    marker = s3.delete_object(Key="k", **bucket)["VersionId"]
    assert error_code(s3.get_object, Key="k", **bucket) == "NoSuchKey"
    listed = s3.list_object_versions(**bucket)
    assert [version["VersionId"] for version in listed["Versions"]] == ids[::-1]
    assert [version["VersionId"] for version in listed["DeleteMarkers"]] == [marker]
    assert s3.get_object(Key="k", VersionId=ids[0], **bucket)["Body"].read() == b"one"
    s3.delete_object(Key="k", VersionId=marker, **bucket)
    assert s3.get_object(Key="k", **bucket)["Body"].read() == b"two"
    s3.delete_objects(Delete={"Objects": [{"Key": "k", "VersionId": version} for version in ids]}, **bucket)
    s3.delete_bucket(**bucket)


def one_of_many_racing_creators_wins():
    def create(number):
        return error_code(s3.put_object, Bucket="compat", Key="race", Body=str(number).encode(), IfNoneMatch="*")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(create, range(16)))
    assert outcomes.count("no error") == 1, outcomes


def many_objects_are_deleted_at_once():
    keys = [f"many/{number:04}" for number in range(300)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket="compat", Key=key, Body=b"x"), keys))
    answer = s3.delete_objects(Bucket="compat", Delete={"Objects": [{"Key": key} for key in keys]})
    assert len(answer["Deleted"]) == 300 and "Errors" not in answer
    assert s3.list_objects_v2(Bucket="compat", Prefix="many/")["KeyCount"] == 0


def the_transfer_manager_moves_a_large_file():
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
    s3.upload_fileobj(io.BytesIO(BIG), "compat", "transfer", Config=config)
    back = io.BytesIO()
    s3.download_fileobj("compat", "transfer", back, Config=config)
    assert back.getvalue() == BIG


def an_upload_is_resumed_after_kill_9():
    upload = s3.create_multipart_upload(Bucket="compat", Key="resumed", ChecksumAlgorithm="CRC32")["UploadId"]
    pieces = [BIG[start:start + PART] for start in range(0, len(BIG), PART)]

    def send(number):
        s3.upload_part(Bucket="compat", Key="resumed", UploadId=upload, PartNumber=number, Body=pieces[number - 1], ChecksumAlgorithm="CRC32")

    def listed():
        pages = s3.get_paginator("list_parts").paginate(Bucket="compat", Key="resumed", UploadId=upload)
        return {part["PartNumber"]: part for page in pages for part in page.get("Parts", [])}

    first = list(range(1, len(pieces) + 1))[::2]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(send, first))
    restart_gateway()
    assert sorted(listed()) == first
    missing = [number for number in range(1, len(pieces) + 1) if number not in listed()]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(send, missing))
    parts = [{"PartNumber": number, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]} for number, part in sorted(listed().items())]
    done = s3.complete_multipart_upload(Bucket="compat", Key="resumed", UploadId=upload, MultipartUpload={"Parts": parts})
    md5s = b"".join(hashlib.md5(piece).digest() for piece in pieces)
    assert done["ETag"] == '"%s-%d"' % (hashlib.md5(md5s).hexdigest(), len(pieces))
    restart_gateway()
    again = s3.complete_multipart_upload(Bucket="compat", Key="resumed", UploadId=upload, MultipartUpload={"Parts": parts})
    assert again["ETag"] == done["ETag"]
    assert s3.get_object(Bucket="compat", Key="resumed")["Body"].read() == BIG
    assert s3.get_object(Bucket="compat", Key="resumed", Range="bytes=5242870-5242889")["Body"].read() == BIG[5242870:5242890]
    second = s3.get_object(Bucket="compat", Key="resumed", PartNumber=2)
    assert second["Body"].read() == pieces[1] and second["PartsCount"] == len(pieces)


def parts_are_copied_from_an_object():
    upload = s3.create_multipart_upload(Bucket="compat", Key="stitched")["UploadId"]
    parts = []
    for number, (first, last) in enumerate([(0, PART - 1), (3, PART + 2), (7, 1000)], 1):
        source = {"Bucket": "compat", "Key": "resumed"}
        result = s3.upload_part_copy(Bucket="compat", Key="stitched", UploadId=upload, PartNumber=number, CopySource=source, CopySourceRange=f"bytes={first}-{last}")
        parts.append({"PartNumber": number, "ETag": result["CopyPartResult"]["ETag"]})
    s3.complete_multipart_upload(Bucket="compat", Key="stitched", UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket="compat", Key="stitched")["Body"].read() == BIG[:PART] + BIG[3:PART + 3] + BIG[7:1001]


def complete_refuses_what_it_should():
    upload = s3.create_multipart_upload(Bucket="compat", Key="refused")["UploadId"]
    etags = [s3.upload_part(Bucket="compat", Key="refused", UploadId=upload, PartNumber=number, Body=b"tiny")["ETag"] for number in (1, 2)]

    def complete(*parts):
        listed = [{"PartNumber": number, "ETag": etag} for number, etag in parts]
        return error_code(s3.complete_multipart_upload, Bucket="compat", Key="refused", UploadId=upload, MultipartUpload={"Parts": listed})

    assert complete((1, etags[0]), (2, etags[1])) == "EntityTooSmall"
    assert complete((2, etags[1]), (1, etags[0])) == "InvalidPartOrder"
    assert complete((1, '"00000000000000000000000000000000"')) == "InvalidPart"
    assert complete((3, etags[0])) == "InvalidPart"
    assert complete((1, etags[0])) == "no error"
    assert error_code(s3.upload_part, Bucket="compat", Key="refused", UploadId=upload, PartNumber=2, Body=b"late") == "NoSuchUpload"


def copies_share_and_outlive_their_source():
    s3.copy_object(Bucket="compat", Key="copy", CopySource={"Bucket": "compat", "Key": "resumed"}, Metadata={"new": "yes"}, MetadataDirective="REPLACE")
    s3.delete_object(Bucket="compat", Key="resumed")
    got = s3.get_object(Bucket="compat", Key="copy")
    assert got["Metadata"] == {"new": "yes"} and got["Body"].read() == BIG


def presigned_urls_work():
    # Without this boto3 still presigns with Signature Version 2.
    signer = boto3.client("s3", endpoint_url=ENDPOINT, config=botocore.config.Config(signature_version="s3v4"))
    url = signer.generate_presigned_url("put_object", Params={"Bucket": "compat", "Key": "signed"}, ExpiresIn=60)
    urllib.request.urlopen(urllib.request.Request(url, data=b"from a url", method="PUT"))
    url = signer.generate_presigned_url("get_object", Params={"Bucket": "compat", "Key": "signed"}, ExpiresIn=60)
    assert urllib.request.urlopen(url).read() == b"from a url"


def tags_are_set_and_removed():
    tags = [{"Key": "a key", "Value": ""}, {"Key": "b", "Value": "2"}]
    s3.put_object(Bucket="compat", Key="tagged", Body=b"x", Tagging="from=header")
    assert s3.get_object_tagging(Bucket="compat", Key="tagged")["TagSet"] == [{"Key": "from", "Value": "header"}]
    s3.put_object_tagging(Bucket="compat", Key="tagged", Tagging={"TagSet": tags})
    assert s3.get_object_tagging(Bucket="compat", Key="tagged")["TagSet"] == tags
    s3.delete_object_tagging(Bucket="compat", Key="tagged")
    assert s3.get_object_tagging(Bucket="compat", Key="tagged")["TagSet"] == []
    twice = {"TagSet": [tags[0], tags[0]]}
    assert error_code(s3.put_object_tagging, Bucket="compat", Key="tagged", Tagging=twice) == "InvalidTag"
    assert error_code(s3.get_bucket_tagging, Bucket="compat") == "NoSuchTagSet"
    s3.put_bucket_tagging(Bucket="compat", Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket="compat")["TagSet"] == tags
    s3.delete_bucket_tagging(Bucket="compat")
    assert error_code(s3.get_bucket_tagging, Bucket="compat") == "NoSuchTagSet"


def other_origins_are_allowed_as_configured():
    rule = {
        "ID": "app", "AllowedOrigins": ["https://*.example.com"], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60,
    }

    def asked(method, **headers):
        request = urllib.request.Request(ENDPOINT + "/compat/tagged", method=method)
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            answer = urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            answer = error
        return answer.status, answer.headers.get("Access-Control-Allow-Origin")

    app = "https://app.example.com"
    preflight = {"Origin": app, "Access_Control_Request_Method": "PUT", "Access_Control_Request_Headers": "x-amz-date"}
    assert error_code(s3.get_bucket_cors, Bucket="compat") == "NoSuchCORSConfiguration"
    assert asked("OPTIONS", **preflight) == (403, None)
    s3.put_bucket_cors(Bucket="compat", CORSConfiguration={"CORSRules": [rule]})
    assert s3.get_bucket_cors(Bucket="compat")["CORSRules"] == [rule]
    assert asked("OPTIONS", **preflight) == (200, app)
    assert asked("OPTIONS", **dict(preflight, Origin="https://example.com")) == (403, None)
    # Refused for want of a signature, and the page may know.
    assert asked("GET", Origin=app) == (403, app)
    assert asked("GET", Origin="https://example.org") == (403, None)
    s3.delete_bucket_cors(Bucket="compat")
    assert asked("GET", Origin=app) == (403, None)


def attributes_are_told():
    answer = s3.get_object_attributes(Bucket="compat", Key="copy", ObjectAttributes=["ETag", "ObjectSize", "ObjectParts", "StorageClass", "Checksum"])
    assert answer["ObjectSize"] == len(BIG) and answer["ObjectParts"]["TotalPartsCount"] > 1, answer


def a_bucket_with_objects_stays():
    assert error_code(s3.delete_bucket, Bucket="compat") == "BucketNotEmpty"
    # boto3 writes a control character into the XML of DeleteObjects as it is, which S3 refuses.
    s3.delete_object(Bucket="compat", Key="odd/ctl\x01key")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="compat"):
        s3.delete_objects(Bucket="compat", Delete={"Objects": [{"Key": item["Key"]} for item in page["Contents"]], "Quiet": True})
    s3.delete_bucket(Bucket="compat")
    assert error_code(s3.list_objects_v2, Bucket="compat") == "NoSuchBucket"


CHECKS = [
    a_bucket_is_made_and_found, objects_of_every_size_come_back, every_checksum_is_verified_and_kept, metadata_comes_back,
    odd_keys_come_back, listings_fold_common_prefixes, conditions_hold,
    a_key_written_since_the_upload_began_is_a_conflict, versions_are_kept, one_of_many_racing_creators_wins,
    many_objects_are_deleted_at_once, the_transfer_manager_moves_a_large_file, an_upload_is_resumed_after_kill_9,
    parts_are_copied_from_an_object, complete_refuses_what_it_should, copies_share_and_outlive_their_source,
    presigned_urls_work, tags_are_set_and_removed, other_origins_are_allowed_as_configured, attributes_are_told,
    a_bucket_with_objects_stays,
]
for check in CHECKS:
    name = check.__name__.replace("_", " ")
    try:
        check()
        print("ok", name, flush=True)
    except Exception:
        print("not ok", name, flush=True)
        for line in traceback.format_exc().splitlines()[-8:]:
            print("#", line, flush=True)
