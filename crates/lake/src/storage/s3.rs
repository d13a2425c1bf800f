//! S3 clients from Iceberg's properties, under the names that PyIceberg and the Java library use.

use std::collections::BTreeMap;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredentialProvider};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use crate::error::{Error, Result};

/// Properties of static credentials.
pub(crate) const ACCESS_KEY: &str = "s3.access-key-id";
pub(crate) const SECRET_KEY: &str = "s3.secret-access-key";
pub(crate) const SESSION_TOKEN: &str = "s3.session-token";

/// How long one request may take, connection included, before it is tried again.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a request that failed in a way that may pass is repeated, and for how long in all.
const MAX_RETRIES: usize = 5;
const RETRY_TIMEOUT: Duration = Duration::from_secs(90);

/// A client for one bucket. Without static keys the environment decides (web identity, instance metadata, …).
pub(super) fn client(bucket: &str, properties: &BTreeMap<String, String>) -> Result<AmazonS3> {
    let get = |name: &str| properties.get(name).map(String::as_str);
    let static_keys = get(ACCESS_KEY).is_some();
    let mut builder = if static_keys { AmazonS3Builder::new() } else { AmazonS3Builder::from_env() };
    // First: it replaces all client options, and `with_allow_http` below is one of them.
    builder = builder.with_bucket_name(bucket).with_client_options(
        ClientOptions::new().with_timeout(REQUEST_TIMEOUT).with_connect_timeout(CONNECT_TIMEOUT),
    );
    if let (Some(id), Some(secret)) = (get(ACCESS_KEY), get(SECRET_KEY)) {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret);
    } else if static_keys {
        return Err(Error::config(
            "`s3.access-key-id` is set but `s3.secret-access-key` is not: give both or neither",
        ));
    }
    if let Some(token) = get(SESSION_TOKEN) {
        builder = builder.with_token(token);
    }
    builder = builder.with_region(get("s3.region").or(get("client.region")).unwrap_or("us-east-1"));
    let mut path_style = false;
    if let Some(endpoint) = get("s3.endpoint") {
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
        // A server with an address of its own seldom has a DNS name for each bucket.
        path_style = true;
    }
    if let Some(value) = get("s3.path-style-access") {
        path_style = flag("s3.path-style-access", value)?;
    }
    if let Some(value) = get("s3.force-virtual-addressing") {
        path_style = !flag("s3.force-virtual-addressing", value)?;
    }
    builder
        .with_virtual_hosted_style_request(!path_style)
        .with_retry(RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: MAX_RETRIES,
            retry_timeout: RETRY_TIMEOUT,
        })
        .build()
        .map_err(|e| {
            Error::config(format!("cannot make an S3 client for bucket `{bucket}`; see the s3.* properties"))
                .caused_by(e)
        })
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
    fn secrets_do_not_show_in_the_debug_form_of_a_client() {
        let client =
            client("b", &properties(&[("s3.access-key-id", "id"), ("s3.secret-access-key", "hush-hush")]))
                .unwrap();
        assert!(!format!("{client:?}").contains("hush-hush"));
    }
}
