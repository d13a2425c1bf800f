//! An object and its announcement are one; nothing is left behind; nothing is lost by a kill.

use event_ingest::standalone::store::{Attributes, MIN_PART_BYTES, Precondition, Store, StoreError};
use tokio::io::AsyncReadExt;

use crate::support::Place;

/// Keys that are paths, escapes or worse elsewhere.
const ODD_KEYS: [&str; 12] = [
    "a",
    "a/b",
    "a/",
    "/leading",
    "a//b",
    "../up",
    ".",
    "a b+c",
    "100%2F",
    "q?x=1#y",
    "žluťoučký/🐎",
    "a\u{1}b",
];

#[tokio::test]
async fn an_object_and_its_announcement_come_together() {
    let place = Place::new().await;
    place.put("in/a b", "abc").await;
    assert_eq!(place.announced().await, [("s3:ObjectCreated:Put".to_owned(), "in%2Fa+b".to_owned())]);

    let refused = place.put_if("in/a b", "def", Precondition::Absent).await;
    assert!(matches!(refused, Err(StoreError::PreconditionFailed { .. })));
    let no_bucket = place.blob("x").await;
    let refused = place.store.put("none", "k", no_bucket, Attributes::default(), Precondition::None).await;
    assert!(matches!(refused, Err(StoreError::NoSuchBucket(_))));
    assert_eq!(place.announced().await.len(), 1);
    assert_eq!(place.blob_files(), 1, "the blobs of refused puts are removed");
    assert_eq!(place.read("in/a b").await, "abc");
}

#[tokio::test]
async fn keys_are_data() {
    let place = Place::new().await;
    for key in ODD_KEYS {
        place.put(key, key).await;
    }
    let place = place.reopen().await;
    for key in ODD_KEYS {
        assert_eq!(place.read(key).await, key);
    }
    place.store.delete("inbox", ODD_KEYS.map(str::to_owned).to_vec()).await.unwrap();
    assert_eq!(place.blob_files(), 0);
}

#[tokio::test]
async fn writes_are_conditional() {
    let place = Place::new().await;
    let missing = place.put_if("k", "1", Precondition::Present).await;
    assert!(matches!(missing, Err(StoreError::NoSuchKey { .. })));
    let first = place.put_if("k", "1", Precondition::Absent).await.unwrap();
    let second = place.put_if("k", "2", Precondition::ETag(first.etag.clone())).await.unwrap();
    let stale = place.put_if("k", "3", Precondition::ETag(first.etag)).await;
    assert!(matches!(stale, Err(StoreError::PreconditionFailed { .. })));
    assert_eq!(place.store.head("inbox", "k").await.unwrap(), second);
    place.put_if("k", "4", Precondition::Present).await.unwrap();
    assert_eq!(place.read("k").await, "4");
}

#[tokio::test]
async fn a_reader_keeps_the_bytes_that_it_opened() {
    let place = Place::new().await;
    place.put("k", "old").await;
    let (object, mut file) = place.store.read("inbox", "k").await.unwrap();
    place.put("k", "new").await;
    place.store.delete("inbox", vec!["k".to_owned()]).await.unwrap();
    assert_eq!(place.blob_files(), 0);
    let mut content = String::new();
    file.read_to_string(&mut content).await.unwrap();
    assert_eq!((content.as_str(), object.size), ("old", 3));
}

#[tokio::test]
async fn a_copy_shares_the_blob_until_the_last_one_goes() {
    let place = Place::new().await;
    let source = place.put("k", "abc").await;
    let store = &place.store;
    let copy = store.copy(("inbox", "k", &source.etag), "inbox", "c", None).await.unwrap();
    assert_eq!((copy.etag, place.blob_files()), (source.etag.clone(), 1));
    let stale = store.copy(("inbox", "k", "other"), "inbox", "d", None).await;
    assert!(matches!(stale, Err(StoreError::PreconditionFailed { .. })));

    store.delete("inbox", vec!["k".to_owned()]).await.unwrap();
    assert_eq!(place.read("c").await, "abc");
    place.put("c", "def").await;
    assert_eq!(place.blob_files(), 1);
    let events: Vec<String> = place.announced().await.into_iter().map(|(event, _)| event).collect();
    assert_eq!(
        events,
        ["s3:ObjectCreated:Put", "s3:ObjectCreated:Copy", "s3:ObjectRemoved:Delete", "s3:ObjectCreated:Put"]
    );
}

#[tokio::test]
async fn what_a_killed_process_left_is_swept_and_nothing_else() {
    let place = Place::new().await;
    place.put("k", "abc").await;
    let upload = place.store.create_upload("inbox", "u", &Attributes::default()).await.unwrap();
    let part = place.blob("part").await;
    place.store.put_part(("inbox", "u", &upload), 1, part).await.unwrap();
    // Killed between the blob and its transaction, and in the middle of a blob.
    place.blob("never recorded").await;
    std::fs::write(place.folder.path().join("blobs/ab/0.partial"), "half").unwrap();
    assert_eq!(place.blob_files(), 4);

    let place = place.reopen().await;
    assert_eq!(place.blob_files(), 2);
    assert_eq!(place.read("k").await, "abc");
    assert_eq!(place.store.list_parts(("inbox", "u", &upload), 0, 10).await.unwrap().len(), 1);
    assert_eq!(place.announced().await.len(), 1);
}

#[tokio::test]
async fn an_unfinished_blob_goes_with_its_writer() {
    let place = Place::new().await;
    let writer = place.store.begin_blob().await.unwrap();
    assert_eq!(place.blob_files(), 1);
    drop(writer);
    assert_eq!(place.blob_files(), 0);
}

#[tokio::test]
async fn an_upload_becomes_one_object_with_one_announcement() {
    let place = Place::new().await;
    let store = &place.store;
    let attributes = Attributes { content_type: Some("text/plain".to_owned()), ..Attributes::default() };
    let id = store.create_upload("inbox", "u", &attributes).await.unwrap();
    let upload = ("inbox", "u", id.as_str());
    let large = "x".repeat(usize::try_from(MIN_PART_BYTES).unwrap());
    let replaced = place.blob("replaced").await;
    store.put_part(upload, 1, replaced).await.unwrap();
    let mut listed = Vec::new();
    for (number, content) in [(1, large.as_str()), (3, "tail"), (9, "not listed")] {
        let blob = place.blob(content).await;
        let part = store.put_part(upload, number, blob).await.unwrap();
        listed.push((number, part.etag));
    }
    listed.pop();

    let wrong = [(1, "0".repeat(32))];
    let refused = store.complete_upload(upload, &wrong, Precondition::None).await;
    assert!(matches!(refused, Err(StoreError::InvalidPart { number: 1, .. })));
    place.put("u", "older").await;
    let refused = store.complete_upload(upload, &listed, Precondition::Absent).await;
    assert!(matches!(refused, Err(StoreError::PreconditionFailed { .. })));

    let object = store.complete_upload(upload, &listed, Precondition::None).await.unwrap();
    assert_eq!(object.size, MIN_PART_BYTES + 4);
    assert!(object.etag.ends_with("-2"), "{}", object.etag);
    assert_eq!(object.attributes, attributes);
    assert_eq!(place.read("u").await, format!("{large}tail"));
    assert_eq!(place.blob_files(), 1, "parts, listed or not, and the older object are gone");
    let last = place.announced().await.pop().unwrap();
    assert_eq!(last.0, "s3:ObjectCreated:CompleteMultipartUpload");
    let again = store.complete_upload(upload, &listed, Precondition::None).await;
    assert!(matches!(again, Err(StoreError::NoSuchUpload(_))));
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    let place = Place::new().await;
    let store = &place.store;
    let id = store.create_upload("inbox", "u", &Attributes::default()).await.unwrap();
    let blob = place.blob("part").await;
    store.put_part(("inbox", "u", &id), 1, blob).await.unwrap();
    let other_key = store.abort_upload("inbox", "v", &id).await;
    assert!(matches!(other_key, Err(StoreError::NoSuchUpload(_))));
    assert!(matches!(store.delete_bucket("inbox").await, Err(StoreError::BucketNotEmpty(_))));
    store.abort_upload("inbox", "u", &id).await.unwrap();
    assert_eq!(place.blob_files(), 0);
    store.delete_bucket("inbox").await.unwrap();
}

#[tokio::test]
async fn uploads_are_listed_by_key_and_id_in_pages() {
    let place = Place::new().await;
    let mut expected = Vec::new();
    for key in ["a", "b/1", "b/1", "b/2"] {
        let id = place.store.create_upload("inbox", key, &Attributes::default()).await.unwrap();
        expected.push((key.to_owned(), id));
    }
    expected.sort();
    let page = |prefix: &'static str, after: (String, String)| {
        let store = place.store.clone();
        async move {
            let uploads = store.list_uploads("inbox", prefix, (&after.0, &after.1), 2).await.unwrap();
            uploads.into_iter().map(|upload| (upload.key, upload.id)).collect::<Vec<_>>()
        }
    };
    let first = page("", Default::default()).await;
    let second = page("", first[1].clone()).await;
    assert_eq!([first, second].concat(), expected);
    assert_eq!(page("b/", Default::default()).await, expected[1..3]);
}

#[tokio::test]
async fn a_folder_of_a_newer_version_is_refused() {
    let place = Place::new().await;
    place.store.close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.folder.path().join("state.db"));
    let other = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::raw_sql("PRAGMA user_version = 99").execute(&other).await.unwrap();
    other.close().await;
    let refused = Store::open(place.folder.path(), "us-east-1").await;
    assert!(matches!(refused, Err(StoreError::NewerLayout { found: 99, .. })));
}

#[tokio::test]
async fn the_inbox_goes_on_where_its_position_was() {
    let place = Place::new().await;
    for key in ["a", "b", "c"] {
        place.put(key, key).await;
    }
    let rows = place.inbox().read(0, 2).await.unwrap();
    assert_eq!(rows.len(), 2);
    place.inbox().commit(rows[1].id).await.unwrap();

    let place = place.reopen().await;
    let inbox = place.inbox();
    assert_eq!(inbox.position().await.unwrap(), rows[1].id);
    let left = inbox.read(0, 10).await.unwrap();
    assert_eq!(left[0], rows[1]);
    assert_eq!((left.len(), inbox.waiting().await.unwrap()), (2, 2));

    inbox.commit(left[1].id + 1).await.unwrap();
    inbox.commit(rows[0].id).await.unwrap();
    assert_eq!(inbox.position().await.unwrap(), left[1].id + 1, "a position never goes back");
    place.put("d", "d").await;
    assert!(inbox.read(0, 10).await.unwrap()[0].id > left[1].id, "an id is never used twice");
}

#[tokio::test]
async fn a_dead_letter_keeps_the_row_and_is_written_once() {
    let place = Place::new().await;
    place.put("a", "a").await;
    let inbox = place.inbox();
    let row = inbox.read(0, 1).await.unwrap().remove(0);
    inbox.bury_row(row.id, "first reason").await.unwrap();
    inbox.bury_row(row.id, "second reason").await.unwrap();
    let letters = inbox.dead_letters(10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].reason.as_str(), &letters[0].body), ("first reason", &row.body));
}
