//! Properties that are passed through to a library under its own names, by environment and by repeatable flags.

use std::collections::BTreeMap;
use std::fmt;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// The environment variable of this name.
    Env(String),
    /// A flag on the command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Env(name) => write!(f, "env {name}"),
            Origin::Flag => f.write_str("flag"),
        }
    }
}

/// The value of a passed-through property, and where it came from.
#[derive(Clone, PartialEq, Eq)]
pub struct Property {
    /// The value as given.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Without the value: it may be a secret.
impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Property({})", self.origin)
    }
}

/// Properties from the environment variables that begin with `prefix`, under those given by flag.
///
/// What follows the prefix becomes the property's name as PyIceberg has it: `__` is `.`, `_` is `-`, lower case.
/// So `ICEBERG_CATALOG__S3__ACCESS_KEY_ID` with the prefix `ICEBERG_CATALOG__` is `s3.access-key-id`.
pub fn key_values(
    prefix: &str,
    vars: impl IntoIterator<Item = (String, String)>,
    flags: &[(String, String)],
) -> BTreeMap<String, Property> {
    let from_env = vars.into_iter().filter_map(|(name, value)| {
        let rest = name.strip_prefix(prefix).filter(|rest| !rest.is_empty())?;
        let key = rest.to_lowercase().replace("__", ".").replace('_', "-");
        Some((key, Property { value, origin: Origin::Env(name) }))
    });
    let from_flags = flags
        .iter()
        .map(|(key, value)| (key.clone(), Property { value: value.clone(), origin: Origin::Flag }));
    from_env.chain(from_flags).collect()
}

/// Whether the property of this name holds a secret, judged by its name alone.
pub fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    // The id of an access key names it, as a user name does; so does the place where a key lies or a token is made.
    !["access-key-id", ".location", ".endpoint.url"].iter().any(|open| key.ends_with(open))
        && ["secret", "password", "credential", "token", "key", "authorization", "cookie"]
            .iter()
            .any(|word| key.contains(word))
}

/// The value as it may be shown: a secret becomes `****`, and so does the password in a URL.
pub fn mask(key: &str, value: &str) -> String {
    if is_secret(key) {
        return "****".to_owned();
    }
    let Some((scheme, rest)) = value.split_once("://") else {
        return value.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split_once(':').map_or(user, |(user, _)| user);
            format!("{scheme}://{user}:****@{host}{path}")
        }
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn names_are_mapped_as_pyiceberg_does_and_flags_win() {
        let env = vars(&[
            ("ICEBERG_CATALOG__S3__ACCESS_KEY_ID", "abc"),
            ("ICEBERG_CATALOG__URI", "sqlite:////a.db"),
            ("ICEBERG_CATALOG__", "nothing"),
            ("HOME", "/"),
        ]);
        let read = key_values("ICEBERG_CATALOG__", env, &vars(&[("uri", "sqlite:////b.db")]));
        assert_eq!(read.keys().collect::<Vec<_>>(), ["s3.access-key-id", "uri"]);
        assert_eq!(read["uri"], Property { value: "sqlite:////b.db".into(), origin: Origin::Flag });
        assert_eq!(read["s3.access-key-id"].origin, Origin::Env("ICEBERG_CATALOG__S3__ACCESS_KEY_ID".into()));
    }

    #[test]
    fn secrets_are_masked_by_name() {
        for key in [
            "s3.secret-access-key",
            "token",
            "credential",
            "sasl.password",
            "ssl.key.pem",
            "S3.SESSION-TOKEN",
        ] {
            assert_eq!(mask(key, "hunter2"), "****", "{key}");
        }
        assert_eq!(mask("s3.access-key-id", "AKIA1"), "AKIA1");
        assert_eq!(mask("kafka.ssl.key.location", "/user/user.key"), "/user/user.key");
        let endpoint = "https://me:hunter2@idp/token";
        assert_eq!(mask("sasl.oauthbearer.token.endpoint.url", endpoint), "https://me:****@idp/token");
        assert_eq!(mask("uri", "postgresql://me:hunter2@db:5432/c"), "postgresql://me:****@db:5432/c");
        assert_eq!(mask("uri", "http://catalog/v1?at=a@b"), "http://catalog/v1?at=a@b");
    }

    #[test]
    fn debug_output_holds_no_value() {
        let property = Property { value: "hunter2".into(), origin: Origin::Flag };
        assert!(!format!("{property:?}").contains("hunter2"));
    }
}
