//! Which programs are known to write right statistics.
//!
//! A wrong bound hides rows, a missing one costs time: so this is a list of those that are right, not of those that
//! are wrong. Left out with reason: parquet-mr before 1.10 (PARQUET-251, -297: binary order; NaN), parquet-cpp and
//! Arrow C++ before 4 (PARQUET-1655: decimals in the wrong order), parquet-rs before 50 (decimals cut as if they were
//! text), Polars (null counts and merged decimal bounds were wrong through 2026, and its files bear no version),
//! ClickHouse (decimals in the wrong order until 2025), fastparquet, hyparquet and whoever does not say its name.

/// Names, as they begin a file's `created_by`, and the first version that is believed.
const BELIEVED: [(&str, Version); 6] = [
    ("parquet-mr", (1, 10)),
    ("parquet-mr-trino", (400, 0)),
    ("parquet-cpp-arrow", (4, 0)),
    ("parquet-rs", (50, 0)),
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
            "parquet-mr-trino version 428 (build n/a)",
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
            "parquet-cpp-arrow version 3.0.0",
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
