//! CSV and JSON lines end to end.

use arrow_array::RecordBatch;
use arrow_cast::display::array_value_to_string;
use futures::TryStreamExt;
use ingest_core::{FileFormat, FileStatus, IngestRequest, IngestResult};

use crate::fixture::{Fixture, file, request};

fn of(format: FileFormat, keys: &[&str], options: &[(&str, &str)]) -> IngestRequest {
    let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut request = request(keys);
    request.format = format;
    request.options = options.collect();
    request
}

impl Fixture {
    async fn ingest_text(&self, format: FileFormat, keys: &[&str], options: &[(&str, &str)]) -> IngestResult {
        self.lake.ingest(&of(format, keys, options)).await.unwrap()
    }

    /// Every row of the table as text, sorted.
    async fn rows(&self) -> Vec<String> {
        let scan = self.table().await.scan().build().unwrap().to_arrow().await.unwrap();
        let batches: Vec<RecordBatch> = scan.try_collect().await.unwrap();
        let row = |batch: &RecordBatch, row| {
            let cells = batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap());
            cells.collect::<Vec<_>>().join("|")
        };
        let mut rows: Vec<String> =
            batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |at| row(batch, at))).collect();
        rows.sort_unstable();
        rows
    }
}

#[tokio::test]
async fn a_table_is_made_for_a_csv_file_and_takes_the_next_one() {
    let fixture = Fixture::new().await;
    fixture.put("a.csv", "id,day,zip\n1,2020-01-01,007\n2,,123\n").await;
    let first = fixture.ingest_text(FileFormat::Csv, &["a.csv"], &[]).await;
    assert_eq!((first.rows, first.files_processed), (2, 1), "{:?}", first.files);
    fixture.put("b.csv", "zip;id\n9;3\n").await;
    let semicolon = [("csv.delimiter", ";")];
    let second = fixture.ingest_text(FileFormat::Csv, &["a.csv", "b.csv"], &semicolon).await;
    assert_eq!((second.rows, second.files_processed, second.files_skipped), (1, 1, 1));
    assert_eq!(fixture.rows().await, ["1|2020-01-01|007", "2||123", "3||9"]);
}

#[tokio::test]
async fn json_lines_fill_a_table_that_is_there() {
    let fixture = Fixture::new().await;
    fixture.put("a", file(0..1)).await;
    fixture.ingest(&["a"]).await;
    fixture.put("b.jsonl", "{\"id\": \"7\"}\n\n{\"name\": \"ä\\n\", \"id\": 8}\n").await;
    let result = fixture.ingest_text(FileFormat::Json, &["b.jsonl"], &[]).await;
    assert_eq!(result.rows, 2, "{:?}", result.files);
    assert_eq!(fixture.rows().await, ["0|name 0", "7|", "8|ä\n"]);
    assert_eq!(fixture.ingest_text(FileFormat::Json, &["b.jsonl"], &[]).await.files_skipped, 1);
}

#[tokio::test]
async fn a_bad_file_is_quarantined_with_its_line_and_the_good_one_comes_in() {
    let fixture = Fixture::new().await;
    fixture.put("a", file(0..1)).await;
    fixture.ingest(&["a"]).await;
    fixture.put("bad.csv", "id,name\n1,x\n2,y\nthree,z\n").await;
    fixture.put("good.csv", "id,name\n4,x\n").await;
    fixture.put("wide.csv", "id,colour\n4,x\n").await;
    let result = fixture.ingest_text(FileFormat::Csv, &["bad.csv", "good.csv", "wide.csv"], &[]).await;
    let reasons: Vec<_> = result.files.iter().map(|file| (file.status, file.reason.as_deref())).collect();
    let expected = [
        (FileStatus::Quarantined, Some("line 4, column `id`: `three` is no long")),
        (FileStatus::Processed, None),
        (FileStatus::Quarantined, Some("column `colour` is not in the table's schema")),
    ];
    assert_eq!(reasons, expected);
    assert_eq!(fixture.ids().await, [0, 4]);

    let skip = [("text.bad-rows", "skip")];
    let result = fixture.ingest_text(FileFormat::Csv, &["bad.csv"], &skip).await;
    assert_eq!(result.rows, 2, "{:?}", result.files);
    assert_eq!(fixture.ids().await, [0, 1, 2, 4]);
}

#[tokio::test]
async fn an_option_that_means_nothing_is_the_requests_fault() {
    let fixture = Fixture::new().await;
    fixture.put("a.csv", "id\n1\n").await;
    let request = of(FileFormat::Csv, &["a.csv"], &[("csv.header", "maybe")]);
    let error = fixture.lake.ingest(&request).await.unwrap_err();
    assert_eq!(error.kind(), lake::ErrorKind::Invalid);
}
