//! S3 clients from Iceberg's properties, under the names that PyIceberg and the Java library use, and two of our own:
//! `s3.ca-file` and `s3.checksum-algorithm`.

use std::collections::BTreeMap;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredentialProvider, Checksum};
use object_store::{BackoffConfig, Certificate, ClientOptions, RetryConfig};

use crate::error::{Error, Result};

/// Properties of static credentials.
pub(crate) const ACCESS_KEY: &str = "s3.access-key-id";
pub(crate) const SECRET_KEY: &str = "s3.secret-access-key";
pub(crate) const SESSION_TOKEN: &str = "s3.session-token";

/// Property: a PEM file with the certificates of the authorities that sign the server's, beside the system's own.
const CA_FILE: &str = "s3.ca-file";
/// Property: a check sum that goes with each upload and that the server verifies. TLS and the length protect the
/// bytes on their way in any case.
const CHECKSUM: &str = "s3.checksum-algorithm";
/// How long one request may take, connection included, before it is tried again.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a request that failed in a way that may pass is repeated, and for how long in all.
const MAX_RETRIES: usize = 5;
const RETRY_TIMEOUT: Duration = Duration::from_secs(90);

/// What the properties say, understood.
struct Settings<'a> {
    keys: Option<(&'a str, &'a str)>,
    token: Option<&'a str>,
    /// The environment's, else S3's own, if no property says.
    region: Option<&'a str>,
    endpoint: Option<&'a str>,
    /// The same.
    path_style: Option<bool>,
    checksum: Option<Checksum>,
    authorities: Vec<Certificate>,
}

impl<'a> Settings<'a> {
    fn of(properties: &'a BTreeMap<String, String>) -> Result<Self> {
        let get = |name: &str| properties.get(name).map(String::as_str);
        let keys = match (get(ACCESS_KEY), get(SECRET_KEY)) {
            (Some(id), Some(secret)) => Some((id, secret)),
            (Some(_), None) => {
                return Err(Error::config(format!(
                    "`{ACCESS_KEY}` is set but `{SECRET_KEY}` is not: give both or neither"
                )));
            }
            (None, _) => None,
        };
        let endpoint = get("s3.endpoint");
        // A server with an address of its own seldom has a DNS name for each bucket.
        let mut path_style = endpoint.is_some().then_some(true);
        if let Some(value) = get("s3.path-style-access") {
            path_style = Some(flag("s3.path-style-access", value)?);
        }
        if let Some(value) = get("s3.force-virtual-addressing") {
            path_style = Some(!flag("s3.force-virtual-addressing", value)?);
        }
        let region = get("s3.region").or(get("client.region"));
        let checksum = match get(CHECKSUM) {
            None => None,
            Some(value) if value.eq_ignore_ascii_case("sha256") => Some(Checksum::SHA256),
            Some(value) => {
                return Err(Error::config(format!("property `{CHECKSUM}`: expected sha256, got `{value}`")));
            }
        };
        let authorities = get(CA_FILE).map(certificates).transpose()?.unwrap_or_default();
        let token = get(SESSION_TOKEN);
        Ok(Self { keys, token, region, endpoint, path_style, checksum, authorities })
    }
}

/// Whether a client could be made.
pub(super) fn check(properties: &BTreeMap<String, String>) -> Result<()> {
    Settings::of(properties).map(|_| ())
}

/// A client for one bucket. Without static keys the environment decides (web identity, instance metadata, …).
pub(super) fn client(bucket: &str, properties: &BTreeMap<String, String>) -> Result<AmazonS3> {
    builder(bucket, properties)?.build().map_err(|e| {
        Error::config(format!("cannot make an S3 client for bucket `{bucket}`; see the s3.* properties"))
            .caused_by(e)
    })
}

/// What every connection to the store of these properties has.
pub(super) fn client_options(properties: &BTreeMap<String, String>) -> Result<ClientOptions> {
    Ok(connection(Settings::of(properties)?.authorities))
}

fn connection(authorities: Vec<Certificate>) -> ClientOptions {
    let options = ClientOptions::new().with_timeout(REQUEST_TIMEOUT).with_connect_timeout(CONNECT_TIMEOUT);
    authorities.into_iter().fold(options, ClientOptions::with_root_certificate)
}

fn certificates(path: &str) -> Result<Vec<Certificate>> {
    let wrong = |reason: String| Error::config(format!("property `{CA_FILE}`: `{path}`: {reason}"));
    let pem = std::fs::read(path).map_err(|e| wrong(e.to_string()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|e| wrong(e.to_string()))?;
    if found.is_empty() { Err(wrong("it has no certificate".to_owned())) } else { Ok(found) }
}

/// The settings of a client.
pub(super) fn builder(bucket: &str, properties: &BTreeMap<String, String>) -> Result<AmazonS3Builder> {
    let settings = Settings::of(properties)?;
    let builder = if settings.keys.is_some() { AmazonS3Builder::new() } else { AmazonS3Builder::from_env() };
    // First: it replaces all client options, and `with_allow_http` below is one of them.
    let mut builder = builder.with_bucket_name(bucket).with_client_options(connection(settings.authorities));
    if let Some((id, secret)) = settings.keys {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret);
    }
    if let Some(token) = settings.token {
        builder = builder.with_token(token);
    }
    if let Some(endpoint) = settings.endpoint {
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    if let Some(checksum) = settings.checksum {
        builder = builder.with_checksum_algorithm(checksum);
    }
    if let Some(region) = settings.region {
        builder = builder.with_region(region);
    }
    if let Some(path_style) = settings.path_style {
        builder = builder.with_virtual_hosted_style_request(!path_style);
    }
    Ok(builder.with_retry(RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: MAX_RETRIES,
        retry_timeout: RETRY_TIMEOUT,
    }))
}

/// The credentials that a client with these properties would use, kept fresh where they expire.
pub(crate) fn credentials(properties: &BTreeMap<String, String>) -> Result<AwsCredentialProvider> {
    Ok(client("credentials", properties)?.credentials().clone())
}

fn flag(name: &str, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Error::config(format!("property `{name}`: expected true or false, got `{value}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn half_a_pair_of_keys_is_refused_by_name() {
        let error = client("b", &properties(&[("s3.access-key-id", "id")])).unwrap_err();
        assert!(error.to_string().contains("s3.secret-access-key"), "{error}");
    }

    #[test]
    fn a_wrong_flag_names_the_property_and_the_value() {
        let error = client("b", &properties(&[("s3.path-style-access", "maybe")])).unwrap_err().to_string();
        assert!(error.contains("s3.path-style-access") && error.contains("maybe"), "{error}");
    }

    #[test]
    fn authorities_and_check_sums_are_understood_or_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let at = file.path().to_str().unwrap();
        for (name, value) in
            [("s3.ca-file", "/no/such/file"), ("s3.ca-file", at), ("s3.checksum-algorithm", "md5")]
        {
            let error = client("b", &properties(&[(name, value)])).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(value), "{error}");
        }
        client("b", &properties(&[("s3.checksum-algorithm", "SHA256")])).unwrap();
    }

    #[test]
    fn secrets_do_not_show_in_the_debug_form_of_a_client() {
        let client =
            client("b", &properties(&[("s3.access-key-id", "id"), ("s3.secret-access-key", "hush-hush")]))
                .unwrap();
        assert!(!format!("{client:?}").contains("hush-hush"));
    }
}
