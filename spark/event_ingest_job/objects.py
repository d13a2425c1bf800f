"""Names of objects, and which version of one is meant."""

import re
from dataclasses import dataclass
from typing import Any

SCHEME = "s3://"
MAX_KEY_BYTES = 1024


@dataclass(frozen=True, order=True)
class ObjectUri:
    """Bucket and key, the key verbatim: nothing in it is encoded."""

    bucket: str
    key: str

    @staticmethod
    def parse(text: Any) -> "ObjectUri":
        """Splits `s3://bucket/key` at the first slash behind the bucket. Raises `ValueError`."""
        if not isinstance(text, str) or not text.startswith(SCHEME):
            raise ValueError(f"{text!r} is no object name: expected s3://<bucket>/<key>")
        bucket, slash, key = text[len(SCHEME) :].partition("/")
        if not bucket or not slash:
            raise ValueError(f"{text!r} is no object name: expected s3://<bucket>/<key>")
        return ObjectUri(bucket, key)

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}"

    def unaddressable(self) -> str | None:
        """Why an S3 client cannot ask for this key as it is; none if it can."""
        if not self.key:
            return "key is empty"
        if self.key.startswith("/"):
            return "key begins with a slash"
        if len(self.key.encode(errors="surrogatepass")) > MAX_KEY_BYTES:
            return "key is longer than 1024 bytes"
        if re.search(r"[\x00-\x1f\x7f]", self.key):
            return "key has a control character"
        for segment in self.key.split("/"):
            if segment == "":
                return "key has an empty segment"
            if segment in (".", ".."):
                return f'key has a segment "{segment}"'
        return None


@dataclass(frozen=True)
class Version:
    """One version of one object, as its own HEAD gave it: what is read from first byte to last."""

    uri: ObjectUri
    size: int
    etag: str | None
    version_id: str | None

    @property
    def identity(self) -> tuple[str, str | None, str | None]:
        """What tells this version from others."""
        return (str(self.uri), self.version_id, None if self.version_id else self.etag)


def plain_etag(etag: str | None) -> str | None:
    """Without `W/` and quotes, in lower case; none for an empty one."""
    if etag is None:
        return None
    etag = etag.strip()
    if etag[:2] in ("W/", "w/"):
        etag = etag[2:]
    return etag.strip('"').lower() or None


def plain_version(version_id: str | None) -> str | None:
    """The version id, if there is one: stores say `""` or `null` for an object without."""
    return None if version_id in (None, "", "null") else version_id
