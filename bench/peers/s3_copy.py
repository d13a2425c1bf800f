#!/usr/bin/env python3
"""Copies all files of a place to another by boto3, as `cp` does between folders.

From a folder to S3 it uploads; from S3 to S3 it gets and puts each object, or with --in-server lets the server copy.
"""

import argparse
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import place
from botocore.config import Config

# Objects under way at once.
AT_ONCE = 8


def connect(s3: dict[str, str]):
    return boto3.client(
        "s3",
        endpoint_url=s3["s3.endpoint"],
        aws_access_key_id=s3["s3.access-key-id"],
        aws_secret_access_key=s3["s3.secret-access-key"],
        region_name=s3["s3.region"],
        config=Config(s3={"addressing_style": "path"}, max_pool_connections=4 * AT_ONCE),
    )


def split(url: str) -> tuple[str, str]:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


def names(client, source: str) -> list[str]:
    if not source.startswith("s3://"):
        return sorted(file.name for file in Path(source).iterdir())
    bucket, prefix = split(source)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    return [each["Key"].removeprefix(f"{prefix}/") for page in pages for each in page.get("Contents", [])]


def upload(client, source: str, to: str, name: str) -> None:
    bucket, prefix = split(to)
    client.upload_file(f"{source}/{name}", bucket, f"{prefix}/{name}")


def get_and_put(client, source: str, to: str, name: str) -> None:
    from_bucket, from_prefix = split(source)
    bucket, prefix = split(to)
    body = io.BytesIO()
    client.download_fileobj(from_bucket, f"{from_prefix}/{name}", body)
    body.seek(0)
    client.upload_fileobj(body, bucket, f"{prefix}/{name}")


def in_server(client, source: str, to: str, name: str) -> None:
    from_bucket, from_prefix = split(source)
    bucket, prefix = split(to)
    client.copy({"Bucket": from_bucket, "Key": f"{from_prefix}/{name}"}, bucket, f"{prefix}/{name}")


def copy(client, way: Callable, source: str, to: str) -> dict:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = list(pool.map(lambda name: way(client, source, to, name), names(client, source)))
    return {"files": len(done)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    place.add_arguments(parser)
    parser.add_argument("--in-server", action="store_true", help="the bytes never leave the server")
    parser.add_argument("--make-bucket", action="store_true", help="makes the bucket that takes them")
    arguments = parser.parse_args()
    client = connect(arguments.s3)
    if arguments.make_bucket:
        client.create_bucket(Bucket=split(arguments.to)[0])
    way = in_server if arguments.in_server else get_and_put if arguments.source.startswith("s3://") else upload
    place.timed(lambda to: copy(client, way, arguments.source, to), arguments.to, arguments.warm_up)


if __name__ == "__main__":
    main()
