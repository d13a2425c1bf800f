#!/usr/bin/env bash
# The expiry of snapshots of an older Iceberg release, for tests.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/old-iceberg.sh install
       scripts/old-iceberg.sh expire SQLITE-FILE WAREHOUSE CATALOG NAMESPACE TABLE

  install  fetches the release that scripts/old-iceberg/pom.xml names and compiles what calls it; does nothing when they
           are there
  expire   removes every snapshot that may go, and the files that only those had
TEXT
}

pom=$repo/scripts/old-iceberg/pom.xml
source=$repo/scripts/old-iceberg/Expire.java
home=$(tool_dir old-iceberg "$pom" "$source")

# hadoop_jars: what Spark brings along of Hadoop.
hadoop_jars() {
  local jar jars=
  for jar in "$(spark_home)"/lib/python3*/site-packages/pyspark/jars/{hadoop-client-,slf4j-api-,commons-logging-}*.jar; do
    jars=$jars:$jar
  done
  printf '%s\n' "${jars#:}"
}

fill() {
  say "old-iceberg: fetching an older release of Iceberg (40 MB)"
  [ -d "$(spark_home)" ] || die "Spark is not installed: run 'scripts/setup.sh spark old-iceberg'"
  maven_jars "$pom" "$1" libs "an older Iceberg"
  "${JAVA_HOME:+$JAVA_HOME/bin/}javac" -nowarn -proc:none -cp "$1/libs/*:$(hadoop_jars)" -d "$1/classes" "$source" >&2 ||
    die "$source could not be compiled"
}

expire() {
  [ -d "$home" ] || die "the older Iceberg is not installed: run 'make setup'"
  exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData \
    -cp "$home/classes:$home/libs/*:$(hadoop_jars)" Expire "$@"
}

case ${1:-} in
  install) install_once "$home" fill ;;
  expire) shift; expire "$@" ;;
  -h | --help) usage ;;
  *) usage >&2; exit 2 ;;
esac
