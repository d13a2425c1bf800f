//! Random tables there and back: files by PyArrow, arrow-rs, DuckDB and Spark go through a light worker into tables, and
//! PyIceberg, DuckDB and Spark have to see the rows that were written, each once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::{WriterProperties, WriterVersion};
use serde::Deserialize;
use serde_json::{Value, json};
use testkit::{paths, python};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::bucket::{Lakehouse, Standalone, Stored};
use crate::rounds;
use crate::worker::Worker;

const SCRIPT: &str = "roundtrip.py";
/// How long Spark may take to start and write, or to read all tables.
const SPARK_WITHIN: Duration = Duration::from_secs(600);

/// What is to be done in a round: `round.json`, as the script wrote it.
#[derive(Deserialize)]
struct Round {
    table: String,
    requests: Vec<Request>,
    #[serde(rename = "arrow-rs")]
    arrow_rs: Vec<Job>,
}

#[derive(Deserialize)]
struct Request {
    options: BTreeMap<String, String>,
    files: Vec<Written>,
}

/// A file, and who wrote it how.
#[derive(Deserialize, Debug)]
struct Written {
    name: String,
    writer: String,
    rows: u64,
    how: String,
}

/// A file that is to be written anew.
#[derive(Deserialize)]
struct Job {
    from: String,
    to: String,
    codec: String,
    v2: bool,
    dictionary: bool,
    page: usize,
    row_group: usize,
    bloom: bool,
}

#[tokio::test]
async fn tables_hold_what_was_written_whoever_wrote_and_whoever_reads() {
    let seed = rounds::seed();
    println!("SEED={seed}");
    let folder = tempfile::tempdir().unwrap();
    let count = rounds::round_trips().to_string();
    run(["write".as_ref(), folder.path().as_os_str(), seed.to_string().as_ref(), count.as_ref()]).await;
    let lakehouse = Lakehouse::new();
    let spark = Spark::start(folder.path(), &lakehouse.catalog_file());
    let rounds = rounds_of(folder.path());
    for (place, round) in &rounds {
        round.arrow_rs.iter().for_each(|job| write_by_arrow_rs(place, job));
    }
    let home = tempfile::tempdir().unwrap();
    let bucket = Standalone::start(home.path(), &["--batch-wait", "1h", "--batch-files", "1000"]).await;
    let worker = Worker::start_with(&bucket, &lakehouse, &[]).await;
    let spark = spark.has_written().await;

    let mut ways = BTreeSet::new();
    for (place, round) in &rounds {
        for request in &round.requests {
            ways.extend(ingest(&bucket, &worker, place, &round.table, request).await);
        }
    }
    let expected = ["arrow-rs", "duckdb", "pyarrow", "spark"]
        .map(|writer| ["rewrite", "splice"].map(|way| (writer.to_owned(), way.to_owned())));
    let missing: Vec<_> = expected.iter().flatten().filter(|both| !ways.contains(both)).collect();
    assert!(missing.is_empty(), "SEED={seed}: these files never went these ways: {missing:?}");
    spark.reads().await;
    let uri = format!("sqlite:///{}", lakehouse.catalog_file().display());
    run(["check".as_ref(), folder.path().as_os_str(), uri.as_ref()]).await;
    assert!(worker.program.terminate().await.success());
    bucket.stop().await;
}

/// Puts the files of a request and has them ingested. Returns which writer's went which way.
async fn ingest(
    bucket: &Standalone,
    worker: &Worker,
    place: &Path,
    table: &str,
    request: &Request,
) -> Vec<(String, String)> {
    let mut uris = Vec::new();
    for file in &request.files {
        let key = format!("{table}/{}", file.name);
        Stored::put(bucket, &key, &place.join(&file.name)).await;
        uris.push(format!("s3://{}/{key}", bucket.endpoint.bucket));
    }
    let body = json!({"files": uris, "table": table, "options": request.options});
    let answer: Value = worker.plain(&body).await.json().await.unwrap();
    let outcomes = answer["files"].as_array().unwrap_or_else(|| panic!("{table}: {answer:#}"));
    let mut ways = Vec::new();
    for (file, outcome) in request.files.iter().zip(outcomes) {
        let found = (outcome["status"].as_str(), outcome["rows"].as_u64());
        assert_eq!(found, (Some("processed"), Some(file.rows)), "{table}: {file:?}: {outcome:#}");
        let way = outcome["mode"].as_str().unwrap().to_owned();
        println!("{table}/{}: {way} ({:?}; {})", file.name, request.options, file.how);
        ways.push((file.writer.clone(), way));
    }
    ways
}

async fn run<const N: usize>(arguments: [&std::ffi::OsStr; N]) {
    let output = python(SCRIPT, arguments).await;
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{errors}");
}

fn rounds_of(folder: &Path) -> Vec<(PathBuf, Round)> {
    let mut rounds: Vec<_> = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|place| place.join("round.json").is_file())
        .map(|place| {
            let text = std::fs::read_to_string(place.join("round.json")).unwrap();
            (place, serde_json::from_str(&text).unwrap())
        })
        .collect();
    rounds.sort_by(|(one, _), (other, _)| one.cmp(other));
    rounds
}

fn write_by_arrow_rs(place: &Path, job: &Job) {
    let version = if job.v2 { WriterVersion::PARQUET_2_0 } else { WriterVersion::PARQUET_1_0 };
    let codec = match job.codec.as_str() {
        "snappy" => Compression::SNAPPY,
        "gzip" => Compression::GZIP(Default::default()),
        "zstd" => Compression::ZSTD(Default::default()),
        "lz4_raw" => Compression::LZ4_RAW,
        _ => Compression::UNCOMPRESSED,
    };
    let properties = WriterProperties::builder()
        .set_writer_version(version)
        .set_compression(codec)
        .set_dictionary_enabled(job.dictionary)
        .set_data_page_size_limit(job.page)
        .set_write_batch_size(job.page.min(1024))
        .set_max_row_group_row_count(Some(job.row_group))
        .set_bloom_filter_enabled(job.bloom)
        .build();
    let plain = ParquetRecordBatchReaderBuilder::try_new(File::open(place.join(&job.from)).unwrap()).unwrap();
    let made = File::create(place.join(&job.to)).unwrap();
    let mut writer = ArrowWriter::try_new(made, plain.schema().clone(), Some(properties)).unwrap();
    for batch in plain.build().unwrap() {
        writer.write(&batch.unwrap()).unwrap();
    }
    writer.close().unwrap();
}

/// Spark, which writes files and later reads tables, in one process: starting one takes many seconds. It ends when this
/// is dropped.
struct Spark {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Spark {
    fn start(folder: &Path, catalog: &Path) -> Self {
        let scripts = paths::repository().join("scripts");
        let mut process = Command::new(scripts.join("spark.sh"))
            .arg("run")
            .arg(scripts.join("python/roundtrip_spark.py"))
            .args([folder, catalog])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("scripts/spark.sh can be started");
        let input = process.stdin.take().expect("it was asked for");
        let output = BufReader::new(process.stdout.take().expect("it was asked for"));
        Self { process, input, output }
    }

    /// Waits until its files are there.
    async fn has_written(mut self) -> Self {
        let mut line = String::new();
        let read = timeout(SPARK_WITHIN, self.output.read_line(&mut line)).await;
        assert!(read.is_ok(), "Spark has written nothing within {SPARK_WITHIN:?}");
        assert_eq!(line.trim(), "written", "what Spark said is above (is 'make setup' done?)");
        self
    }

    /// Lets it read the tables, and waits until it has.
    async fn reads(mut self) {
        self.input.write_all(b"\n").await.unwrap();
        let ended = timeout(SPARK_WITHIN, self.process.wait()).await;
        let status =
            ended.unwrap_or_else(|_| panic!("Spark has not read the tables within {SPARK_WITHIN:?}"));
        assert!(status.unwrap().success(), "what Spark said is above");
    }
}
