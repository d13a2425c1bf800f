#!/usr/bin/env bash
# Puts a CSV file below incoming/, and waits for its rows in db.my_csv. The release csv-to-iceberg has to be there:
#   helm upgrade --install csv-to-iceberg deploy/charts/event-ingest --namespace eventing-demo \
#     --values deploy/charts/event-ingest/values-csv-to-iceberg.yaml
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

WORKER=csv-to-iceberg exec "$here/../end-to-end/show.sh" "$here/stations.csv" db.my_csv
