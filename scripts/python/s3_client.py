"""An S3 client for a running server."""

import boto3
from botocore.config import Config


def connect(endpoint: dict):
    """A client for the server that wrote this endpoint.json."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint["url"],
        aws_access_key_id=endpoint["access_key"],
        aws_secret_access_key=endpoint["secret_key"],
        region_name=endpoint["region"],
        config=Config(s3={"addressing_style": "path"}),
    )
