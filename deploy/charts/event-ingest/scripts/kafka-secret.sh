#!/usr/bin/env bash
# Makes the Secret by which services, sources and sink reach a secured Kafka, out of those that Strimzi has made of cluster
# and user. Run it again when Strimzi has renewed one of them. Nothing secret is printed or put on a command line.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: kafka-secret.sh --security tls|mtls|scram [--user NAME] [--cluster NAME] [--kafka-namespace NAME]
                       [--namespace NAME] [--secret NAME]

  --security         as the chart's value kafka.security
  --user             the KafkaUser; with mtls and scram [event-ingest]
  --cluster          [events-kafka]
  --kafka-namespace  where both are [kafka]
  --namespace        where the Secret goes [eventing-demo]
  --secret           its name [event-ingest-kafka]
TEXT
}

security='' user=event-ingest cluster=events-kafka kafka=kafka namespace=eventing-demo secret=event-ingest-kafka
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage && exit ;;
    --security | --user | --cluster | --kafka-namespace | --namespace | --secret)
      [ $# -ge 2 ] || { usage >&2 && exit 2; }
      ;;&
    --security) security=$2 ;;
    --user) user=$2 ;;
    --cluster) cluster=$2 ;;
    --kafka-namespace) kafka=$2 ;;
    --namespace) namespace=$2 ;;
    --secret) secret=$2 ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift 2
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 077

# take SECRET KEY [NAME]: a key of one of Strimzi's Secrets as a file of the new one.
take() {
  local text
  text=$(kubectl get secret "$1" --namespace "$kafka" -o jsonpath="{.data.${2//./\\.}}")
  [ -n "$text" ] || {
    printf 'error: the Secret %s in %s has no %s: is the KafkaUser Ready, and of the right kind?\n' "$1" "$kafka" "$2" >&2
    exit 1
  }
  base64 -d <<<"$text" >"$work/${3:-$2}"
}

take "$cluster-cluster-ca-cert" ca.crt
case $security in
  tls)
    printf SSL >"$work/protocol"
    printf true >"$work/user.skip"
    ;;
  mtls)
    printf SSL >"$work/protocol"
    take "$user" user.crt
    take "$user" user.key
    ;;
  scram)
    printf SASL_SSL >"$work/protocol"
    printf SCRAM-SHA-512 >"$work/sasl.mechanism"
    printf %s "$user" >"$work/user"
    take "$user" password
    ;;
  *) usage >&2 && exit 2 ;;
esac

kubectl create secret generic "$secret" --namespace "$namespace" --from-file="$work" --dry-run=client -o yaml |
  kubectl apply --server-side --force-conflicts --field-manager event-ingest -f -
