//! Which entry of the ledger names which data files of a stage.

use crate::ledger::Part;

/// Parts that the entries of one stage have together, at most, but for one of each file: some 100 bytes each.
const MAX_PARTS: usize = 100_000;

/// The parts of each object with these rows. Which rows are in which file only the engine knew: so each object with rows
/// names every file, without row groups; or, where that would be too much, each file is named by one of them.
pub(crate) fn parts(rows: &[u64], files: &[String]) -> Vec<Vec<Part>> {
    let part = |file: &String| Part { file: file.clone(), first_row_group: 0, row_groups: 0 };
    let with_rows: Vec<usize> = (0..rows.len()).filter(|place| rows[*place] > 0).collect();
    let mut parts = vec![Vec::new(); rows.len()];
    if with_rows.len().saturating_mul(files.len()) <= MAX_PARTS {
        for place in with_rows {
            parts[place] = files.iter().map(part).collect();
        }
    } else {
        for (place, file) in with_rows.iter().cycle().zip(files) {
            parts[*place].push(part(file));
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("/f{n}")).collect()
    }

    #[test]
    fn who_has_rows_names_every_file() {
        let named = parts(&[1, 0, 2], &files(3));
        assert_eq!(named.iter().map(Vec::len).collect::<Vec<_>>(), [3, 0, 3]);
    }

    #[test]
    fn of_many_each_is_named_once() {
        let mut rows = vec![1; 1_000];
        rows[7] = 0;
        let named = parts(&rows, &files(2_500));
        let mut all: Vec<&str> = named.iter().flatten().map(|part| part.file.as_str()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!((all.len(), named.iter().flatten().count(), named[7].len()), (2_500, 2_500, 0));
    }
}
