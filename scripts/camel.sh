#!/usr/bin/env bash
# The Camel route that the dispatcher is measured beside.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/camel.sh install
       scripts/camel.sh run BROKERS GROUP SOURCE LIGHT HEAVY

  install  fetches the jars that bench/peers/camel/pom.xml names and compiles the route; does nothing when they are there
  run      reads the topic SOURCE and writes requests to the topics LIGHT and HEAVY, until SIGTERM.
           CAMEL_JAVA_OPTIONS: the options of its Java
TEXT
}

pom=$repo/bench/peers/camel/pom.xml
source=$repo/bench/peers/camel/CamelDispatcher.java
home=$(tool_dir camel "$pom" "$source")

fill() {
  say "camel: fetching its jars (30 MB)"
  maven_jars "$pom" "$1" libs "Camel"
  "${JAVA_HOME:+$JAVA_HOME/bin/}javac" -nowarn -proc:none -cp "$1/libs/*" -d "$1/classes" "$source" >&2 ||
    die "$source could not be compiled"
}

run() {
  [ $# = 5 ] || { usage >&2; exit 2; }
  [ -d "$home" ] || die "Camel is not installed: run 'scripts/setup.sh camel'"
  # The heap and the collector of a small container.
  read -ra options <<<"${CAMEL_JAVA_OPTIONS:--Xmx256m -XX:+UseSerialGC}"
  exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" "${options[@]}" -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
    -cp "$home/classes:$home/libs/*" CamelDispatcher "$@"
}

case ${1:-} in
  install) install_once "$home" fill ;;
  run) shift; run "$@" ;;
  -h | --help) usage ;;
  *) usage >&2; exit 2 ;;
esac
