//! Where each object of a request stands.

use ingest_core::{ObjectHint, ObjectUri, RequestedObject};
use lake::ErrorKind;
use lake::ingest::Standing;

use crate::fixture::{Fixture, file, request};

async fn standings(fixture: &Fixture, objects: Vec<RequestedObject>) -> Vec<Standing> {
    let mut asked = request(&[]);
    asked.objects = objects;
    let standings = fixture.lake.outstanding(&asked).await.unwrap();
    assert!(standings.iter().enumerate().all(|(n, (place, _))| n == *place), "{standings:?}");
    standings.into_iter().map(|(_, standing)| standing).collect()
}

fn object(bucket: &str, key: &str) -> RequestedObject {
    RequestedObject { uri: ObjectUri::new(bucket, key).unwrap(), hint: Default::default() }
}

#[tokio::test]
async fn each_object_is_in_the_table_set_aside_missing_forbidden_or_new() {
    let fixture = Fixture::new().await;
    for (key, bytes) in [("in", file(0..3)), ("bad", "no parquet".into()), ("new", file(3..5))] {
        fixture.put(key, bytes).await;
    }
    let result = fixture.ingest(&["in", "bad", "gone"]).await;
    let keys = ["in", "bad", "gone", "never", "/odd", "new"];
    let mut objects: Vec<_> = keys.iter().map(|key| object("inbox", key)).collect();
    objects.push(object("secrets", "x"));
    let seen = standings(&fixture, objects.clone()).await;
    assert_eq!(seen[0], Standing::InTable { snapshot_id: result.snapshot_id.unwrap() });
    let Standing::Quarantined { record, current: Some(current) } = &seen[1] else { panic!("{:?}", seen[1]) };
    assert_eq!((record.identity.as_ref(), current.size), (Some(&current.identity), 10));
    assert!(matches!(&seen[2], Standing::Quarantined { current: None, .. }), "{:?}", seen[2]);
    for missing in [&seen[3], &seen[4]] {
        assert!(matches!(missing, Standing::Missing { .. }), "{missing:?}");
    }
    assert!(matches!(&seen[5], Standing::New(new) if new.identity.key == "new"), "{:?}", seen[5]);
    assert_eq!(seen[6], Standing::Forbidden);

    // One that is mended is another version.
    fixture.put("bad", file(5..6)).await;
    assert!(matches!(&standings(&fixture, objects).await[1], Standing::New(_)));
}

#[tokio::test]
async fn a_key_that_cannot_be_addressed_is_known_again_however_its_etag_is_spelled() {
    let fixture = Fixture::new().await;
    fixture.put("in", file(0..3)).await;
    fixture.ingest(&["in"]).await;
    let odd = |etag: &str| {
        let hint = ObjectHint { etag: Some(etag.to_owned()), ..ObjectHint::default() };
        RequestedObject { hint, ..object("inbox", "/odd") }
    };
    let mut asked = request(&[]);
    asked.objects = vec![odd("\"ABC\"")];
    assert_eq!(fixture.lake.ingest(&asked).await.unwrap().files_quarantined, 1);
    // As a job's list has it, as another producer has it, and another version.
    let seen = standings(&fixture, vec![odd("abc"), odd("W/\"Abc\""), odd("abd")]).await;
    for known in &seen[..2] {
        assert!(matches!(known, Standing::Quarantined { current: None, .. }), "{known:?}");
    }
    assert!(matches!(seen[2], Standing::Missing { .. }), "{:?}", seen[2]);
}

#[tokio::test]
async fn without_a_table_everything_is_still_to_be_done_but_what_was_set_aside() {
    let fixture = Fixture::new().await;
    fixture.put("bad", "no parquet").await;
    fixture.ingest(&["bad"]).await;
    fixture.put("a", file(0..3)).await;
    let seen = standings(&fixture, vec![object("inbox", "a"), object("inbox", "bad")]).await;
    assert!(matches!(&seen[0], Standing::New(_)) && matches!(&seen[1], Standing::Quarantined { .. }));
    assert!(!fixture.folder().join("warehouse/db").exists(), "looking makes nothing");

    let mut forbidden = request(&["a"]);
    forbidden.table = ingest_core::TableName::parse("other.events").unwrap();
    assert_eq!(fixture.lake.outstanding(&forbidden).await.unwrap_err().kind(), ErrorKind::Forbidden);
}
