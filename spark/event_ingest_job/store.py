"""Objects of S3: looking at one, and reading exactly the version that was seen."""

import io
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .faults import Changed, Unavailable
from .objects import ObjectUri, Version, plain_etag, plain_version

CONNECT_TIMEOUT = 10  # seconds
READ_TIMEOUT = 60  # seconds
ATTEMPTS = 5
CONNECTIONS = 32
_GONE = ("404", "NoSuchKey", "NoSuchVersion", "NotFound")
_OTHER = _GONE + ("412", "PreconditionFailed")


@dataclass(frozen=True)
class Place:
    """Where the store is. Credentials are not here: each process finds its own, in its environment or its role."""

    endpoint: str | None = None
    region: str | None = None

    @staticmethod
    def of_environment() -> "Place":
        """The variables that every S3 client knows."""
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None
        return Place(endpoint, os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1")


@lru_cache(maxsize=4)
def client(place: Place) -> Any:
    """One client a process."""
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "standard", "max_attempts": ATTEMPTS},
        max_pool_connections=CONNECTIONS,
        # Stores with an endpoint of their own rarely have a name for each bucket, and old ones know no check sums.
        s3={"addressing_style": "path" if place.endpoint else "auto"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.client("s3", endpoint_url=place.endpoint, region_name=place.region, config=config)


def look(place: Place, uri: ObjectUri, version_id: str | None) -> Version | None:
    """The current version of an object, or the one that is named; none if the bucket has no such thing.

    Raises `Unavailable` if the store does not say.
    """
    named = {"VersionId": version_id} if version_id else {}
    try:
        said = client(place).head_object(Bucket=uri.bucket, Key=uri.key, **named)
    except ClientError as error:
        # To a version id that cannot be one stores answer 400.
        if _code(error) in _GONE or (version_id and _code(error) == "400"):
            _bucket_answers(place, uri)
            return None
        raise Unavailable(f"cannot look up {uri}: {error}") from error
    except BotoCoreError as error:
        raise Unavailable(f"cannot look up {uri}: {error}") from error
    etag, found = plain_etag(said.get("ETag")), plain_version(said.get("VersionId")) or version_id
    if not etag and not found:
        raise Unavailable(f"{uri}: the store gave neither a version id nor an ETag")
    return Version(uri, int(said["ContentLength"]), etag, found)


def _bucket_answers(place: Place, uri: ObjectUri) -> None:
    """A 404 to HEAD has no body: only a bucket that answers proves that it is the key that is missing."""
    try:
        client(place).list_objects_v2(Bucket=uri.bucket, MaxKeys=1)
    except (ClientError, BotoCoreError) as error:
        raise Unavailable(f"bucket {uri.bucket} does not answer: {error}") from error


def read(place: Place, version: Version, start: int, end: int) -> bytes:
    """Bytes from `start` to before `end` of this version.

    Raises `Changed` if it is no longer there, `Unavailable` if the store fails.
    """
    uri = version.uri
    pin = {"VersionId": version.version_id} if version.version_id else {"IfMatch": f'"{version.etag}"'}
    failure: Exception | None = None
    for _ in range(ATTEMPTS):
        try:
            said = client(place).get_object(Bucket=uri.bucket, Key=uri.key, Range=f"bytes={start}-{end - 1}", **pin)
            body = said["Body"].read(end - start)
        except ClientError as error:
            if _code(error) in _OTHER or _code(error) in ("416", "InvalidRange"):
                raise Changed(f"{uri} is no longer what it was") from error
            raise Unavailable(f"cannot read {uri}: {error}") from error
        except (BotoCoreError, OSError) as error:
            failure = error
            continue
        # Stores that do not know If-Match hand out whatever is there.
        if not version.version_id and plain_etag(said.get("ETag")) != version.etag:
            raise Changed(f"{uri} is no longer what it was")
        if len(body) == end - start:
            return bytes(body)
        failure = OSError(f"{end - start - len(body)} bytes did not come")
    raise Unavailable(f"cannot read {uri}: {failure}")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


class Pinned(io.RawIOBase):
    """One version of an object as a file."""

    def __init__(self, place: Place, version: Version) -> None:
        super().__init__()
        self.place, self.version, self.at = place, version, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def size(self) -> int:
        """Bytes of the object."""
        return self.version.size

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.version.size}[whence]
        self.at = max(0, base + offset)
        return self.at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self.version.size - self.at)
        wanted = left if size < 0 else min(size, left)
        if wanted == 0:
            return b""
        body = read(self.place, self.version, self.at, self.at + wanted)
        self.at += wanted
        return body

    def readinto(self, into: Any) -> int:
        body = self.read(len(into))
        into[: len(body)] = body
        return len(body)
