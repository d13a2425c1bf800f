#!/usr/bin/env bash
# The Iceberg project's own REST catalog server on the loopback interface, over SQLite and a local warehouse, for tests.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/serve.sh"

title="the REST catalog" what=rest-catalog

usage() {
  cat <<'TEXT'
usage: scripts/rest-catalog.sh install
       scripts/rest-catalog.sh run [--port 8181] [--dir DIR] [--until-stdin-closes]

  install  fetches the server that scripts/rest-catalog/pom.xml names and compiles what starts it; does nothing when
           they are there
  run      starts the server and stays until Ctrl-C or SIGTERM
    --dir DIR             keeps catalog and warehouse there; without it they are deleted at the end
    --until-stdin-closes  stops, at once, when standard input ends: a test's server never outlives the test
TEXT
}

pom=$repo/scripts/rest-catalog/pom.xml
source=$repo/scripts/rest-catalog/LoopbackCatalog.java
home=$(tool_dir rest-catalog "$pom" "$source")

fill() {
  say "rest-catalog: fetching the server (212 MB)"
  maven_jars "$pom" "$1" libs "the REST catalog"
  "${JAVA_HOME:+$JAVA_HOME/bin/}javac" -nowarn -proc:none -cp "$1/libs/*" -d "$1/classes" "$source" >&2 ||
    die "$source could not be compiled"
}

run() {
  port=8181
  server_options "$@"
  [ -d "$home" ] || die "the REST catalog is not installed: run 'make setup'"
  port_is_free
  server_dir
  serve "${JAVA_HOME:+$JAVA_HOME/bin/}java" -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData \
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$home/classes:$home/libs/*" LoopbackCatalog "$port" "$dir"
  say "$title is ready: http://127.0.0.1:$port (warehouse: $dir/warehouse; log: $log)"
  until_it_ends
}

case ${1:-} in
  install) install_once "$home" fill ;;
  run) shift; run "$@" ;;
  -h | --help) usage ;;
  *) usage >&2; exit 2 ;;
esac
