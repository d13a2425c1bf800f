//! AWS Signature Version 4, as AWS Glue and S3 Tables want it.

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningError, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use http::{HeaderName, HeaderValue};
use object_store::aws::{AwsCredential, AwsCredentialProvider};
use reqwest::Request;

use crate::catalog::properties::{optional, required};
use crate::error::{Error, Result};
use crate::storage::{ACCESS_KEY, SECRET_KEY, SESSION_TOKEN, credentials};

/// The service that a request is signed for unless told otherwise: as PyIceberg and the Java library do.
const DEFAULT_NAME: &str = "execute-api";
/// Credentials of the catalog alone, and the properties whose place they take.
const OWN_KEYS: [(&str, &str); 3] = [
    ("rest.access-key-id", ACCESS_KEY),
    ("rest.secret-access-key", SECRET_KEY),
    ("rest.session-token", SESSION_TOKEN),
];
/// Variables of the environment that name the region if no property does.
const REGION_VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// A signer for one service in one region.
pub(super) struct SigV4 {
    credentials: AwsCredentialProvider,
    scope: Scope,
}

/// What a signature holds for.
struct Scope {
    region: String,
    name: String,
}

impl SigV4 {
    /// Credentials are `rest.access-key-id` and so on, else those of the S3 properties, else the environment's.
    pub(super) fn new(properties: &BTreeMap<String, String>) -> Result<Self> {
        let mut keys = properties.clone();
        if optional(properties, OWN_KEYS[0].0).is_some() {
            required(properties, OWN_KEYS[1].0)?;
            for (own, shared) in OWN_KEYS {
                keys.remove(shared);
                keys.extend(optional(properties, own).map(|value| (shared.to_owned(), value.to_owned())));
            }
        }
        let named = ["rest.signing-region", "client.region", "s3.region"];
        let named = named.into_iter().find_map(|name| optional(properties, name).map(str::to_owned));
        let region = named.or_else(|| REGION_VARIABLES.iter().find_map(|name| std::env::var(name).ok()));
        let region = region.ok_or_else(|| {
            Error::config("catalog property `rest.signing-region` is missing, and so is AWS_REGION")
        })?;
        let name = optional(properties, "rest.signing-name").unwrap_or(DEFAULT_NAME).to_owned();
        Ok(Self { credentials: credentials(&keys)?, scope: Scope { region, name } })
    }

    /// Signs a request that will not be changed any more.
    pub(super) async fn apply(&self, request: &mut Request) -> Result<()> {
        let keys = self.credentials.get_credential().await.map_err(|e| {
            Error::unavailable("no AWS credentials to sign requests to the catalog with").caused_by(e)
        })?;
        let signed = self.scope.sign(request, &keys, SystemTime::now());
        signed.map_err(|e| Error::config("a request to the catalog cannot be signed").caused_by(e))
    }
}

impl Scope {
    fn sign(&self, request: &mut Request, keys: &AwsCredential, at: SystemTime) -> Result<(), SigningError> {
        let identity =
            Credentials::new(&keys.key_id, &keys.secret_key, keys.token.clone(), None, "event-ingest").into();
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.name)
            .time(at)
            .settings(settings)
            .build()
            .expect("every field is set")
            .into();
        let body = request.body().and_then(|body| body.as_bytes()).unwrap_or_default();
        // The host and what signing adds are signed; other headers may change on their way.
        let signable = SignableRequest::new(
            request.method().as_str(),
            request.url().as_str(),
            std::iter::empty(),
            SignableBody::Bytes(body),
        )?;
        let (headers, _) = sign(signable, &params)?.into_parts().0.into_parts();
        for header in headers {
            let mut value =
                HeaderValue::try_from(header.value()).expect("a signature is made of letters and digits");
            value.set_sensitive(true);
            request.headers_mut().insert(HeaderName::from_static(header.name()), value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Method;
    use http::header::AUTHORIZATION;

    use super::*;

    fn signature(
        request: (Method, &str, &'static str),
        (name, region): (&str, &str),
        token: Option<&str>,
    ) -> (String, String) {
        let (method, url, body) = request;
        let mut request = Request::new(method, url.parse().unwrap());
        *request.body_mut() = (!body.is_empty()).then(|| body.into());
        let keys = AwsCredential {
            key_id: "AKIDEXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            token: token.map(str::to_owned),
        };
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045);
        let scope = Scope { region: region.to_owned(), name: name.to_owned() };
        scope.sign(&mut request, &keys, at).unwrap();
        let header = request.headers()[AUTHORIZATION].to_str().unwrap();
        let (signed, signature) = header.split_once(", Signature=").unwrap();
        (signed.split_once("SignedHeaders=").unwrap().1.to_owned(), signature.to_owned())
    }

    /// The expected values are botocore's for the same requests, keys and time.
    #[test]
    fn signatures_are_those_of_an_independent_signer() {
        let glue = "https://glue.eu-west-1.amazonaws.com/iceberg/v1/catalogs/123/namespaces/a%20b%1Fc/tables/t?snapshots=all";
        assert_eq!(
            signature((Method::GET, glue, ""), ("glue", "eu-west-1"), None),
            (
                "host;x-amz-content-sha256;x-amz-date".to_owned(),
                "11c3c890a03e1bce83a6cfeab4b215f82d57435f4d1b31d323cf97a1c0e82e89".to_owned()
            )
        );
        let s3tables = "https://s3tables.us-east-2.amazonaws.com/iceberg/v1/arn%3Aaws%3As3tables%3Aus-east-2%3A1%3Abucket%2Fb/namespaces/db/tables/t";
        let commit = (Method::POST, s3tables, "{\"requirements\":[]}");
        assert_eq!(
            signature(commit, ("s3tables", "us-east-2"), Some("TOKEN/+=")),
            (
                "host;x-amz-content-sha256;x-amz-date;x-amz-security-token".to_owned(),
                "c8a028fff846253374d42514ecb723ce7ed6022a5a3fb7fea35d58a62be0c0b2".to_owned()
            )
        );
        let config = "http://127.0.0.1:8181/v1/config?warehouse=s3%3A%2F%2Fb%2Fw%20x";
        let (_, signature) = signature((Method::GET, config, ""), ("execute-api", "us-east-1"), None);
        assert_eq!(signature, "c2d8f6d42a5d7ed6ebeebacb7b0219820dd23f3bcb78e8e2b7c98609a53aee25");
    }

    #[test]
    fn the_catalogs_own_keys_take_the_place_of_all_of_the_stores() {
        let pairs = [
            ("rest.access-key-id", "own"),
            ("s3.access-key-id", "store"),
            ("s3.session-token", "of the store"),
        ];
        let mut properties: BTreeMap<String, String> =
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        properties.insert("rest.signing-region".to_owned(), "eu".to_owned());
        let error = SigV4::new(&properties).err().unwrap().to_string();
        assert!(error.contains("rest.secret-access-key"), "{error}");
        properties.insert("rest.secret-access-key".to_owned(), "own secret".to_owned());
        let signer = SigV4::new(&properties).unwrap();
        let keys = futures::executor::block_on(signer.credentials.get_credential()).unwrap();
        assert_eq!((keys.key_id.as_str(), keys.secret_key.as_str()), ("own", "own secret"));
        assert_eq!(keys.token, None);
        assert_eq!((signer.scope.region.as_str(), signer.scope.name.as_str()), ("eu", "execute-api"));
    }
}
