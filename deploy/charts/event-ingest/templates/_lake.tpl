{{/* Variables that say which catalog, storage and ledger, and what may be touched. */}}
{{- define "event-ingest.catalogVariables" -}}
{{- $catalog := .Values.catalog -}}
- name: CATALOG_NAME
  value: {{ $catalog.name | quote }}
- name: STORE_NAME
  value: {{ $catalog.storeName | quote }}
{{- with $catalog.ledgerRoot }}
- name: LEDGER_ROOT
  value: {{ . | quote }}
{{- end }}
{{- with $catalog.heavyRoot }}
- name: HEAVY_ROOT
  value: {{ . | quote }}
{{- end }}
{{- range $name, $value := $catalog.properties }}
- name: ICEBERG_CATALOG__{{ $name | upper | replace "." "__" | replace "-" "_" }}
  value: {{ $value | quote }}
{{- end }}
{{- with $catalog.storeSecret }}
{{- if .name }}
- name: ICEBERG_CATALOG__S3__ACCESS_KEY_ID
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .accessKey }}
- name: ICEBERG_CATALOG__S3__SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .secretKey }}
{{- end }}
{{- end }}
- name: ALLOW_SOURCES
  value: {{ join "," $catalog.allowSources | quote }}
- name: ALLOW_TABLES
  value: {{ join "," $catalog.allowTables | quote }}
{{- end }}

{{/* The same for programs that may make tables. */}}
{{- define "event-ingest.lakeVariables" -}}
{{ include "event-ingest.catalogVariables" . }}
- name: CREATE_TABLES
  value: {{ .Values.catalog.createTables | quote }}
{{- end }}

{{/* What tables may own: not the launcher's. */}}
{{- define "event-ingest.ownVariables" -}}
{{- with .Values.catalog.ownSources }}
- name: OWN_SOURCES
  value: {{ join "," . | quote }}
{{- end }}
{{- end }}

{{- define "event-ingest.lakeSecrets" -}}
{{- with .Values.catalog.secretName }}
envFrom:
  - secretRef:
      name: {{ . }}
{{- end }}
{{- end }}
