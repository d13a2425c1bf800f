#!/usr/bin/env bash
# One Apache Kafka broker (KRaft, no ZooKeeper) on the loopback interface, for tests and local trials.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/serve.sh"

title=Kafka what=kafka

usage() {
  cat <<'TEXT'
usage: scripts/kafka.sh install
       scripts/kafka.sh run [--port 9092] [--controller-port 9093] [--dir DIR] [--topics a,b] [--until-stdin-closes]
           [--property key=value]… [--listeners NAME://127.0.0.1:PORT,…] [--properties FILE] [--scram NAME:PASSWORD]… [--java-option OPTION]…

       scripts/kafka.sh produce TOPIC [--port 9092]
       scripts/kafka.sh consume TOPIC [--port 9092]
       scripts/kafka.sh allow USER [--port 9092] OPTION…

  install  fetches the jars that scripts/kafka/pom.xml names; does nothing when they are there
  run      starts a broker and stays until Ctrl-C or SIGTERM
    --dir DIR             keeps the data there; without it they go to a temporary folder and are deleted at the end
    --topics a,b          topics to create, three partitions each
    --listeners …         listens there too; --properties says how each is secured
    --properties FILE     further settings of the broker
    --scram NAME:PASSWORD a user who may log in by SCRAM-SHA-512
    --java-option OPTION  for the Java virtual machine
    --property key=value  a setting of the broker, over those of this script; repeatable
    --until-stdin-closes  stops, at once, when standard input ends: a test's broker never outlives the test
  produce  sends each line of standard input as a record
  consume  prints the records of a topic from its beginning, with their headers, until Ctrl-C
  allow    grants rights to a user, by the options of kafka-acls.sh: --operation NAME, --topic NAME, --group NAME
TEXT
}

pom=$repo/scripts/kafka/pom.xml
home=$(tool_dir kafka "$pom")

# A cluster id is 16 bytes, base64: this one says `event-ingest-dev`.
cluster_id=ZXZlbnQtaW5nZXN0LWRldg

fetch_jars() {
  say "kafka: fetching its jars (44 MB)"
  maven_jars "$pom" "$1" libs "the jars of Kafka"
}

# Quick to start and small: a test broker serves a few topics for a few minutes. The back-offs and session times are
# short because a killed broker's successor waits for them; those of groups may be, because killed members' do.
properties() {
  cat <<TEXT
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller_port
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port${listeners:+,$listeners}
log.dirs=$dir/data
num.partitions=3
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
group.min.session.timeout.ms=500
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=2097152
TEXT
  [ -z "$properties" ] || cat "$properties"
}

java=("${JAVA_HOME:+$JAVA_HOME/bin/}java" -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData
  -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$home/libs/*")

create_topics() {
  local topic made=()
  for topic in ${topics//,/ }; do
    "${java[@]}" org.apache.kafka.tools.TopicCommand --bootstrap-server "127.0.0.1:$port" \
      --create --if-not-exists --topic "$topic" --partitions 3 >>"$log" 2>&1 &
    made+=("$!")
  done
  for topic in "${made[@]}"; do wait "$topic" || broke "a topic of '$topics' could not be created"; done
}

run() {
  port=9092 controller_port='' topics='' listeners='' properties='' settings=() scram=() java_options=()
  while [ $# -gt 0 ]; do
    case $1 in
      --dir) dir=$2; shift ;;
      --port) port=$2; shift ;;
      --controller-port) controller_port=$2; shift ;;
      --topics) topics=$2; shift ;;
      --listeners) listeners=$2; shift ;;
      --properties) properties=$2; shift ;;
      --scram) scram+=(--add-scram "SCRAM-SHA-512=[name=${2%%:*},password=${2#*:}]"); shift ;;
      --java-option) java_options+=("$2"); shift ;;
      --property) settings+=("$2"); shift ;;
      --until-stdin-closes) guarded=true ;;
      *) usage >&2; exit 2 ;;
    esac
    shift
  done
  controller_port=${controller_port:-$((port + 1))}
  [ -d "$home" ] || die "Kafka is not installed: run 'make setup'"
  for used in "$port" "$controller_port"; do
    if listening "$used"; then die "port $used is taken: choose others with --port and --controller-port"; fi
  done
  server_dir

  { properties; printf '%s\n' "${settings[@]}"; } >"$dir/server.properties"
  "${java[@]}" kafka.tools.StorageTool format --ignore-formatted -t "$cluster_id" -c "$dir/server.properties" \
    "${scram[@]}" >"$log" 2>&1 || broke "the storage of Kafka could not be formatted"

  serve "${java[@]:0:1}" "${java_options[@]}" "${java[@]:1}" kafka.Kafka "$dir/server.properties"
  create_topics
  say "Kafka is ready: KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:$port (topics: ${topics:-none}; log: $log)"
  until_it_ends
}

# client CLASS OPTION… -- TOPIC [--port PORT]: one of Kafka's own command line clients.
client() {
  local class=$1 options=()
  shift
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  [ $# -ge 2 ] || { usage >&2; exit 2; }
  local topic=$2 port=9092
  [ "${3:-}" != --port ] || port=$4
  [ -d "$home" ] || die "Kafka is not installed: run 'make setup'"
  exec "${java[@]}" "$class" --bootstrap-server "127.0.0.1:$port" --topic "$topic" "${options[@]}"
}

# allow USER [--port PORT] OPTION…
allow() {
  [ $# -ge 3 ] || { usage >&2; exit 2; }
  local user=$1 port=9092
  shift
  [ "$1" != --port ] || { port=$2; shift 2; }
  [ -d "$home" ] || die "Kafka is not installed: run 'make setup'"
  exec "${java[@]}" org.apache.kafka.tools.AclCommand --bootstrap-server "127.0.0.1:$port" --add \
    --allow-principal "User:$user" "$@"
}

case ${1:-} in
  allow) shift; allow "$@" ;;
  produce) shift; client org.apache.kafka.tools.ConsoleProducer -- "$@" ;;
  consume) shift; client org.apache.kafka.tools.consumer.ConsoleConsumer --from-beginning \
    --property print.headers=true -- "$@" ;;
  install) install_once "$home" fetch_jars ;;
  run) shift; run "$@" ;;
  -h | --help) usage ;;
  *) usage >&2; exit 2 ;;
esac
