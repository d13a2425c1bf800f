//! What was parsed lately, by table. Nothing depends on it but speed.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use iceberg::TableIdent;

/// Tables whose metadata is kept parsed. One that is written to less often than so many others is parsed anew.
const TABLES: usize = 32;

/// The newest value of each of the [`TABLES`] tables used last.
#[derive(Debug)]
pub(super) struct Recent<V> {
    /// Longest unused first.
    entries: Mutex<VecDeque<(TableIdent, V)>>,
}

impl<V: Clone> Recent<V> {
    pub(super) fn new() -> Self {
        Self { entries: Mutex::default() }
    }

    pub(super) fn get(&self, ident: &TableIdent) -> Option<V> {
        let mut entries = self.lock();
        let place = entries.iter().position(|(of, _)| of == ident)?;
        let entry = entries.remove(place)?;
        let value = entry.1.clone();
        entries.push_back(entry);
        Some(value)
    }

    pub(super) fn put(&self, ident: &TableIdent, value: V) {
        let mut entries = self.lock();
        entries.retain(|(of, _)| of != ident);
        if entries.len() == TABLES {
            entries.pop_front();
        }
        entries.push_back((ident.clone(), value));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(TableIdent, V)>> {
        self.entries.lock().expect("no code panics while it holds this lock")
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
            recent.put(&ident(n), n);
        }
        assert_eq!(recent.get(&ident(0)), Some(0));
        recent.put(&ident(TABLES), TABLES);
        assert_eq!(recent.get(&ident(1)), None);
        assert_eq!(recent.get(&ident(0)), Some(0));
        recent.put(&ident(0), 7);
        assert_eq!(recent.get(&ident(0)), Some(7));
        assert_eq!(recent.lock().len(), TABLES);
    }
}
