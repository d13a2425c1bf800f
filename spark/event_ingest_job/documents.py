"""Small documents at `s3://` or `file://` addresses."""

import os
import tempfile
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from .faults import Refused, Unavailable
from .objects import ObjectUri
from .store import Place, client

MAX_BYTES = 64 * 1024 * 1024


def read(place: Place, uri: str) -> bytes:
    """The whole document. Raises `Unavailable` if it cannot be read now, `Refused` if it never can."""
    try:
        if at := _object(uri):
            body = client(place).get_object(Bucket=at.bucket, Key=at.key)["Body"].read(MAX_BYTES + 1)
        else:
            with _path(uri).open("rb") as file:
                body = file.read(MAX_BYTES + 1)
    except (ClientError, BotoCoreError, OSError) as error:
        raise Unavailable(f"cannot read {uri}: {error}") from error
    if len(body) > MAX_BYTES:
        raise Refused(f"{uri} is longer than {MAX_BYTES} bytes")
    return bytes(body)


def write(place: Place, uri: str, body: bytes) -> None:
    """Writes it whole or not at all. Raises `Unavailable`."""
    try:
        if at := _object(uri):
            client(place).put_object(Bucket=at.bucket, Key=at.key, Body=body)
            return
        path = _path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(body)
        os.chmod(file.name, 0o644)
        os.replace(file.name, path)
    except (ClientError, BotoCoreError, OSError) as error:
        raise Unavailable(f"cannot write {uri}: {error}") from error


def _object(uri: str) -> ObjectUri | None:
    scheme, found, rest = uri.partition("://")
    if not found or scheme not in ("s3", "s3a", "s3n"):
        return None
    try:
        return ObjectUri.parse(f"s3://{rest}")
    except ValueError as error:
        raise Refused(f"{uri!r} is no address: {error}") from error


def _path(uri: str) -> Path:
    """Of `file:///…`, `file:/…` or a bare path: verbatim, as the light worker takes them."""
    plain = uri.removeprefix("file:")
    if not plain.startswith("/"):
        raise Refused(f"{uri!r} is no address: expected s3://… or file:///…")
    return Path("/" + plain.lstrip("/"))
