{{/* Variables of drivers and executors, as NAME=VALUE separated by commas. */}}
{{- define "event-ingest.sparkVariables" -}}
{{- $properties := .Values.catalog.properties -}}
{{- $all := dict "PUBLISHER_URL" (include "event-ingest.publisher" .) "SPARK_CATALOG" .Values.catalog.name -}}
{{- with index $properties "s3.endpoint" }}{{ $_ := set $all "AWS_ENDPOINT_URL_S3" . }}{{ end -}}
{{- with index $properties "s3.region" }}{{ $_ := set $all "AWS_REGION" . }}{{ end -}}
{{- $pairs := list -}}
{{- range $name, $value := mergeOverwrite $all .Values.sparkLauncher.sparkEnv -}}
{{- $pairs = append $pairs (printf "%s=%s" $name $value) -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end }}

{{/* Keys of the object store for a driver or an executor: they are not in SPARK_ENV, which is no place for secrets. */}}
{{- define "event-ingest.sparkSecrets" -}}
{{- with .Values.catalog.storeSecret }}
{{- if .name }}
env:
  - name: AWS_ACCESS_KEY_ID
    valueFrom:
      secretKeyRef: {name: {{ .name }}, key: {{ .accessKey }}}
  - name: AWS_SECRET_ACCESS_KEY
    valueFrom:
      secretKeyRef: {name: {{ .name }}, key: {{ .secretKey }}}
{{- end }}
{{- end }}
{{- end }}

{{/*
The chart's part of a SparkApplication: the worker's catalog under the worker's name for it, by which a SQL catalog keys its
rows. How Spark reaches a SQL catalog holds a password: sparkLauncher.template says that.
*/}}
{{- define "event-ingest.sparkTemplate" -}}
{{- $properties := .Values.catalog.properties -}}
{{- $catalog := printf "spark.sql.catalog.%s" .Values.catalog.name -}}
{{- $rest := ne (get $properties "type") "sql" -}}
spec:
  sparkConf:
    spark.sql.extensions: org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions
    {{ $catalog }}: org.apache.iceberg.spark.SparkCatalog
    {{ $catalog }}.type: {{ $rest | ternary "rest" "jdbc" }}
    {{- if not $rest }}
    {{ $catalog }}.jdbc.schema-version: V1
    {{- end }}
    {{ $catalog }}.io-impl: org.apache.iceberg.aws.s3.S3FileIO
    {{- range $name := $rest | ternary (list "uri" "warehouse" "s3.endpoint" "s3.path-style-access") (list "warehouse" "s3.endpoint" "s3.path-style-access") }}
    {{- with get $properties $name }}
    {{ $catalog }}.{{ $name }}: {{ . | quote }}
    {{- end }}
    {{- end }}
    {{- with get $properties "s3.region" }}
    {{ $catalog }}.client.region: {{ . }}
    {{- end }}
  driver:
    # The Spark operator's chart makes it in each of its job namespaces.
    serviceAccount: spark-operator-spark
    {{- include "event-ingest.sparkSecrets" . | nindent 4 }}
  {{- with include "event-ingest.sparkSecrets" . | trim }}
  executor:
    {{- . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* With what the values say over it. */}}
{{- define "event-ingest.sparkTemplateMerged" -}}
{{- mergeOverwrite (include "event-ingest.sparkTemplate" . | fromYaml) (deepCopy .Values.sparkLauncher.template) | toYaml -}}
{{- end }}

{{/* Image, variables and secrets of the launcher, as service and as job. */}}
{{- define "event-ingest.sparkLauncherContainer" -}}
{{- $launcher := .Values.sparkLauncher -}}
image: {{ include "event-ingest.image" (dict "root" . "given" $launcher.image "name" "event-ingest-spark-launcher") }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- include "event-ingest.lakeSecrets" . | nindent 0 }}
env:
  - name: HEAVY_BACKEND
    value: {{ $launcher.backend }}
  - name: SCAN_INTERVAL
    value: {{ $launcher.scanInterval }}
  - name: MAX_ATTEMPTS
    value: {{ $launcher.maxAttempts | quote }}
  {{- include "event-ingest.intakeVariables" (dict "root" . "values" $launcher) | nindent 2 }}
  {{- include "event-ingest.lakeVariables" . | nindent 2 }}
  {{- if eq $launcher.backend "spark-operator" }}
  - name: SPARK_IMAGE
    value: {{ include "event-ingest.image" (dict "root" . "given" $launcher.sparkImage "name" "event-ingest-spark") }}
  - name: SPARK_TEMPLATE
    value: /etc/event-ingest/spark/template.yaml
  - name: SPARK_ENV
    value: {{ include "event-ingest.sparkVariables" . | quote }}
  {{- with $launcher.jobNamespace }}
  - name: SPARK_NAMESPACE
    value: {{ . }}
  {{- end }}
  {{- with $launcher.sparkEnvSecrets }}
  - name: SPARK_ENV_SECRETS
    value: {{ join "," . }}
  {{- end }}
  {{- end }}
  {{- include "event-ingest.variables" $launcher.extraEnv | nindent 2 }}
{{- end }}

{{- define "event-ingest.sparkLauncherMounts" -}}
{{- if eq .Values.sparkLauncher.backend "spark-operator" }}
- name: template
  mountPath: /etc/event-ingest/spark
  readOnly: true
{{- end }}
{{- end }}

{{- define "event-ingest.sparkLauncherVolumes" -}}
{{- if eq .Values.sparkLauncher.backend "spark-operator" }}
- name: template
  configMap:
    name: {{ .Values.sparkLauncher.name }}-template
{{- end }}
{{- end }}
