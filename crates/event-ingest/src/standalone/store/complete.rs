//! Completing a multipart upload: one blob of its parts, one object, one announcement.

use md5::{Digest, Md5};

use super::announce::Event;
use super::uploads::{delete_upload, fetch_parts, fetch_upload};
use super::{MIN_PART_BYTES, Object, Part, Precondition, Store, StoreError, now};

impl Store {
    /// Makes one object of the listed parts, given as number and `ETag`. Parts that are not listed are
    /// dropped.
    ///
    /// # Errors
    /// [`StoreError::NoSuchUpload`], [`StoreError::InvalidPart`], [`StoreError::InvalidPartOrder`],
    /// [`StoreError::PartTooSmall`], and those of [`Store::put`].
    pub async fn complete_upload(
        &self,
        (bucket, key, upload): (&str, &str, &str),
        listed: &[(u16, String)],
        precondition: Precondition,
    ) -> Result<Object, StoreError> {
        let mut connection = self.readers().acquire().await?;
        let attributes = fetch_upload(&mut connection, bucket, key, upload).await?;
        let parts = fetch_parts(&mut connection, upload).await?;
        drop(connection);
        let chosen = choose(upload, &parts, listed)?;
        let etag = multipart_etag(&chosen);
        let blobs: Vec<String> = chosen.iter().map(|part| part.blob.clone()).collect();

        let store = self.clone();
        let (bucket, key, upload) = (bucket.to_owned(), key.to_owned(), upload.to_owned());
        Self::to_the_end(async move {
            let (blob, size) = store.blobs.concatenate(&blobs).await?;
            let object = Object { key, size, etag, modified: now(), attributes, blob };
            let outcome = store.record_completion(&bucket, &upload, &object, &parts, &precondition).await;
            store.settle(outcome, &object.blob).await?;
            Ok(object)
        })
        .await
    }

    async fn record_completion(
        &self,
        bucket: &str,
        upload: &str,
        object: &Object,
        parts: &[Part],
        precondition: &Precondition,
    ) -> Result<Vec<String>, StoreError> {
        let mut change = self.writer().begin().await?;
        fetch_upload(&mut change, bucket, &object.key, upload).await?;
        // A part that came in while the others were being joined makes the client's list outdated.
        let now = fetch_parts(&mut change, upload).await?;
        if let Some(moved) = now.iter().find(|part| numbered(parts, part.number) != Some(part)) {
            return Err(StoreError::InvalidPart { upload: upload.to_owned(), number: moved.number });
        }
        let mut garbage = self
            .write_object(&mut change, Event::CompleteMultipartUpload, bucket, object, precondition)
            .await?;
        delete_upload(&mut change, upload).await?;
        change.commit().await?;
        garbage.extend(parts.iter().map(|part| part.blob.clone()));
        Ok(garbage)
    }
}

/// The parts that the client lists, checked as S3 does.
fn choose<'a>(
    upload: &str,
    parts: &'a [Part],
    listed: &[(u16, String)],
) -> Result<Vec<&'a Part>, StoreError> {
    if listed.is_empty() || !listed.is_sorted_by(|a, b| a.0 < b.0) {
        return Err(StoreError::InvalidPartOrder(upload.to_owned()));
    }
    let mut chosen = Vec::with_capacity(listed.len());
    for (number, etag) in listed {
        let part = numbered(parts, *number).filter(|part| part.etag == *etag);
        chosen.push(
            part.ok_or_else(|| StoreError::InvalidPart { upload: upload.to_owned(), number: *number })?,
        );
    }
    let others = &chosen[..chosen.len() - 1];
    match others.iter().find(|part| part.size < MIN_PART_BYTES) {
        Some(small) => Err(StoreError::PartTooSmall { upload: upload.to_owned(), number: small.number }),
        None => Ok(chosen),
    }
}

/// The part of that number; `parts` are in order.
fn numbered(parts: &[Part], number: u16) -> Option<&Part> {
    let at = parts.binary_search_by_key(&number, |part| part.number).ok()?;
    Some(&parts[at])
}

/// MD5 over the binary MD5s of the parts, and their number.
fn multipart_etag(parts: &[&Part]) -> String {
    let mut digest = Md5::new();
    for part in parts {
        digest.update(hex::decode(&part.etag).expect("the ETag of a part is hexadecimal"));
    }
    format!("{}-{}", hex::encode(digest.finalize()), parts.len())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn part(number: u16, size: u64, content: &str) -> Part {
        Part {
            number,
            size,
            etag: hex::encode(Md5::digest(content)),
            modified: DateTime::UNIX_EPOCH,
            blob: String::new(),
        }
    }

    fn listed(parts: &[Part]) -> Vec<(u16, String)> {
        parts.iter().map(|part| (part.number, part.etag.clone())).collect()
    }

    #[test]
    fn parts_must_be_listed_in_order_with_their_etags() {
        let parts = [part(1, MIN_PART_BYTES, "a"), part(3, 1, "b")];
        assert_eq!(choose("u", &parts, &listed(&parts)).unwrap().len(), 2);

        let mut reversed = listed(&parts);
        reversed.reverse();
        assert!(matches!(choose("u", &parts, &reversed), Err(StoreError::InvalidPartOrder(_))));
        assert!(matches!(choose("u", &parts, &[]), Err(StoreError::InvalidPartOrder(_))));
        assert!(matches!(
            choose("u", &parts, &[(1, parts[1].etag.clone())]),
            Err(StoreError::InvalidPart { number: 1, .. })
        ));
    }

    #[test]
    fn only_the_last_part_may_be_small() {
        let parts = [part(1, MIN_PART_BYTES - 1, "a"), part(2, 1, "b")];
        assert!(matches!(
            choose("u", &parts, &listed(&parts)),
            Err(StoreError::PartTooSmall { number: 1, .. })
        ));
    }

    #[test]
    fn the_etag_is_the_md5_of_the_md5s() {
        let parts = [part(1, 1, "a"), part(2, 1, "b")];
        assert_eq!(multipart_etag(&[&parts[0], &parts[1]]), "96e024ba2074fe77e8e965ba43a704be-2");
    }
}
