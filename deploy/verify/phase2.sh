# Eventing, notifications of the bucket, and the data plane. Sourced, never run.
# shellcheck shell=bash
# shellcheck source-path=SCRIPTDIR
. "$deploy/verify/phase1.sh"
. "$deploy/verify/data_plane.sh"

table=db.my_table

strimzi_runs() {
  available "$kafka_namespace" strimzi-cluster-operator && holds "$kafka_namespace" kafka "$kafka_cluster" Ready
}

volume_bound() {
  local class seen
  class=$(setting components.strimzi.storage_class)
  seen=$(kubectl -n "$kafka_namespace" get pvc -l "strimzi.io/cluster=$kafka_cluster" \
    -o jsonpath='{range .items[*]}{.status.phase} {.spec.storageClassName}{"\n"}{end}') || return
  [ -n "$seen" ] || no "$kafka_cluster has no volume claim" || return
  [ -z "$(grep -vx "Bound $class" <<<"$seen")" ] || no "volumes are: ${seen//$'\n'/, }; wanted: Bound $class"
}

pings_every_minute() {
  local seen
  seen=$(kubectl -n "$demo" get pingsources \
    -o jsonpath='{range .items[*]}{.spec.schedule}|{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}') || return
  grep -qE '^\*(/1)? \* \* \* \*\|True$' <<<"$seen" || no "PingSources (schedule|Ready): ${seen//$'\n'/, }"
}

# of_service NAME: the selector of a Knative Service's pods.
of_service() { printf 'serving.knative.dev/service=%s\n' "$1"; }

display_saw_pings() { eventually logged "$demo" "$(of_service event-display)" dev.knative.sources.ping; }

source_consumes() {
  holds "$demo" kafkasource "$1" Ready || return
  [[ " $(kubectl -n "$demo" get kafkasource "$1" -o jsonpath='{.spec.topics[*]}') " == *" $2 "* ]] ||
    no "$1 does not consume $2"
}

messages_arrive() {
  local sink
  sink=$(kubectl -n "$demo" get kafkasource demo-source -o jsonpath='{.spec.sink.ref.name}') || return
  [ -n "$sink" ] || no "demo-source has no sink" || return
  produce demo-topic <<<"{\"verify\": \"$token-demo\"}" || no "nothing can be produced to demo-topic" || return
  eventually logged "$demo" "$(of_service "$sink")" "$token-demo"
}

# any KIND NAME JSONPATH: of the object of that name, in whatever namespace.
any() {
  kubectl get "$1" -A --field-selector "metadata.name=$2" -o jsonpath="{.items[0]$3}" 2>/dev/null
}

bucket_and_user() {
  local seen
  seen=$(any objectbucketclaims events-inbox .status.phase) || true
  [ "$seen" = Bound ] || no "ObjectBucketClaim events-inbox is: ${seen:-not there}" || return
  seen=$(any cephobjectstoreusers s3-events .status.phase) || true
  [ "$seen" = Ready ] || no "CephObjectStoreUser s3-events is: ${seen:-not there}"
}

# The policy lets s3-events not read the policy itself: that is the owner's.
policy_grants() {
  s3_owner get-bucket-policy --bucket "$bucket" --query Policy --output text | grep -F ':user/s3-events' >/dev/null ||
    no "the policy of $bucket does not name user/s3-events"
}

topic_points_to_kafka() {
  local uri phase
  uri=$(any cephbuckettopics s3-events .spec.endpoint.kafka.uri) phase=$(any cephbuckettopics s3-events .status.phase)
  [ "$uri" = "kafka://$kafka_cluster-kafka-bootstrap.$kafka_namespace.svc.cluster.local:9092" ] ||
    no "the address of CephBucketTopic s3-events is: ${uri:-none}" || return
  [ "$phase" = Ready ] || no "CephBucketTopic s3-events is: ${phase:-without a phase}"
}

notification_attached() {
  local filter label
  filter=$(any cephbucketnotifications upload-notify '.spec.topic} {.items[0].spec.events[*]} {.items[0].spec.filter.keyFilters[*].name}={.items[0].spec.filter.keyFilters[*].value') || true
  [ "$filter" = "s3-events s3:ObjectCreated:* prefix suffix=incoming/ .parquet" ] ||
    no "CephBucketNotification upload-notify has: ${filter:-nothing}" || return
  label=$(any objectbucketclaims events-inbox '.metadata.labels.bucket-notification-upload-notify')
  [ "$label" = upload-notify ] || no "ObjectBucketClaim events-inbox does not carry the label of upload-notify"
}

put_is_announced() {
  put "incoming/$token-a.parquet" || return
  eventually arrived s3-events "$token-a"
}

display_got_the_put() {
  source_consumes s3-event-source s3-events && eventually logged "$demo" "$(of_service s3-event-display)" "$token-a"
}

display_comes_again() {
  eventually no_pods "$demo" "$(of_service s3-event-display)" || return
  put "incoming/$token-b.parquet" || return
  eventually logged "$demo" "$(of_service s3-event-display)" "$token-b"
}

camel=$(setting components.camel_k.namespace)
camel_definitions() {
  local name found
  found=$(kubectl get crds -o name) || return
  for name in integrations integrationplatforms integrationkits kamelets pipes builds camelcatalogs; do
    grep -q "/$name\.camel\.apache\.org\$" <<<"$found" || no "$name.camel.apache.org is not there" || return
  done
}

phase_is() {
  local seen
  seen=$(kubectl -n "$1" get "$2" "$3" -o jsonpath='{.status.phase}') || no "$2/$3 cannot be read" || return
  [ "$seen" = "$4" ] || no "$2/$3 is in phase '$seen', not $4"
}

# No build makes the integration: the component's own test does.
timer_logs() {
  kubectl -n "$camel" get integration timer-to-log -o name >/dev/null ||
    no "timer-to-log is not there: run deploy/platform/camel-k/scripts/test/test-camel-k.sh" || return
  phase_is "$camel" integration timer-to-log Running
}

phase2() {
  line "Strimzi runs" strimzi_runs
  line "broker's PVC bound to the class" volume_bound
  line "Eventing pods run" eventing_runs
  line "Broker in $demo" holds "$demo" broker default Ready
  line "PingSource every minute" pings_every_minute
  line "events seen in event-display" display_saw_pings
  line "KafkaSource consumes demo-topic" source_consumes demo-source demo-topic
  line "hand-made messages arrive" messages_arrive
  line "bucket $bucket with its user" bucket_and_user
  line "policy grants the user" policy_grants
  line "bucket topic points to Kafka" topic_points_to_kafka
  line "notification attached with its filter" notification_attached
  line "PUT of incoming/*.parquet appears on s3-events" put_is_announced
  line "KafkaSource delivers it to s3-event-display" display_got_the_put
  line "s3-event-display scales down and up again on the next PUT" display_comes_again
  line_of camel_k "Camel K operator runs" available "$camel" camel-k-operator
  line_of camel_k "IntegrationPlatform Ready" phase_is "$camel" integrationplatform camel-k Ready
  line_of camel_k "Camel K's 7 CRDs" camel_definitions
  line_of camel_k "timer → log runs" timer_logs
  line "topics light-ingest, heavy-ingest" lanes_ready
  line "shared contract available" contract_holds
  line "dispatcher sends small batches to light" small_goes_light
  line "dispatcher sends big ones to heavy" big_goes_heavy
  line "worker writes to Iceberg" worker_writes
  line "Spark writes to the same table" spark_writes
}
