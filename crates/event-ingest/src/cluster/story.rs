//! One object in full.

use ingest_core::{ObjectUri, RuleSet, TableName};
use lake::Lake;
use operations::PlantError;
use operations::model::{Place, Story};

use crate::overview::{failed, routing, story};

/// An object as the watched tables, their quarantines and the rules tell it.
pub(super) async fn tell(
    lake: &Lake,
    rules: &RuleSet,
    tables: &[TableName],
    object: &ObjectUri,
) -> Result<Story, PlantError> {
    let mut versions = Vec::new();
    let mut in_bucket = None;
    for table in tables {
        let found = lake.explain(table, object).await.map_err(|error| failed(&error))?;
        in_bucket.get_or_insert_with(|| story::in_bucket(&found));
        versions.extend(story::versions(table, &found));
    }
    let Some(in_bucket) = in_bucket else {
        return Err(PlantError::invalid("no table is watched that it could be in: name one"));
    };
    versions.sort_by_key(|version| std::cmp::Reverse(version.time));
    if in_bucket.place == Place::Missing && versions.is_empty() {
        return Err(PlantError::not_found(format!("`{object}` is not in the bucket, and was never seen")));
    }
    Ok(Story {
        file: object.to_string(),
        routing: (rules.rules().len() > 0).then(|| routing::of(rules, object, in_bucket.bytes)),
        in_bucket,
        announced: None,
        versions,
        recent: Vec::new(),
    })
}
