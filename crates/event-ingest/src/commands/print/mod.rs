//! How commands write their results: text for people, JSON for programs, and a bar while somebody watches.

mod bar;
mod table;
mod text;

use clap::{Args, ValueEnum};

pub(crate) use bar::{bar, spinner, watched};
#[cfg(feature = "sql")]
pub(crate) use table::DynamicTable;
pub(crate) use table::Table;
pub(crate) use text::{bytes, count, one_line, printable, time};

/// A format of results.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object, or one on each line, for programs.
    Json,
}

/// What every command has that prints results.
#[derive(Args, Debug, Clone, Copy)]
pub struct OutputArgs {
    /// How to write the result: text for people, json for programs (one object, or one on each line)
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    pub output: Format,
    /// The same as --output json, as earlier releases spelt it
    #[arg(long, hide = true)]
    pub json: bool,
}

impl OutputArgs {
    /// Whether programs are to read the result.
    #[must_use]
    pub fn is_json(self) -> bool {
        self.json || self.output == Format::Json
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        output: OutputArgs,
    }

    #[test]
    fn the_old_flag_still_means_json() {
        let json = |line: &[&str]| Line::parse_from([&["x"], line].concat()).output.is_json();
        assert!(!json(&[]) && !json(&["--output", "text"]));
        assert!(json(&["--output", "json"]) && json(&["--json"]));
        assert!(Line::try_parse_from(["x", "--output", "yaml"]).is_err());
    }
}
