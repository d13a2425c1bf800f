//! Whether a page is as long as it says once it is decompressed.
//!
//! For most codecs the decoder makes room for what the header says, and stops there. Those of gzip, Brotli and LZ4
//! frames write on as long as the data lasts, so that a page of one MiB could take a GiB of memory and more. Brotli is
//! not looked at: its decoder cannot be had apart from that of the pages, and files that use it are to be read.

use std::io::Read;

use flate2::bufread::MultiGzDecoder;
use parquet::basic::Compression;

use super::pages::{Page, PageHeader};

/// Bytes that a page may take in any case: it is not worth decompressing it twice.
const HARMLESS: u64 = 16 * 1024 * 1024;
/// Deflate makes at most so many bytes of one.
const DEFLATE_RATIO: u64 = 1032;
/// LZ4 makes at most so many bytes of one.
const LZ4_RATIO: u64 = 255;
/// What an LZ4 frame begins with. The codec is meant for raw blocks; the decoder tries frames when they are none.
const LZ4_FRAME: [u8; 4] = [0x04, 0x22, 0x4D, 0x18];

/// The part of a page that the decoder decompresses without a bound: how many bytes stand before it, and how many its
/// header says it has in the end. None if there is nothing to fear.
pub(super) fn unbounded(codec: Compression, header: &PageHeader) -> Option<(u32, u32)> {
    let ratio = match codec {
        Compression::GZIP(_) => DEFLATE_RATIO,
        Compression::LZ4 => LZ4_RATIO,
        _ => return None,
    };
    let levels = match header.page {
        Page::DataV2 { is_compressed: false, .. } => return None,
        Page::DataV2 { levels, .. } => levels,
        _ => 0,
    };
    let worst = u64::from(header.compressed - levels).saturating_mul(ratio);
    (worst > HARMLESS).then_some((levels, header.uncompressed - levels))
}

/// Checks that such a part comes to no more bytes than `says`.
///
/// # Errors
/// It comes to more; or nobody can tell.
pub(super) fn check(codec: Compression, body: &[u8], says: u32) -> Result<(), String> {
    match codec {
        Compression::GZIP(_) => {
            let mut inflated = MultiGzDecoder::new(body).take(u64::from(says) + 1);
            let inflated = std::io::copy(&mut inflated, &mut std::io::sink()).map_err(|e| e.to_string())?;
            if inflated > u64::from(says) {
                return Err(format!("it has more than the {says} bytes that its header says"));
            }
            Ok(())
        }
        Compression::LZ4 if body.starts_with(&LZ4_FRAME) => {
            Err("it is an LZ4 frame of a size that nobody can tell beforehand: write LZ4_RAW".to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use parquet::basic::GzipLevel;

    use super::*;

    fn gzip(bytes: u32) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&vec![0; bytes as usize]).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_gzip_page_that_is_longer_than_it_says_is_refused() {
        let codec = Compression::GZIP(GzipLevel::default());
        let members = [gzip(1_000), gzip(2_000)].concat();
        check(codec, &members, 3_000).unwrap();
        assert!(check(codec, &members, 2_999).unwrap_err().contains("more than the 2999 bytes"));
        assert!(check(codec, &members[..members.len() - 1], 3_000).is_err());
    }

    #[test]
    fn only_what_may_grow_is_looked_at() {
        let page = |is_compressed| PageHeader {
            length: 10,
            compressed: 1024 * 1024,
            uncompressed: 2048,
            crc: None,
            page: Page::DataV2 { values: 1, nulls: 0, rows: 1, encoding: None, levels: 48, is_compressed },
        };
        let gzip = Compression::GZIP(GzipLevel::default());
        assert_eq!(unbounded(gzip, &page(true)), Some((48, 2000)));
        assert_eq!(unbounded(gzip, &page(false)), None);
        assert_eq!(unbounded(Compression::SNAPPY, &page(true)), None);
        assert_eq!(unbounded(gzip, &PageHeader { compressed: 1024, ..page(true) }), None);
        assert!(check(Compression::LZ4, &LZ4_FRAME, 10).is_err());
    }
}
