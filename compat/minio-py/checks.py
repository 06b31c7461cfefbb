"""minio-py against the gateway: it signs, splits and checks by code of its own. Prints a line a check (Test Anything
Protocol)."""

import datetime
import io
import os
import traceback
import urllib.request

import minio
import minio.commonconfig
import minio.deleteobjects
import minio.versioningconfig

MIB = 1 << 20
BIG = os.urandom(int(os.environ["COMPAT_MIB"]) * MIB + 12345)
client = minio.Minio(
    endpoint=os.environ["ENDPOINT"].removeprefix("http://"),
    access_key=os.environ["AWS_ACCESS_KEY_ID"],
    secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    secure=False,
)


def put(key, body, **more):
    return client.put_object(bucket_name="compat", object_name=key, data=io.BytesIO(body), length=len(body), **more)


def stored(key, **more):
    answer = client.get_object(bucket_name="compat", object_name=key, **more)
    try:
        return answer.read()
    finally:
        answer.close()
        answer.release_conn()


def makes_a_bucket():
    client.make_bucket(bucket_name="compat")
    assert client.bucket_exists(bucket_name="compat") and not client.bucket_exists(bucket_name="compat-missing")


def uploads_in_parts_and_downloads():
    put("big", BIG, part_size=5 * MIB)
    assert stored("big") == BIG
    assert stored("big", offset=5 * MIB - 3, length=7) == BIG[5 * MIB - 3:5 * MIB + 4]
    # A stream whose length nobody knows.
    client.put_object(bucket_name="compat", object_name="stream", data=io.BytesIO(BIG), length=-1, part_size=5 * MIB)
    assert stored("stream") == BIG


def copies_and_composes():
    source = minio.commonconfig.CopySource(bucket_name="compat", object_name="big")
    client.copy_object(bucket_name="compat", object_name="copy", source=source)
    sources = [minio.commonconfig.ComposeSource(bucket_name="compat", object_name=key) for key in ("big", "copy")]
    client.compose_object(bucket_name="compat", object_name="composed", sources=sources)
    assert stored("composed") == BIG + BIG


def presigned_urls_work():
    expires = datetime.timedelta(minutes=1)
    url = client.presigned_put_object(bucket_name="compat", object_name="signed", expires=expires)
    urllib.request.urlopen(urllib.request.Request(url, data=b"from a url", method="PUT"))
    url = client.presigned_get_object(bucket_name="compat", object_name="signed", expires=expires)
    assert urllib.request.urlopen(url).read() == b"from a url"


def keeps_versions_and_tags():
    enabled = minio.versioningconfig.VersioningConfig(status=minio.commonconfig.ENABLED)
    client.set_bucket_versioning(bucket_name="compat", config=enabled)
    first = put("versioned", b"one").version_id
    put("versioned", b"two")
    assert stored("versioned") == b"two" and stored("versioned", version_id=first) == b"one"
    tags = minio.commonconfig.Tags.new_object_tags()
    tags["a key"] = "a value"
    client.set_object_tags(bucket_name="compat", object_name="versioned", tags=tags)
    assert client.get_object_tags(bucket_name="compat", object_name="versioned") == tags


def removes_everything():
    found = client.list_objects(bucket_name="compat", recursive=True, include_version=True)
    gone = [minio.deleteobjects.DeleteObject(name=item.object_name, version_id=item.version_id) for item in found]
    assert len(gone) >= 7
    assert list(client.remove_objects(bucket_name="compat", delete_object_list=gone)) == []
    client.remove_bucket(bucket_name="compat")


for check in [
    makes_a_bucket, uploads_in_parts_and_downloads, copies_and_composes, presigned_urls_work, keeps_versions_and_tags,
    removes_everything,
]:
    name = check.__name__.replace("_", " ")
    try:
        check()
        print("ok", name, flush=True)
    except Exception:
        print("not ok", name, flush=True)
        for line in traceback.format_exc().splitlines()[-8:]:
            print("#", line, flush=True)
