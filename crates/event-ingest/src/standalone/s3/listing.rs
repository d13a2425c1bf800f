//! Listings of both versions.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::*;
use s3s::{S3Result, s3_error};

use super::Endpoint;
use super::conditions::timestamp;
use super::objects::listed;
use crate::standalone::store::{self, ListQuery};

/// Entries of a page unless fewer are asked for, as in S3.
pub(super) const PAGE: i32 = 1000;

/// What stays as it is under `encoding-type=url`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// How names are written in an answer: as they are, or escaped, because XML cannot hold every character.
pub(super) struct Names {
    escape: bool,
}

impl Names {
    pub(super) fn of(encoding: Option<&EncodingType>) -> S3Result<Self> {
        match encoding.map(EncodingType::as_str) {
            None => Ok(Self { escape: false }),
            Some(EncodingType::URL) => Ok(Self { escape: true }),
            Some(other) => Err(s3_error!(InvalidArgument, "encoding-type must be \"url\", got {other:?}")),
        }
    }

    pub(super) fn write(&self, name: String) -> String {
        if self.escape { utf8_percent_encode(&name, ESCAPED).to_string() } else { name }
    }
}

/// A bucket as a listing shows it.
pub(super) fn bucket(bucket: store::Bucket) -> Bucket {
    Bucket { name: Some(bucket.name), creation_date: Some(timestamp(bucket.created)), ..Default::default() }
}

/// How many entries a page holds.
pub(super) fn page(asked: Option<i32>, name: &str) -> S3Result<i32> {
    match asked {
        None => Ok(PAGE),
        Some(asked) if asked < 0 => {
            Err(s3_error!(InvalidArgument, "{name} must not be negative, got {asked}"))
        }
        Some(asked) => Ok(asked.min(PAGE)),
    }
}

impl Endpoint {
    pub(super) async fn list_v1(&self, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
        let names = Names::of(input.encoding_type.as_ref())?;
        let max_keys = page(input.max_keys, "max-keys")?;
        let prefix = input.prefix.unwrap_or_default();
        let delimiter = input.delimiter.unwrap_or_default();
        let marker = input.marker.unwrap_or_default();
        let from =
            if marker.is_empty() { String::new() } else { ListQuery::after(&prefix, &delimiter, &marker) };
        let query = ListQuery { prefix, delimiter, from, limit: usize::try_from(max_keys).unwrap_or(0) };
        let listing = self.store.list(&input.bucket, &query).await?;
        let truncated = listing.next.is_some();
        let last = listing.last.filter(|_| truncated);
        let (contents, common_prefixes) = page_of(listing.objects, listing.prefixes, &names);
        Ok(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(names.write(query.prefix)),
            delimiter: present(query.delimiter).map(|text| names.write(text)),
            marker: Some(names.write(marker)),
            next_marker: last.map(|text| names.write(text)),
            max_keys: Some(max_keys),
            is_truncated: Some(truncated),
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            encoding_type: input.encoding_type,
            ..Default::default()
        })
    }

    pub(super) async fn list_v2(&self, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
        let names = Names::of(input.encoding_type.as_ref())?;
        let max_keys = page(input.max_keys, "max-keys")?;
        let from = match (&input.continuation_token, &input.start_after) {
            (Some(token), _) => decode(token)?,
            (None, Some(after)) if !after.is_empty() => format!("{after}\0"),
            (None, _) => String::new(),
        };
        let query = ListQuery {
            prefix: input.prefix.unwrap_or_default(),
            delimiter: input.delimiter.unwrap_or_default(),
            from,
            limit: usize::try_from(max_keys).unwrap_or(0),
        };
        let listing = self.store.list(&input.bucket, &query).await?;
        let count = i32::try_from(listing.len()).unwrap_or(PAGE);
        let (contents, common_prefixes) = page_of(listing.objects, listing.prefixes, &names);
        Ok(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(names.write(query.prefix)),
            delimiter: present(query.delimiter).map(|text| names.write(text)),
            start_after: input.start_after.map(|text| names.write(text)),
            max_keys: Some(max_keys),
            key_count: Some(count),
            continuation_token: input.continuation_token,
            is_truncated: Some(listing.next.is_some()),
            next_continuation_token: listing.next.map(hex::encode),
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            encoding_type: input.encoding_type,
            ..Default::default()
        })
    }
}

fn page_of(
    objects: Vec<store::Object>,
    prefixes: Vec<String>,
    names: &Names,
) -> (ObjectList, CommonPrefixList) {
    let contents = objects.into_iter().map(|object| {
        let key = names.write(object.key.clone());
        listed(object, key)
    });
    let prefixes = prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(names.write(prefix)) });
    (contents.collect(), prefixes.collect())
}

fn present(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// A continuation token is the bound of the next page, in hexadecimal.
fn decode(token: &str) -> S3Result<String> {
    hex::decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
        s3_error!(InvalidArgument, "continuation-token {token:?} is not one that this endpoint gave")
    })
}
