//! A table for people: a line of headings, columns as wide as what is in them.

use std::io::{self, Write};

use super::one_line;

/// What stands between two columns.
const GAP: &str = "  ";

/// Rows that are written once all are known: whoever fills it bounds them.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    columns: [&'static str; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// The headings. A column whose heading begins with `>` is aligned to the right, as numbers are.
    pub(crate) fn new(columns: [&'static str; N]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row. Control characters in it become blanks.
    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| one_line(&cell)));
    }

    /// Writes headings and rows; nothing at all if there are no rows. The last column is not padded.
    ///
    /// # Errors
    /// The output is closed.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let titles = self.columns.map(|column| column.trim_start_matches('>').to_owned());
        let lines = || [&titles].into_iter().chain(&self.rows);
        let width = |column: usize| lines().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..N).map(width).collect();
        for row in lines() {
            let cells = row.iter().zip(&self.columns).zip(&widths).map(|((cell, column), width)| {
                if column.starts_with('>') { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            writeln!(out, "{}", cells.collect::<Vec<_>>().join(GAP).trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written<const N: usize>(table: &Table<N>) -> String {
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let mut table = Table::new(["NAME", ">ROWS", "WHY"]);
        assert_eq!(written(&table), "", "no headings over nothing");
        table.row(["ä".to_owned(), "10000".to_owned(), String::new()]);
        table.row(["longer\u{1b}".to_owned(), "7".to_owned(), "so".to_owned()]);
        assert_eq!(written(&table), "NAME      ROWS  WHY\nä        10000\nlonger       7  so\n");
    }
}
