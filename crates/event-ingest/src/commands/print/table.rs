//! A table for people: a line of headings, columns as wide as what is in them.

use std::io::{self, Write};

use super::one_line;

/// What stands between two columns.
const GAP: &str = "  ";

/// Rows of columns that are known here. They are written once all are known: whoever fills it bounds them.
#[derive(Debug)]
pub(crate) struct Table<const N: usize>(DynamicTable);

impl<const N: usize> Table<N> {
    /// The headings. A column whose heading begins with `>` is aligned to the right, as numbers are.
    pub(crate) fn new(columns: [&'static str; N]) -> Self {
        let column = |column: &str| (column.trim_start_matches('>').to_owned(), column.starts_with('>'));
        Self(DynamicTable::new(columns.into_iter().map(column)))
    }

    /// Adds a row. Control characters in it become blanks.
    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.0.row(cells);
    }

    /// Writes headings and rows; nothing at all if there are no rows. The last column is not padded.
    ///
    /// # Errors
    /// The output is closed.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        if self.0.rows.is_empty() { Ok(()) } else { self.0.write(out) }
    }
}

/// Rows of columns that are known only when it runs.
#[derive(Debug)]
pub(crate) struct DynamicTable {
    titles: Vec<String>,
    to_the_right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl DynamicTable {
    /// Headings, and whether what stands below is aligned to the right.
    pub(crate) fn new(columns: impl IntoIterator<Item = (String, bool)>) -> Self {
        let (titles, to_the_right): (Vec<String>, Vec<bool>) = columns.into_iter().unzip();
        let titles = titles.iter().map(|title| one_line(title)).collect();
        Self { titles, to_the_right, rows: Vec::new() }
    }

    /// Adds a row of as many cells as there are columns. Control characters in them become blanks.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| one_line(&cell)).collect());
    }

    /// Writes headings and rows. The last column is not padded.
    ///
    /// # Errors
    /// The output is closed.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let lines = || [&self.titles].into_iter().chain(&self.rows);
        let width = |column: usize| lines().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.titles.len()).map(width).collect();
        for row in lines() {
            let cells = row.iter().zip(&self.to_the_right).zip(&widths).map(|((cell, right), width)| {
                if *right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
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
