{{/* Image, variables and secrets of the light worker, wherever it runs. */}}
{{- define "event-ingest.lightWorkerContainer" -}}
{{- $worker := .Values.lightWorker -}}
image: {{ include "event-ingest.image" (dict "root" . "given" $worker.image "name" "event-ingest-light-worker") }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- include "event-ingest.lakeSecrets" . | nindent 0 }}
env:
  # glibc keeps a heap for each thread otherwise: docs/operating.md.
  - name: MALLOC_ARENA_MAX
    value: "1"
  - name: REQUEST_SOURCE
    value: {{ eq $worker.delivery "direct" | ternary "both" "http" }}
  {{- include "event-ingest.intakeVariables" (dict "root" . "values" $worker) | nindent 2 }}
  - name: REQUEST_CONCURRENCY
    value: {{ $worker.requestConcurrency | quote }}
  - name: REQUEST_QUEUE
    value: {{ $worker.requestQueue | quote }}
  - name: CONCURRENT_WRITES
    value: {{ $worker.concurrentWrites | quote }}
  {{- include "event-ingest.lakeVariables" . | nindent 2 }}
  {{- include "event-ingest.ownVariables" . | nindent 2 }}
  {{- if eq $worker.delivery "direct" }}
  - name: LISTEN
    value: 0.0.0.0:8080
  - name: LIGHT_TOPIC
    value: {{ .Values.topics.light.name }}
  - name: LIGHT_GROUP
    value: {{ $worker.group }}
  - name: DEAD_LETTER_TOPIC
    value: {{ .Values.topics.deadLetter.name }}
  {{- with $worker.resultsTopic }}
  - name: RESULTS_TOPIC
    value: {{ . }}
  {{- end }}
  {{- end }}
  {{- with $worker.quarantine.topic }}
  - name: QUARANTINE_TOPIC
    value: {{ . }}
  {{- end }}
  {{- if include "event-ingest.lightWorkerSpeaksKafka" . }}
  {{- include "event-ingest.kafkaVariables" . | nindent 2 }}
  {{- end }}
  {{- include "event-ingest.variables" $worker.extraEnv | nindent 2 }}
{{- end }}

{{/* Whether the light worker itself speaks to Kafka. */}}
{{- define "event-ingest.lightWorkerSpeaksKafka" -}}
{{- if or (eq .Values.lightWorker.delivery "direct") .Values.lightWorker.quarantine.topic -}}yes{{- end -}}
{{- end }}
