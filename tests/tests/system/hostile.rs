//! Files made to do harm, and damaged ones: each is set aside with a reason, in limited memory, and harms no other.

use std::path::Path;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{Int64Type, Int96, Int96Type};
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use testkit::{paths, python};

use crate::limited::Limited;
use crate::rounds;

/// The most memory that the program may hold while it rewrites the largest row groups. What is shipped is optimised and
/// holds less.
const PEAK: u64 = 200 * 1024 * 1024;
/// Damaged files in a request.
const BATCH: usize = 25;

#[tokio::test]
async fn each_is_refused_with_a_reason_and_harms_no_other() {
    let limited = Limited::start().await;
    let whole = int64_file(&[1, 2, 3]);
    let mut cases: Vec<(String, Vec<u8>, &str)> = vec![
        ("empty".to_owned(), Vec::new(), "too few"),
        ("absurd row groups".to_owned(), absurd_footer(&[0x49, 0xFC]), "footer"),
        ("absurd schema".to_owned(), absurd_footer(&[0x29, 0xFC]), "footer"),
        ("footer beyond the file".to_owned(), footer_length(&whole, u32::MAX), "footer"),
        ("footer of no bytes".to_owned(), footer_length(&whole, 0), "footer"),
        ("page of 2 GiB".to_owned(), page_of(&whole, i32::MAX), "page"),
        ("page of a negative size".to_owned(), page_of(&whole, -1), "page"),
        ("text".to_owned(), b"id\n1\n2\n".repeat(10), "PAR1"),
        ("encrypted".to_owned(), [&whole[..whole.len() - 1], b"E"].concat(), "encrypted"),
    ];
    for eighth in 1..8 {
        let cut = whole[..whole.len() * eighth / 8].to_vec();
        cases.push((format!("{eighth} eighths"), cut, ""));
        // The footer is there, and the pages that it speaks of are not.
        let page = page_end(&whole) * eighth / 8;
        let cut = [&whole[..page], &whole[footer_start(&whole)..]].concat();
        cases.push((format!("{eighth} eighths and the footer"), cut, ""));
    }
    let mut keys = vec![put(&limited, "whole", whole).await];
    for (name, bytes, _) in &cases {
        keys.push(put(&limited, name, bytes.clone()).await);
    }
    let outcomes = limited.ingest("db.hostile", "parquet", json!({}), &keys).await;
    assert_eq!(
        (&outcomes[0]["status"], &outcomes[0]["rows"]),
        (&json!("processed"), &json!(3)),
        "{outcomes:#?}"
    );
    for ((name, _, words), outcome) in cases.iter().zip(&outcomes[1..]) {
        assert_eq!(outcome["status"], "quarantined", "{name}: {outcome:#}");
        let reason = outcome["reason"].as_str().unwrap();
        assert!(!reason.is_empty() && reason.contains(words), "{name}: {reason}");
    }
    limited.stop().await;
}

#[tokio::test]
async fn times_that_no_table_holds_are_refused() {
    let limited = Limited::start().await;
    // The largest day of INT96 is some five million years away; tables hold microseconds.
    for (name, nanos, day) in [("far", 0, u32::MAX / 2), ("nanoseconds", 1, 2_440_588)] {
        let file = write("message m { optional int96 at; }", |writer| {
            let mut column = writer.next_column().unwrap().unwrap();
            let value = Int96::from(vec![nanos, 0, day]);
            column.typed::<Int96Type>().write_batch(&[value], Some(&[1]), None).unwrap();
            column.close().unwrap();
        });
        let key = put(&limited, name, file).await;
        let outcome = &limited.ingest("db.times", "parquet", json!({}), &[key]).await[0];
        assert_eq!(outcome["status"], "quarantined", "{name}: {outcome:#}");
        assert!(outcome["reason"].as_str().unwrap().contains("`at`"), "{name}: {outcome:#}");
    }
    limited.stop().await;
}

#[tokio::test]
async fn row_groups_and_pages_of_any_size_are_rewritten_in_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let output = python("large_pages.py", [folder.path()]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let limited = Limited::start().await;
    let outcome = large(&limited, &folder.path().join("row-group.parquet")).await;
    assert_eq!(
        (&outcome["status"], &outcome["rows"]),
        (&json!("processed"), &json!(1_500_000)),
        "{outcome:#}"
    );
    let peak = limited.peak();
    println!("a row group of 300 MB: {} MiB", peak >> 20);
    assert!(peak < PEAK, "{} MiB were held", peak >> 20);
    // A page has to be held as a whole: three of these at once are too much.
    let outcome = large(&limited, &folder.path().join("pages.parquet")).await;
    println!("three pages of 200 MB: {} MiB", limited.peak() >> 20);
    assert_eq!(outcome["status"], "quarantined", "{outcome:#}");
    assert!(outcome["reason"].as_str().unwrap().contains("smaller pages"), "{outcome:#}");
    limited.stop().await;
}

async fn large(limited: &Limited, file: &Path) -> Value {
    let name = file.file_stem().unwrap().to_str().unwrap().replace('-', "_");
    let address = limited.put(&name, file).await;
    limited.ingest(&format!("db.{name}"), "parquet", json!({"mode": "rewrite"}), &[address]).await.remove(0)
}

/// Bytes that were changed at random, in data and in footers: every answer is an answer, and the process lives.
#[tokio::test]
async fn damage_at_random_ends_nothing() {
    let seed = rounds::seed();
    println!("SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let limited = Limited::start().await;
    let bases = paths::example_files();
    for request in 0..rounds::damaged() / BATCH {
        let base = std::fs::read(&bases[request % bases.len()]).unwrap();
        let mut keys = Vec::new();
        for number in 0..BATCH {
            let damaged = damage(&base, &mut random);
            keys.push(put(&limited, &format!("{request}/{number}"), damaged).await);
        }
        for outcome in limited.ingest("db.damaged", "parquet", json!({"mode": "rewrite"}), &keys).await {
            assert!(
                outcome["status"] == "processed"
                    || outcome["reason"].as_str().is_some_and(|reason| !reason.is_empty()),
                "SEED={seed}: {outcome:#}"
            );
        }
    }
    println!("peak: {} MiB", limited.peak() >> 20);
    limited.stop_after_panics().await;
}

/// Changes a few bytes, half of the time in the footer, where they mean most.
fn damage(base: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = base.to_vec();
    let from = if random.random_bool(0.5) { footer_start(base) } else { 0 };
    for _ in 0..random.random_range(1..=4) {
        let at = random.random_range(from..base.len());
        bytes[at] = if random.random_bool(0.25) { 0xFF } else { random.random() };
    }
    bytes
}

async fn put(limited: &Limited, name: &str, bytes: Vec<u8>) -> String {
    limited.bucket.put(name, bytes).await;
    limited.uri(name)
}

/// A file of one plain, uncompressed column `id`.
fn int64_file(values: &[i64]) -> Vec<u8> {
    write("message m { required int64 id; }", |writer| {
        let mut column = writer.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(values, None, None).unwrap();
        column.close().unwrap();
    })
}

type RowGroup<'a> = parquet::file::writer::SerializedRowGroupWriter<'a, Vec<u8>>;

fn write(schema: &str, fill: impl FnOnce(&mut RowGroup<'_>)) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let mut row_group = writer.next_row_group().unwrap();
    fill(&mut row_group);
    row_group.close().unwrap();
    writer.into_inner().unwrap()
}

fn footer_start(file: &[u8]) -> usize {
    let (before, tail) = file.split_at(file.len() - 8);
    before.len() - u32::from_le_bytes(tail[..4].try_into().unwrap()) as usize
}

/// Where the only page of the file ends.
fn page_end(file: &[u8]) -> usize {
    let footer = &file[footer_start(file)..file.len() - 8];
    let metadata = ParquetMetaDataReader::decode_metadata(footer).unwrap();
    let (start, length) = metadata.row_group(0).column(0).byte_range();
    (start + length) as usize
}

/// The same file, whose footer is said to be so long.
fn footer_length(file: &[u8], length: u32) -> Vec<u8> {
    [&file[..file.len() - 8], &length.to_le_bytes(), b"PAR1"].concat()
}

/// A footer of one list, a field of Thrift's compact protocol, with 2^31 elements.
fn absurd_footer(field: &[u8]) -> Vec<u8> {
    let footer = [field, &[0x80, 0x80, 0x80, 0x80, 0x08, 0, 0]].concat();
    let length = u32::try_from(footer.len()).unwrap();
    [b"PAR1", &footer[..], &length.to_le_bytes(), b"PAR1"].concat()
}

/// The same file, whose only page is said to have so many bytes once it is decompressed. The header becomes longer, and
/// the page shorter by as much, so that all else stays where the footer says.
fn page_of(file: &[u8], size: i32) -> Vec<u8> {
    let (start, end) = (4, page_end(file));
    // The type of the page; then its sizes, each in one byte: the file is small.
    assert_eq!((file[start], file[start + 2], file[start + 4]), (0x15, 0x15, 0x15));
    let varint = varint(size);
    let longer = varint.len() - 1;
    let compressed = file[start + 5] - 2 * u8::try_from(longer).unwrap();
    [&file[..start + 3], &varint, &[0x15, compressed], &file[start + 6..end - longer], &file[end..]].concat()
}

/// A number as Thrift's compact protocol writes it.
fn varint(value: i32) -> Vec<u8> {
    let mut left = ((value << 1) ^ (value >> 31)).cast_unsigned();
    let mut bytes = Vec::new();
    while left >= 0x80 {
        bytes.push((left & 0x7F) as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}
