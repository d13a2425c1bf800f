//! What was parsed lately, by table. Nothing depends on it but speed.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard};

use iceberg::TableIdent;

/// Tables whose metadata is kept parsed. One that is written to less often than so many others is parsed anew.
const TABLES: usize = 32;
/// How much metadata, as JSON, they may have in all. The table used last is kept whatever its size.
const BYTES: u64 = 64 << 20;

/// The newest value of each of the tables used last: at most [`TABLES`], with at most [`BYTES`] of metadata.
pub(super) struct Recent<V> {
    /// Longest unused first.
    entries: Mutex<VecDeque<Entry<V>>>,
}

struct Entry<V> {
    ident: TableIdent,
    value: V,
    bytes: u64,
}

impl<V> fmt::Debug for Recent<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.lock().iter().map(|entry| &entry.ident)).finish()
    }
}

impl<V> Recent<V> {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry<V>>> {
        self.entries.lock().expect("no code panics while it holds this lock")
    }
}

impl<V: Clone> Recent<V> {
    pub(super) fn new() -> Self {
        Self { entries: Mutex::default() }
    }

    pub(super) fn get(&self, ident: &TableIdent) -> Option<V> {
        let mut entries = self.lock();
        let place = entries.iter().position(|entry| entry.ident == *ident)?;
        let entry = entries.remove(place)?;
        let value = entry.value.clone();
        entries.push_back(entry);
        Some(value)
    }

    /// Keeps a value that came from so many bytes of JSON.
    pub(super) fn put(&self, ident: &TableIdent, value: V, bytes: u64) {
        let mut entries = self.lock();
        entries.retain(|entry| entry.ident != *ident);
        let mut held: u64 = bytes + entries.iter().map(|entry| entry.bytes).sum::<u64>();
        while entries.len() >= TABLES || held > BYTES {
            let Some(unused) = entries.pop_front() else { break };
            held -= unused.bytes;
        }
        entries.push_back(Entry { ident: ident.clone(), value, bytes });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ident(n: usize) -> TableIdent {
        TableIdent::from_strs(["db".to_owned(), format!("t{n}")]).unwrap()
    }

    #[test]
    fn the_table_that_was_unused_longest_makes_room() {
        let recent = Recent::new();
        for n in 0..TABLES {
            recent.put(&ident(n), n, 1);
        }
        assert_eq!(recent.get(&ident(0)), Some(0));
        recent.put(&ident(TABLES), TABLES, 1);
        assert_eq!(recent.get(&ident(1)), None);
        assert_eq!(recent.get(&ident(0)), Some(0));
        recent.put(&ident(0), 7, 1);
        assert_eq!(recent.get(&ident(0)), Some(7));
        assert_eq!(recent.lock().len(), TABLES);
    }

    #[test]
    fn large_tables_leave_room_for_few() {
        let recent = Recent::new();
        for n in 0..4 {
            recent.put(&ident(n), n, BYTES / 2);
        }
        assert_eq!((recent.get(&ident(1)), recent.get(&ident(2))), (None, Some(2)));
        recent.put(&ident(5), 5, 2 * BYTES);
        assert_eq!(recent.get(&ident(5)), Some(5));
        assert_eq!(recent.lock().len(), 1);
    }
}
