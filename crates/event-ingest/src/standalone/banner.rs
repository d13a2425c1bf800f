//! What a person sees when the server is ready: where everything is, and three commands to try.

use super::folder::EndpointFile;

/// The text, ready to be printed. `spark` is what reads heavy batches, if not this process.
pub(super) fn text(endpoint: &EndpointFile, spark: Option<&str>) -> String {
    let heavy = spark.unwrap_or("this process");
    let EndpointFile {
        url,
        admin_url,
        admin_token,
        access_key,
        secret_key,
        region,
        bucket,
        table,
        catalog_name,
        catalog_uri,
        warehouse,
        ..
    } = endpoint;
    format!(
        r#"
event-ingest is ready. Parquet, CSV and JSON files put into s3://{bucket}/ become rows of {table}.

  console       {admin_url}/#token={admin_token}
  S3 endpoint   {url}
  access key    {access_key}
  secret key    {secret_key}
  region        {region}
  catalog       {catalog_uri}
  warehouse     {warehouse}
  large batches {heavy}
  activity      {admin_url}/api/v1/activity
  health        {admin_url}/readyz, {admin_url}/metrics

Open the console and drop a file there, or try three commands:

  AWS_ACCESS_KEY_ID={access_key} AWS_SECRET_ACCESS_KEY={secret_key} AWS_DEFAULT_REGION={region} \
    aws --endpoint-url {url} s3 cp FILE.parquet s3://{bucket}/

  curl {admin_url}/api/v1/activity

  python3 -c 'from pyiceberg.catalog import load_catalog
print(load_catalog("{catalog_name}", type="sql", uri="{catalog_uri}").load_table("{table}").scan().to_arrow())'

Stop with Ctrl-C. Nothing is lost if it is killed.
"#
    )
}
