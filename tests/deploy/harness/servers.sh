# What tests with real servers share, beside lib.sh: a folder $dir, ports, waiting, Kafka. All that is started ends with the
# shell. Sourced, never run.
# shellcheck shell=bash

kafka=$(tool_dir kafka "$repo/scripts/kafka/pom.xml")
[ -d "$kafka/libs" ] || die "Kafka is not installed: run 'scripts/setup.sh kafka'"

dir=$(mktemp -d "$work/servers-XXXXXX")
mkfifo "$dir/alive"
pids=()
finish() {
  exec 9>&-
  [ "${#pids[@]}" = 0 ] || kill "${pids[@]}" 2>/dev/null || true
  wait
  rm -rf "$dir"
}
trap finish EXIT

# free_port: one that nothing listens on, below those that the system gives away.
free_port() {
  local port
  while
    port=$((16384 + RANDOM % 16384))
    listening "$port"
  do :; done
  printf '%s\n' "$port"
}

# until_true SECONDS WHAT COMMAND…: asks again until it is so.
until_true() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || {
      tail -n 20 "$dir"/*.log >&2
      die "$what"
    }
    sleep 0.2
  done
}

# serve_until_end NAME COMMAND…: runs a server of scripts/ that ends with this shell, however that ends.
serve_until_end() {
  local name=$1
  shift
  "$@" --until-stdin-closes <"$dir/alive" >"$dir/$name.log" 2>&1 9>&- &
  # The first to be opened waits for a reader.
  exec 9>"$dir/alive"
  until_true 60 "$name is not ready" grep -q 'is ready' "$dir/$name.log"
}

# start_kafka: a broker with the project's topics on $port.
start_kafka() {
  port=$(free_port)
  serve_until_end kafka "$repo/scripts/kafka.sh" run --port "$port" --controller-port "$(free_port)" --dir "$dir/kafka" \
    --topics s3-events,light-ingest,heavy-ingest,ingest-dlq
}
