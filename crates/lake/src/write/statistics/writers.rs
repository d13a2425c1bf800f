//! Which programs are known to write right statistics.
//!
//! A wrong bound hides rows, a missing one costs time: so this is a list of those that are right, not of those that
//! are wrong, and a version is believed from the one that mended the last fault known of it. Left out with reason:
//! Polars (unsigned merge of decimal bounds until 2026, pola-rs/polars#29347, and its files bear no version), ClickHouse
//! (decimals as unsigned until 2025, ClickHouse#83754), parquet-go (the same, parquet-go#592), hyparquet (decimals,
//! hyparquet-writer#38), cuDF (NaN, cudf#22817), fastparquet, and whoever does not say its name.

/// Names, as they begin a file's `created_by`, and the first version that is believed.
const BELIEVED: [(&str, Version); 6] = [
    // Shared buffers (PARQUET-251), NaN (PARQUET-1246), bounds in an order that is stated (PARQUET-686, 1.10).
    ("parquet-mr", (1, 10)),
    // Trino's own writer. No fault of its footers is known; bounds are cut since 427 (trino#19038), and files of
    // several row groups are described rightly from then on (trino#19052). Older ones are not worth a doubt.
    ("parquet-mr-trino", (430, 0)),
    // Decimals (PARQUET-1655, 4), null counts and bounds of dictionaries (ARROW-12513, 6; arrow#15042, 11;
    // arrow#34106, 12). Null counts within lists are wrong still (arrow#51097): see `trusted`.
    ("parquet-cpp-arrow", (12, 0)),
    // Decimals (arrow-rs#1621, 14), null counts (arrow-rs#2022, 19), decimals cut as if they were text (arrow-rs#5075,
    // 50). Decimals of no fixed length are wrong still (arrow-rs#10860, #11073): they have no bounds here.
    ("parquet-rs", (50, 0)),
    // Bounds of empty texts (duckdb#12054, 1.0).
    ("DuckDB", (1, 0)),
    ("event-ingest", (0, 0)),
];

/// Major and minor.
type Version = (u32, u32);

/// Whether statistics of files by this writer are right, so far as anybody knows.
pub(super) fn believed(created_by: Option<&str>) -> bool {
    let Some((name, version)) = created_by.and_then(parse) else { return false };
    BELIEVED.iter().any(|(believed, since)| name == *believed && version >= *since)
}

/// `parquet-mr version 1.13.1 (build …)`, `DuckDB version v1.4.0 (…)`, `event-ingest 0.1.0`.
fn parse(created_by: &str) -> Option<(&str, Version)> {
    let mut words = created_by.split_ascii_whitespace();
    let name = words.next()?;
    let version = words.find(|word| *word != "version")?.trim_start_matches('v');
    let mut numbers = version.split(['.', '-']).map(str::parse::<u32>);
    let major = numbers.next()?.ok()?;
    Some((name, (major, numbers.next().and_then(Result::ok).unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_are_believed_from_the_version_that_got_it_right() {
        let yes = [
            "parquet-mr version 1.10.0 (build 031a6654009e3b82020012a18434c582bd74c73a)",
            "parquet-mr version 1.13.0-SNAPSHOT (build 1)",
            "parquet-mr-trino version 480-e.5",
            "parquet-cpp-arrow version 26.0.1",
            "parquet-rs version 58.4.1",
            "DuckDB version v2.0.0 (build d54cbbe3df)",
            "event-ingest 0.1.0",
        ];
        let no = [
            "",
            "parquet-mr",
            "parquet-mr version 1.8.2 (build c6522788629e590a53eb79874b95f6c3ff11f16c)",
            "parquet-mr version n/a (build n/a)",
            "parquet-cpp version 1.5.1-SNAPSHOT",
            "parquet-cpp-arrow version 11.0.0",
            "parquet-mr-trino version 428 (build n/a)",
            "parquet-rs version 49.0.0",
            "parquet-rs version 0.3.0 (build b45ce7cba2199f22d93269c150d8a83916c69b5e)",
            "Polars",
            "impala version 1.3.0-INTERNAL (build 8a48ddb1eff84592b3fc06bc6f51ec120e1fffc9)",
            "DuckDB",
            "fastparquet-python version 1.0.0 (build 111)",
        ];
        for name in yes {
            assert!(believed(Some(name)), "{name}");
        }
        for name in no {
            assert!(!believed(Some(name)), "{name}");
        }
        assert!(!believed(None));
    }
}
