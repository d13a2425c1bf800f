#!/usr/bin/env bash
# Spark's own spark-submit with what `scripts/setup.sh spark` installed: scripts/spark-submit.sh ARGUMENT…
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

home=$(spark_home)
[ -d "$home" ] || die "Spark is not installed: run 'make setup'"
spark_environment
jars=$(printf '%s,' "$home"/jars/*.jar)
exec "$home/bin/spark-submit" --jars "${jars%,}" "$@"
