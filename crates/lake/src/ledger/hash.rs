//! The two hashes by which runs are sorted and searched: of an object's name, and of its whole identity.
//!
//! Both are SHA-256 over texts, each preceded by its length in bytes as four bytes, most significant first: no two
//! lists of texts have the same encoding.

use ingest_core::{ObjectIdentity, ObjectVersion};
use sha2::{Digest, Sha256};

use super::entry::ObjectName;

/// Length of [`digest`] in bytes. At 128 bits two identities of one table share a digest by chance never, so a
/// look-up takes equal digests for equal identities.
pub(super) const DIGEST_BYTES: usize = 16;

const KIND_VERSION_ID: &str = "version-id";
const KIND_ETAG: &str = "etag";

/// Where the versions of an object stand in a run: the first eight bytes of the hash over store, bucket and key,
/// most significant first, as a signed number.
pub(super) fn key_hash(name: &ObjectName) -> i64 {
    let hash = hash(&[&name.store, &name.bucket, &name.key]);
    i64::from_be_bytes(*hash.first_chunk().expect("SHA-256 has 32 bytes"))
}

/// The name of an object version: the first bytes of the hash over store, bucket, key, version kind and version.
pub(super) fn digest(identity: &ObjectIdentity) -> [u8; DIGEST_BYTES] {
    let ObjectIdentity { store, bucket, key, version } = identity;
    let hash = hash(&[store, bucket, key, version_kind(version), version_text(version)]);
    *hash.first_chunk().expect("SHA-256 has 32 bytes")
}

/// How the kind of a version is written.
pub(super) fn version_kind(version: &ObjectVersion) -> &'static str {
    match version {
        ObjectVersion::VersionId(_) => KIND_VERSION_ID,
        ObjectVersion::ETag(_) => KIND_ETAG,
    }
}

/// The version without its kind.
pub(super) fn version_text(version: &ObjectVersion) -> &str {
    match version {
        ObjectVersion::VersionId(text) | ObjectVersion::ETag(text) => text,
    }
}

/// The version of that kind; `None` for a kind that is not known.
pub(super) fn version(kind: &str, text: String) -> Option<ObjectVersion> {
    match kind {
        KIND_VERSION_ID => Some(ObjectVersion::VersionId(text)),
        KIND_ETAG => Some(ObjectVersion::ETag(text)),
        _ => None,
    }
}

fn hash(texts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for text in texts {
        // A key has at most 1,024 bytes; a longer text than four bytes can count does not exist.
        hash.update(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(store: &str, bucket: &str, key: &str, version: ObjectVersion) -> ObjectIdentity {
        ObjectIdentity { store: store.into(), bucket: bucket.into(), key: key.into(), version }
    }

    /// Runs on disk are sorted and searched by these: another value would lose every entry.
    #[test]
    fn the_hashes_on_disk_are_these() {
        let known = identity("s3", "inbox", "a/b c.parquet", ObjectVersion::ETag("abc-2".into()));
        assert_eq!(key_hash(&ObjectName::of(&known)), -1_135_749_292_635_808_802);
        assert_eq!(hex::encode(digest(&known)), "320347bf50da849f92012cdc80569ef7");
    }

    #[test]
    fn a_text_never_runs_into_its_neighbour() {
        let version = || ObjectVersion::ETag("e".into());
        let one = identity("s", "ab", "c", version());
        let other = identity("s", "a", "bc", version());
        assert_ne!(key_hash(&ObjectName::of(&one)), key_hash(&ObjectName::of(&other)));
        assert_ne!(digest(&one), digest(&other));
    }

    #[test]
    fn a_version_id_and_an_etag_of_the_same_text_are_two_identities_of_one_object() {
        let one = identity("s", "b", "k", ObjectVersion::ETag("x".into()));
        let other = identity("s", "b", "k", ObjectVersion::VersionId("x".into()));
        assert_eq!(key_hash(&ObjectName::of(&one)), key_hash(&ObjectName::of(&other)));
        assert_ne!(digest(&one), digest(&other));
    }
}
