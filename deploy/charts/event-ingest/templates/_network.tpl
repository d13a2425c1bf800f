{{/* A rule of ingress. Arguments: namespaces, tests (whether the pods of `helm test` too), port (all if not given). */}}
{{- define "event-ingest.from" -}}
{{- if or .namespaces .tests }}
- from:
    {{- range .namespaces }}
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: {{ . }}}
    {{- end }}
    {{- if .tests }}
    - podSelector:
        matchLabels: {app.kubernetes.io/component: tests}
    {{- end }}
  {{- with .port }}
  ports:
    - {port: {{ . }}}
  {{- end }}
{{- end }}
{{- end }}
