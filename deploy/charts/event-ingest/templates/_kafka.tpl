{{/* Variables by which a program reaches Kafka. */}}
{{- define "event-ingest.kafkaVariables" -}}
{{- $kafka := .Values.kafka -}}
- name: KAFKA_BOOTSTRAP_SERVERS
  value: {{ $kafka.bootstrapServers | quote }}
{{- range $name, $value := $kafka.properties }}
- name: KAFKA_{{ $name | upper | replace "." "_" }}
  value: {{ $value | quote }}
{{- end }}
{{- if ne $kafka.security "none" }}
- name: KAFKA_SECURITY_PROTOCOL
  value: {{ eq $kafka.security "scram" | ternary "SASL_SSL" "SSL" }}
- name: KAFKA_SSL_CA_LOCATION
  value: /etc/kafka-auth/ca.crt
{{- end }}
{{- if eq $kafka.security "mtls" }}
- name: KAFKA_SSL_CERTIFICATE_LOCATION
  value: /etc/kafka-auth/user.crt
- name: KAFKA_SSL_KEY_LOCATION
  value: /etc/kafka-auth/user.key
{{- end }}
{{- if eq $kafka.security "scram" }}
- name: KAFKA_SASL_MECHANISM
  value: SCRAM-SHA-512
- name: KAFKA_SASL_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ $kafka.secretName }}
      key: user
- name: KAFKA_SASL_PASSWORD_FILE
  value: /etc/kafka-auth/password
{{- end }}
{{- end }}

{{- define "event-ingest.kafkaMounts" -}}
{{- if ne .Values.kafka.security "none" }}
- name: kafka-auth
  mountPath: /etc/kafka-auth
  readOnly: true
{{- end }}
{{- end }}

{{- define "event-ingest.kafkaVolumes" -}}
{{- if ne .Values.kafka.security "none" }}
- name: kafka-auth
  secret:
    secretName: {{ .Values.kafka.secretName }}
{{- end }}
{{- end }}

{{/* A key of the Secret. Arguments: root, key. */}}
{{- define "event-ingest.kafkaKey" -}}
secretKeyRef:
  name: {{ .root.Values.kafka.secretName }}
  key: {{ .key }}
{{- end }}

{{/* `net` of a KafkaSource. */}}
{{- define "event-ingest.sourceNet" -}}
{{- $security := .Values.kafka.security -}}
{{- if ne $security "none" }}
net:
  tls:
    enable: true
    caCert:
      {{- include "event-ingest.kafkaKey" (dict "root" . "key" "ca.crt") | nindent 6 }}
    {{- if eq $security "mtls" }}
    cert:
      {{- include "event-ingest.kafkaKey" (dict "root" . "key" "user.crt") | nindent 6 }}
    key:
      {{- include "event-ingest.kafkaKey" (dict "root" . "key" "user.key") | nindent 6 }}
    {{- end }}
  {{- if eq $security "scram" }}
  sasl:
    enable: true
    type:
      {{- include "event-ingest.kafkaKey" (dict "root" . "key" "sasl.mechanism") | nindent 6 }}
    user:
      {{- include "event-ingest.kafkaKey" (dict "root" . "key" "user") | nindent 6 }}
    password:
      {{- include "event-ingest.kafkaKey" (dict "root" . "key" "password") | nindent 6 }}
  {{- end }}
{{- end }}
{{- end }}

{{/*
A KafkaSource. It begins at the earliest record, waits for no other one, tries for longer than an hour, and then hands
over to the dead letters. Arguments: root, component, name, topic, group, consumers, timeout (seconds), sink.
*/}}
{{- define "event-ingest.source" -}}
apiVersion: sources.knative.dev/v1
kind: KafkaSource
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "event-ingest.labels" . | nindent 4 }}
spec:
  bootstrapServers:
    {{- range splitList "," .root.Values.kafka.bootstrapServers }}
    - {{ . }}
    {{- end }}
  topics: [{{ .topic }}]
  consumerGroup: {{ .group }}
  consumers: {{ .consumers }}
  initialOffset: earliest
  ordering: unordered
  {{- include "event-ingest.sourceNet" .root | nindent 2 }}
  delivery:
    {{- include "event-ingest.delivery" . | nindent 4 }}
  sink:
    ref:
      {{- toYaml .sink | nindent 6 }}
{{- end }}

{{/* Tries and dead letters of a source or a Trigger. Arguments: root, timeout (seconds). */}}
{{- define "event-ingest.delivery" -}}
retry: {{ .root.Values.retries.count }}
backoffPolicy: linear
backoffDelay: PT{{ .root.Values.retries.delaySeconds }}S
timeout: PT{{ .timeout }}S
deadLetterSink:
  ref:
    apiVersion: eventing.knative.dev/v1alpha1
    kind: KafkaSink
    name: {{ .root.Values.topics.deadLetter.name }}
{{- end }}
