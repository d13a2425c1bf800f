//! What is read, and what is refused.

use serde_json::{Value, json};

use super::*;

fn list() -> Value {
    json!({"version": 1, "request_id": "r", "table": "db.t", "table_uuid": null, "format": "csv", "digest": "d",
        "staged": [{"file": "s3://b/k", "etag": "\"E\"", "rows": 1}],
        "rejected": [{"file": "s3://b/j", "reason": "no", "later": 1}], "later": {}})
}

fn refusal(change: impl FnOnce(&mut Value)) -> String {
    let mut list = list();
    change(&mut list);
    read_list(list.to_string().as_bytes()).map(|list| format!("{list:?}")).unwrap_err().to_string()
}

#[test]
fn what_is_optional_may_be_missing_and_what_is_unknown_is_ignored() {
    let list = read_list(list().to_string().as_bytes()).unwrap();
    assert_eq!(list.staged[0].object.hint.etag.as_deref(), Some("e"));
    assert!(list.options.is_empty());
}

#[test]
fn lists_that_could_lose_or_double_rows_are_refused() {
    let object = |file: &str| json!({"file": file, "etag": "e", "rows": 1, "reason": "r"});
    assert!(refusal(|list| list["version"] = json!(2)).contains("version 2"));
    assert!(refusal(|list| list["request_id"] = json!("../r")).contains("request id"));
    assert!(refusal(|list| list["staged"][0]["etag"] = json!("")).contains("neither"));
    assert!(refusal(|list| list["staged"][0]["rows"] = Value::Null).contains("u64"));
    assert!(refusal(|list| list["staged"][0]["rows"] = json!(-1)).contains("u64"));
    assert!(refusal(|list| list["rejected"][0]["file"] = json!("/j")).contains("rejected object 0"));
    assert!(refusal(|list| list["rejected"] = json!([object("s3://b/k")])).contains("twice"));
    assert!(
        refusal(|list| {
            list["staged"] = json!([{"file": "s3://b/k", "etag": "E", "version_id": "null", "rows": 1},
            {"file": "s3://b/k", "etag": "W/\"e\"", "rows": 1}]);
        })
        .contains("twice")
    );
    assert!(
        refusal(|list| (list["staged"], list["rejected"]) = (json!([]), json!([]))).contains("no objects")
    );
}

#[test]
fn a_key_may_come_in_two_versions() {
    let mut list = list();
    let version = |id: &str| json!({"file": "s3://b/k", "etag": "e", "version_id": id, "rows": 1});
    list["staged"] = json!([version("1"), version("2")]);
    assert_eq!(read_list(list.to_string().as_bytes()).unwrap().staged.len(), 2);
}

#[test]
fn lists_are_bounded_and_so_are_reasons() {
    let many: Vec<Value> = (0..=MAX_FILES_PER_REQUEST)
        .map(|n| json!({"file": format!("s3://b/{n}"), "etag": "e", "rows": 0}))
        .collect();
    let most = many[1..].to_vec();
    assert!(refusal(|list| list["staged"] = json!(many)).contains("more than 10000"));
    assert!(refusal(|list| list["staged"] = json!(most)).contains("10001 objects"));
    let mut long = list();
    long["rejected"][0]["reason"] = json!("ü".repeat(MAX_REJECTED_REASON_BYTES));
    let list = read_list(long.to_string().as_bytes()).unwrap();
    assert_eq!(list.rejected[0].reason.len(), MAX_REJECTED_REASON_BYTES);
}

#[test]
fn events_name_a_branch_of_their_own_request_or_none() {
    let event = |branch: Value, snapshot: Value| {
        let event = json!({"version": 1, "request_id": "r", "attempt": 1, "table": "db.t", "branch": branch,
            "snapshot_id": snapshot, "objects": "s3://b/l"});
        read_event(event.to_string().as_bytes())
    };
    assert!(event(json!("event-ingest-r-1-00000000"), json!(1)).is_ok());
    assert!(event(Value::Null, Value::Null).is_ok());
    for (branch, snapshot) in [(json!("event-ingest-r-1-00000000"), Value::Null), (Value::Null, json!(1))] {
        assert!(matches!(event(branch, snapshot), Err(StagedError::HalfAStage)));
    }
    assert!(event(json!("event-ingest-r-2-00000000"), json!(1)).is_ok());
    for branch in ["main", "event-ingest-s-1-00000000"] {
        assert!(matches!(event(json!(branch), json!(1)), Err(StagedError::Branch(_))), "{branch}");
    }
}
