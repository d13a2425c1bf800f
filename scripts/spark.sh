#!/usr/bin/env bash
# Apache Spark with Iceberg, another engine that writes files and reads tables, for tests.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/spark.sh install
       scripts/spark.sh test [PYTEST-ARGUMENT…]
       scripts/spark.sh run FILE ARGUMENT…

  install  the same as `scripts/setup.sh spark`
  test     runs the tests of the Spark job
  run      runs a Python program in Spark's environment; SPARK_JARS names the jars that its session needs
TEXT
}

run() {
  local home
  home=$(spark_home)
  [ -d "$home" ] || die "Spark is not installed: run 'make setup'"
  spark_environment
  SPARK_JARS=$(printf '%s,' "$home"/jars/*.jar) exec "$home/bin/python" "$@"
}

case ${1:-} in
  install) exec "$repo/scripts/setup.sh" spark ;;
  test) shift; cd "$repo/spark"; run -m pytest -q -p no:cacheprovider "$@" ;;
  run) shift; run "$@" ;;
  -h | --help) usage ;;
  *) usage >&2; exit 2 ;;
esac
