//! Bodies in and out, in chunks: memory does not depend on an object's size.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto::{Checksum, ChecksumAlgorithm, StreamingBlob};
use s3s::{S3Result, TrailingHeaders, s3_error};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use crate::standalone::store::{Blob, Store};

/// Bytes read from a blob at a time.
const CHUNK: usize = 256 * 1024;

/// What a client claims about the body it sends.
#[derive(Debug, Default)]
pub(super) struct Claims {
    pub(super) length: Option<i64>,
    /// `Content-MD5`, in base64.
    pub(super) md5: Option<String>,
    /// `x-amz-checksum-*` headers.
    pub(super) checksum: Checksum,
    /// The checksum that follows the body, if one is announced.
    pub(super) trailing: Option<ChecksumAlgorithm>,
    pub(super) trailers: Option<TrailingHeaders>,
}

/// Stores a body as a blob if it is what the client claims. Returns the checksums it asked to verify.
pub(super) async fn receive(
    store: &Store,
    body: Option<StreamingBlob>,
    claims: Claims,
) -> S3Result<(Blob, Checksum)> {
    let mut hasher = claims.hasher();
    let mut writer = store.begin_blob().await?;
    if let Some(mut body) = body {
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| {
                s3_error!(IncompleteBody, "the body could not be read to its end: {error}")
            })?;
            hasher.update(&chunk);
            writer.write(&chunk).await.map_err(io_error)?;
        }
    }
    let checksum = hasher.finalize();
    claims.verify_checksum(&checksum)?;
    claims.verify_size_and_md5(writer.size(), writer.md5())?;
    let blob = writer.finish().await.map_err(io_error)?;
    Ok((blob, checksum))
}

/// `length` bytes of a blob from `start` on.
pub(super) async fn send(mut file: File, start: u64, length: u64) -> S3Result<StreamingBlob> {
    file.seek(std::io::SeekFrom::Start(start)).await.map_err(io_error)?;
    let stream = ReaderStream::with_capacity(file.take(length), CHUNK);
    Ok(StreamingBlob::wrap::<_, std::io::Error>(stream))
}

fn io_error(error: std::io::Error) -> s3s::S3Error {
    crate::standalone::store::StoreError::from(error).into()
}

impl Claims {
    fn hasher(&self) -> ChecksumHasher {
        let trails = |name| {
            let announced = self.trailing.as_ref().map(ChecksumAlgorithm::as_str);
            self.trailers.is_some() && announced == Some(name)
        };
        let claimed = &self.checksum;
        ChecksumHasher {
            crc32: (claimed.checksum_crc32.is_some() || trails(ChecksumAlgorithm::CRC32)).then(Crc32::new),
            crc32c: (claimed.checksum_crc32c.is_some() || trails(ChecksumAlgorithm::CRC32C))
                .then(Crc32c::new),
            crc64nvme: (claimed.checksum_crc64nvme.is_some() || trails(ChecksumAlgorithm::CRC64NVME))
                .then(Crc64Nvme::new),
            sha1: (claimed.checksum_sha1.is_some() || trails(ChecksumAlgorithm::SHA1)).then(Sha1::new),
            sha256: (claimed.checksum_sha256.is_some() || trails(ChecksumAlgorithm::SHA256))
                .then(Sha256::new),
        }
    }

    fn verify_checksum(&self, computed: &Checksum) -> S3Result<()> {
        let trailers = self.trailers.as_ref().and_then(TrailingHeaders::take).unwrap_or_default();
        let claimed = &self.checksum;
        let pairs = [
            ("x-amz-checksum-crc32", &claimed.checksum_crc32, &computed.checksum_crc32),
            ("x-amz-checksum-crc32c", &claimed.checksum_crc32c, &computed.checksum_crc32c),
            ("x-amz-checksum-crc64nvme", &claimed.checksum_crc64nvme, &computed.checksum_crc64nvme),
            ("x-amz-checksum-sha1", &claimed.checksum_sha1, &computed.checksum_sha1),
            ("x-amz-checksum-sha256", &claimed.checksum_sha256, &computed.checksum_sha256),
        ];
        for (name, in_header, computed) in pairs {
            let Some(computed) = computed else { continue };
            let in_trailer = trailers.get(name).and_then(|value| value.to_str().ok());
            match in_header.as_deref().or(in_trailer) {
                Some(claimed) if claimed == computed => {}
                Some(claimed) => {
                    return Err(s3_error!(
                        BadDigest,
                        "{name} is {claimed}, but the body received has {computed}; send it again"
                    ));
                }
                None => {
                    return Err(s3_error!(
                        InvalidRequest,
                        "{name} was announced as a trailer but did not follow the body"
                    ));
                }
            }
        }
        Ok(())
    }

    fn verify_size_and_md5(&self, size: u64, md5: [u8; 16]) -> S3Result<()> {
        if let Some(length) = self.length
            && u64::try_from(length) != Ok(size)
        {
            return Err(s3_error!(
                IncompleteBody,
                "{length} bytes were announced and {size} came; send it again"
            ));
        }
        let Some(claimed) = &self.md5 else {
            return Ok(());
        };
        match STANDARD.decode(claimed) {
            Ok(claimed) if claimed == md5 => Ok(()),
            Ok(claimed) if claimed.len() == md5.len() => {
                Err(s3_error!(BadDigest, "Content-MD5 is not that of the body received; send it again"))
            }
            _ => Err(s3_error!(InvalidDigest, "Content-MD5 must be 16 bytes in base64, got {claimed:?}")),
        }
    }
}
