#!/usr/bin/env bash
# Puts an object below incoming/, and waits for its announcement in the log of s3-event-display. It is no Parquet: under the
# chart's rules it is set aside with that reason.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

key=incoming/announced-$(date -u +%s).parquet
object_store
printf 'no Parquet' | aws --endpoint-url "$S3_ENDPOINT" s3 cp - "s3://events-inbox/$key"
logs_until s3-event-display "$key" 120
