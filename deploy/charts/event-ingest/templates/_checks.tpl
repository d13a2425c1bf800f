{{/* What no schema can say: settings that would lose events or cannot work together. */}}
{{- define "event-ingest.checks" -}}
{{- $retries := .Values.retries -}}
{{- $outlasts := div (mul $retries.delaySeconds $retries.count (add1 $retries.count)) 2 -}}
{{- if lt $outlasts 3600 -}}
  {{- fail (printf "retries: %d tries with %d s outlast %d s; an outage of an hour (3600 s) has to be outlasted" (int $retries.count) (int $retries.delaySeconds) $outlasts) -}}
{{- end -}}
{{- range $name := list "lightWorker" "sparkLauncher" -}}
  {{- $service := index $.Values $name -}}
  {{- if not (and (lt (int $service.requestTimeoutSeconds) (int $service.deliveryTimeoutSeconds)) (lt (int $service.deliveryTimeoutSeconds) (int $service.timeoutSeconds))) -}}
    {{- fail (printf "%s: requestTimeoutSeconds, deliveryTimeoutSeconds and timeoutSeconds have to grow in this order" $name) -}}
  {{- end -}}
{{- end -}}
{{- with .Values.lightWorker -}}
  {{- if gt (int .scale.target) (add (int .requestConcurrency) (int .requestQueue)) -}}
    {{- fail "lightWorker.scale.target: an instance takes requestConcurrency + requestQueue requests; others are answered 429" -}}
  {{- end -}}
  {{- if gt (int .scale.min) (int .scale.max) -}}
    {{- fail "lightWorker.scale: min is above max" -}}
  {{- end -}}
  {{- if and .quarantine.toBroker (eq .delivery "direct") -}}
    {{- fail "lightWorker.quarantine.toBroker: there is no Broker with delivery direct; give quarantine.topic" -}}
  {{- end -}}
  {{- if and .resultsTopic (ne .delivery "direct") -}}
    {{- fail "lightWorker.resultsTopic: only with delivery direct; a KafkaSource drops answers, a Broker takes them itself" -}}
  {{- end -}}
{{- end -}}
{{- with .Values.dispatcher -}}
  {{- if and .keda.enabled .notify.enabled (lt (int .keda.minReplicas) 1) -}}
    {{- fail "dispatcher.keda.minReplicas: 1 at least with dispatcher.notify: nobody listens at zero" -}}
  {{- end -}}
  {{- if and .keda.enabled (ne $.Values.kafka.security "none") (not .keda.authenticationRef) -}}
    {{- fail "dispatcher.keda.authenticationRef: Kafka is secured, so KEDA needs a TriggerAuthentication" -}}
  {{- end -}}
{{- end -}}
{{- if and (eq .Values.sparkLauncher.backend "inline") (eq .Values.sparkLauncher.scan "cronJob") -}}
  {{- fail "sparkLauncher.scan: with backend inline attempts end with their process; choose minScale" -}}
{{- end -}}
{{- if gt (int .Values.topics.minInsyncReplicas) (int .Values.topics.replicas) -}}
  {{- fail "topics.minInsyncReplicas: more than topics.replicas can never be in sync" -}}
{{- end -}}
{{- end }}
