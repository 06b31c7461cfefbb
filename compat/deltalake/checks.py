"""Delta Lake (delta-rs, over the object_store crate) against the gateway: a table whose writers agree by conditional
puts alone, as on Amazon S3. Prints a line a check (Test Anything Protocol)."""

import concurrent.futures
import os
import traceback

import deltalake
import pyarrow
import pyarrow.fs

OPTIONS = {
    "aws_endpoint_url": os.environ["ENDPOINT"], "aws_allow_http": "true", "aws_region": "us-east-1",
    "aws_conditional_put": "etag",
}
TABLE = "s3://compat/table"
ROWS = 1000


def rows(value):
    return pyarrow.table({"writer": pyarrow.array([value] * ROWS)})


def arrow_writes_and_reads():
    files = pyarrow.fs.S3FileSystem(
        endpoint_override=os.environ["ENDPOINT"].removeprefix("http://"), scheme="http", region="us-east-1",
        allow_bucket_creation=True,
    )
    files.create_dir("compat")
    body = os.urandom(25 << 20)
    with files.open_output_stream("compat/arrow/file") as stream:
        stream.write(body)
    with files.open_input_file("compat/arrow/file") as file:
        assert file.read() == body
        assert file.read_at(100, 10 << 20) == body[10 << 20:(10 << 20) + 100]
    assert [info.path for info in files.get_file_info(pyarrow.fs.FileSelector("compat", recursive=True)) if info.is_file] == ["compat/arrow/file"]


def racing_writers_lose_no_commit():
    deltalake.write_deltalake(TABLE, rows(0), storage_options=OPTIONS)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda writer: deltalake.write_deltalake(TABLE, rows(writer), mode="append", storage_options=OPTIONS), range(1, 9)))
    table = deltalake.DeltaTable(TABLE, storage_options=OPTIONS)
    assert table.version() == 8
    found = pyarrow.table(table.to_pyarrow_table()).column("writer").to_pylist()
    assert sorted(set(found)) == list(range(9)) and len(found) == 9 * ROWS


for check in [arrow_writes_and_reads, racing_writers_lose_no_commit]:
    name = check.__name__.replace("_", " ")
    try:
        check()
        print("ok", name, flush=True)
    except Exception:
        print("not ok", name, flush=True)
        for line in traceback.format_exc().splitlines()[-8:]:
            print("#", line, flush=True)

# Threads of the AWS SDK for C++ outlive the interpreter at times, and end it with "terminate called without an active
# exception". Everything is checked and closed here, so its teardown is not waited for.
os._exit(0)
