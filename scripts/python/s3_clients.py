"""Puts Parquet files through boto3 and the AWS command line, with odd keys and sizes, and checks what comes back.

usage: s3_clients.py ENDPOINT_JSON FILE...

Prints, a line each, the file behind every object that has to become rows. One object more has a key that no S3 client
library can address as it is: it has to be set aside.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

import s3_client

ODD_KEYS = ["with space", "plus+sign", "per%2Fcent", "hash#mark", "question?mark=1", "ünï/ćode", "a", "a/b", "quote\"'&<>"]
UNADDRESSABLE_KEY = "/leading-slash.parquet"
PART = 5 * 1024 * 1024


def check(condition: bool, complaint: str) -> None:
    if not condition:
        sys.exit(complaint)


def refused(call, code: str) -> None:
    """The call has to fail with this S3 error code or HTTP status."""
    try:
        call()
    except ClientError as error:
        given = (error.response["Error"]["Code"], str(error.response["ResponseMetadata"]["HTTPStatusCode"]))
        check(code in given, f"expected {code}, got {given}")
        return
    sys.exit(f"expected {code}, got an answer")


def boto3_round_trips(s3, bucket: str, files: list[Path]) -> list[Path]:
    """Odd keys: what is put is what is listed, headed and got, whole and in ranges."""
    put = []
    for index, key in enumerate(ODD_KEYS):
        source = files[index % len(files)]
        body = source.read_bytes()
        key = f"odd/{key}.parquet"
        etag = s3.put_object(Bucket=bucket, Key=key, Body=body)["ETag"]
        check(etag == f'"{hashlib.md5(body).hexdigest()}"', f"{key}: ETag {etag}")
        check(s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(body), f"{key}: length")
        check(s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body, f"{key}: bytes")
        part = s3.get_object(Bucket=bucket, Key=key, Range="bytes=10-19", IfMatch=etag)
        check(part["Body"].read() == body[10:20], f"{key}: range")
        refused(lambda: s3.get_object(Bucket=bucket, Key=key, IfMatch='"other"'), "412")
        put.append(source)
    listed = [
        entry["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix="odd/", PaginationConfig={"PageSize": 2}
        )
        for entry in page["Contents"]
    ]
    check(listed == sorted((f"odd/{key}.parquet" for key in ODD_KEYS), key=str.encode), f"listed {listed}")
    prefixes = s3.list_objects_v2(Bucket=bucket, Prefix="odd/", Delimiter="/")["CommonPrefixes"]
    check([entry["Prefix"] for entry in prefixes] == ["odd/a/", "odd/ünï/"], f"prefixes {prefixes}")
    refused(lambda: s3.get_object(Bucket=bucket, Key="odd/none"), "NoSuchKey")
    s3.put_object(Bucket=bucket, Key=UNADDRESSABLE_KEY, Body=files[0].read_bytes())
    return put


def multipart(s3, bucket: str, files: list[Path], folder: Path) -> list[Path]:
    """One file of several parts, copied and removed again."""
    big = folder / "big.parquet"
    with pq.ParquetWriter(big, pq.read_schema(files[0]), compression="none", use_dictionary=False) as writer:
        while big.stat().st_size < 2 * PART:
            for file in files:
                writer.write_table(pq.read_table(file))
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
    s3.upload_file(str(big), bucket, "big.parquet", Config=config)
    etag = s3.head_object(Bucket=bucket, Key="big.parquet")["ETag"]
    check("-" in etag, f"no multipart ETag: {etag}")
    downloaded = folder / "downloaded"
    s3.download_file(bucket, "big.parquet", str(downloaded), Config=config)
    check(downloaded.read_bytes() == big.read_bytes(), "the multipart object came back otherwise")
    s3.copy_object(Bucket=bucket, Key="copied.txt", CopySource={"Bucket": bucket, "Key": "big.parquet"})
    s3.delete_object(Bucket=bucket, Key="copied.txt")
    refused(lambda: s3.head_object(Bucket=bucket, Key="copied.txt"), "404")
    return [big]


def aws_cli(endpoint: dict, files: list[Path], folder: Path) -> list[Path]:
    """The commands that the server itself suggests."""
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": endpoint["access_key"],
        "AWS_SECRET_ACCESS_KEY": endpoint["secret_key"],
        "AWS_DEFAULT_REGION": endpoint["region"],
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    program = [str(Path(sys.executable).with_name("aws")), "--endpoint-url", endpoint["url"], "s3"]

    def aws(*arguments: str) -> str:
        done = subprocess.run([*program, *arguments], env=environment, capture_output=True, text=True, check=False)
        check(done.returncode == 0, f"aws s3 {arguments}: {done.stderr}")
        return done.stdout

    target = f"s3://{endpoint['bucket']}/cli"
    aws("cp", str(files[0]), f"{target}/one file+.parquet")
    check("one file+.parquet" in aws("ls", f"{target}/"), "aws s3 ls does not show the file")
    back = folder / "back.parquet"
    aws("cp", f"{target}/one file+.parquet", str(back))
    check(back.read_bytes() == files[0].read_bytes(), "aws s3 cp brought other bytes back")
    return [files[0]]


def main() -> None:
    endpoint_file, *files = map(Path, sys.argv[1:])
    endpoint = json.loads(endpoint_file.read_text())
    s3 = s3_client.connect(endpoint)
    bucket = endpoint["bucket"]
    put = boto3_round_trips(s3, bucket, files)
    put += multipart(s3, bucket, files, endpoint_file.parent)
    put += aws_cli(endpoint, files, endpoint_file.parent)
    print(*put, sep="\n")


if __name__ == "__main__":
    main()
