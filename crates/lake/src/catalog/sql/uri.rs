//! The database's address, as others write it and as the driver takes it.

use crate::catalog::properties::without_secret;
use crate::error::{Error, Result};

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Database {
    Sqlite,
    Postgres,
}

/// The form that the driver understands. SQLAlchemy, and so PyIceberg, writes `sqlite:///relative`,
/// `sqlite:////absolute` and `postgresql+<driver>://…`. A SQLite file is made if it is not there.
pub(super) fn driver_uri(uri: &str) -> Result<(Database, String)> {
    let (scheme, rest) = uri.split_once(':').unwrap_or((uri, ""));
    match scheme.split('+').next() {
        Some("sqlite") => Ok((Database::Sqlite, sqlite(rest)?)),
        Some("postgresql" | "postgres") if rest.starts_with("//") => {
            Ok((Database::Postgres, format!("postgresql:{rest}")))
        }
        _ => Err(Error::config(format!(
            "catalog property `uri`: expected sqlite:////absolute/path.db or postgresql://user:password@host/database, got `{}`",
            without_secret(uri)
        ))),
    }
}

fn sqlite(rest: &str) -> Result<String> {
    let path = rest.strip_prefix("///").unwrap_or(rest);
    if path.is_empty() {
        return Err(Error::config(
            "catalog property `uri`: a SQLite catalog needs a file, as in sqlite:////absolute/path.db",
        ));
    }
    let mode = if path.contains('?') { "" } else { "?mode=rwc" };
    Ok(format!("sqlite://{path}{mode}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_mean_what_they_mean_to_pyiceberg() {
        let read = |uri| driver_uri(uri).unwrap();
        assert_eq!(read("sqlite:////tmp/c.db"), (Database::Sqlite, "sqlite:///tmp/c.db?mode=rwc".to_owned()));
        assert_eq!(read("sqlite:///c.db"), (Database::Sqlite, "sqlite://c.db?mode=rwc".to_owned()));
        assert_eq!(
            read("postgresql+psycopg2://me:pw@h:5433/d?sslmode=require"),
            (Database::Postgres, "postgresql://me:pw@h:5433/d?sslmode=require".to_owned())
        );
        assert!(driver_uri("sqlite:///").is_err());
    }

    #[test]
    fn a_password_in_a_uri_is_not_shown() {
        let error = driver_uri("mysql://me:hush@host/db").unwrap_err().to_string();
        assert!(!error.contains("hush") && error.contains("host/db"), "{error}");
    }
}
