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
  timeout 900 mvn -q -B -f "$pom" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$1/libs" \
    -Dmaven.wagon.http.retryHandler.count=3 -Dmaven.wagon.rto=60000 >"$1/maven.log" 2>&1 || {
    cat "$1/maven.log" >&2
    die "Maven could not fetch Camel: it needs Maven Central, or a mirror named in ~/.m2/settings.xml"
  }
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
