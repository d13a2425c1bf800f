//! Which objects live records are about, so that a newer record leaves them to the older one.
//!
//! That only spares work: the sink takes an object once, whoever brings it. So an object is known by a number here, and
//! a collision or a record that is not known yet does no harm.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use ingest_core::{IngestRequest, ObjectUri, TableName};

/// Objects of live records, each with the id of the oldest one.
#[derive(Debug, Default)]
pub struct Held {
    by_object: HashMap<u64, Arc<str>>,
}

impl Held {
    /// Takes the objects of a record in, and says which of them, by their places, older records are about. To be called
    /// in the order of the records' ages; again for the same record it says the same.
    pub fn enter(&mut self, id: &str, request: &IngestRequest) -> BTreeMap<usize, String> {
        let id: Arc<str> = id.into();
        let mut others = BTreeMap::new();
        for (place, object) in request.objects.iter().enumerate() {
            // Versions are left out: which one is current is not known here.
            match self.by_object.entry(number(&request.table, &object.uri)) {
                Entry::Occupied(older) if *older.get() != id => {
                    others.insert(place, older.get().to_string());
                }
                Entry::Occupied(_) => {}
                Entry::Vacant(free) => {
                    free.insert(id.clone());
                }
            }
        }
        others
    }

    /// Whether a record is about an object.
    pub fn has(&self, table: &TableName, uri: &ObjectUri) -> bool {
        self.by_object.contains_key(&number(table, uri))
    }
}

fn number(table: &TableName, uri: &ObjectUri) -> u64 {
    let mut hasher = DefaultHasher::new();
    (table, uri).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use ingest_core::RequestDefaults;

    use super::*;

    fn request(files: &str) -> IngestRequest {
        let body = format!(r#"{{"files":{files},"table":"db.t"}}"#);
        IngestRequest::from_json(body.as_bytes(), &RequestDefaults::default(), Utc::now()).unwrap()
    }

    #[test]
    fn the_oldest_record_has_an_object_and_says_so_again() {
        let mut held = Held::default();
        let (old, new) =
            (request(r#"["s3://b/a.csv","s3://b/b.csv"]"#), request(r#"["s3://b/c.csv","s3://b/b.csv"]"#));
        assert!(held.enter("old", &old).is_empty());
        for _ in 0..2 {
            assert_eq!(held.enter("new", &new), [(1, "old".to_owned())].into());
            assert!(held.enter("old", &old).is_empty());
        }
        let elsewhere = IngestRequest { table: "db.other".parse().unwrap(), ..new };
        assert!(held.enter("third", &elsewhere).is_empty());
    }
}
