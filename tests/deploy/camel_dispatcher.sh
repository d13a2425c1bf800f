#!/usr/bin/env bash
# The alternative dispatcher, as its Integration has it: compiled, run on a real Kafka, and what it writes are requests by the
# contract, small ones to light and big ones to heavy.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/harness/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/harness/servers.sh"

camel=$(tool_dir camel "$repo/bench/peers/camel/pom.xml" "$repo/bench/peers/camel/CamelDispatcher.java")
[ -d "$camel/libs" ] || die "Camel is not installed: run 'scripts/setup.sh camel'"

# The source, and each property on a line.
python - "$repo/deploy/platform/camel-k/manifests/dispatcher.yaml" "$dir" <<'PYTHON'
import pathlib
import sys

import yaml

spec = yaml.safe_load(pathlib.Path(sys.argv[1]).read_text())["spec"]
out = pathlib.Path(sys.argv[2])
[source] = spec["sources"]
(out / source["name"]).write_text(source["content"])
(out / "properties").write_text("\n".join(spec["traits"]["camel"]["properties"]) + "\n")
PYTHON
java=${JAVA_HOME:+$JAVA_HOME/bin/}
"${java}javac" -nowarn -proc:none -cp "$camel/libs/*" -d "$dir/classes" "$dir/Dispatcher.java" "$harness/camel/RunDispatcher.java"
passed "the Integration's source compiles"

start_kafka
# A batch is full with its second file, so that nobody waits for silence.
mapfile -t properties < <(sed -e "s/^kafka\.brokers=.*/kafka.brokers=127.0.0.1:$port/" -e 's/^batch\.files=.*/batch.files=2/' "$dir/properties")
"${java}java" -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$dir/classes:$camel/libs/*" RunDispatcher "${properties[@]}" \
  >"$dir/camel.log" 2>&1 9>&- &
pids+=("$!")

record() {
  printf '{"eventSource":"ceph:s3","eventName":"%s","eventTime":"2026-01-01T00:00:00Z","s3":{"bucket":{"name":"events-inbox"},"object":{"key":"%s","size":%s,"eTag":"0"}}}' "$@"
}
{
  printf '{"Records":[%s]}\n' "$(record ObjectCreated:Put incoming/a%20b.parquet 10)"
  printf '{"Records":[%s,%s,%s]}\n' "$(record ObjectRemoved:Delete incoming/gone.parquet 10)" \
    "$(record ObjectCreated:Put incoming/_temporary/x.parquet 10)" "$(record s3:ObjectCreated:Put incoming/c.parquet 20)"
  printf '{"Records":[%s,%s]}\n' "$(record ObjectCreated:Put incoming/big.parquet 499999999)" \
    "$(record ObjectCreated:CompleteMultipartUpload incoming/more.parquet 1)"
} | "$repo/scripts/kafka.sh" produce s3-events --port "$port" >"$dir/produce.log" 2>&1

for lane in light heavy; do
  "$repo/scripts/kafka.sh" consume "$lane-ingest" --port "$port" >"$dir/$lane" 2>"$dir/consume.log" 9>&- &
  pids+=("$!")
  until_true 120 "no request came to $lane-ingest" grep -q '"files"' "$dir/$lane"
  grep -q "ce_type:dev.eventingest.request.$lane.v1" "$dir/$lane" || die "the type of the event is another: $(cat "$dir/$lane")"
done

# request LANE: the one request that it has.
request() { sed -n 's/^[^{]*\({.*}\)$/\1/p' "$dir/$1"; }
[ "$(request light | jq -c '[.files, .total_bytes, .file_count, .table]')" = \
  '[["s3://events-inbox/incoming/a b.parquet","s3://events-inbox/incoming/c.parquet"],30,2,"db.my_table"]' ] ||
  die "the light request is: $(request light)"
[ "$(request heavy | jq -c '[.files, .total_bytes, .file_count]')" = \
  '[["s3://events-inbox/incoming/big.parquet","s3://events-inbox/incoming/more.parquet"],500000000,2]' ] ||
  die "the heavy request is: $(request heavy)"
passed "small batches are light, big ones heavy, and what is no new file is left out"
