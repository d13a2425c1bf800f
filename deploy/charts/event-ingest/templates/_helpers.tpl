{{/* Labels of an object. Arguments: root, component. */}}
{{- define "event-ingest.labels" -}}
{{ include "event-ingest.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* Labels that choose the pods of a component, and never change: a new chart alone restarts nothing. */}}
{{- define "event-ingest.selector" -}}
app.kubernetes.io/name: event-ingest
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Name of an image. Arguments: root, given (the whole name, or nothing), name. */}}
{{- define "event-ingest.image" -}}
{{- $image := .root.Values.image -}}
{{- .given | default (printf "%s/%s:%s" $image.registry .name (default .root.Chart.AppVersion $image.tag)) -}}
{{- end }}

{{/* What every container has. */}}
{{- define "event-ingest.containerSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* Variables of a map: sorted by name. */}}
{{- define "event-ingest.variables" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "event-ingest.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Where pods of a Deployment or a job go. Arguments: root, component, values. */}}
{{- define "event-ingest.placement" -}}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .values.topologySpread }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "event-ingest.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Host of the service that publishes what Spark staged. */}}
{{- define "event-ingest.publisher" -}}
{{- $name := eq .Values.lightWorker.delivery "direct" | ternary (include "event-ingest.directName" .) .Values.lightWorker.name -}}
{{- printf "http://%s.%s.svc.cluster.local" $name .Release.Namespace -}}
{{- end }}

{{/* Not the Knative Service's name: Knative makes a Service of that, and one may be changed into the other. */}}
{{- define "event-ingest.directName" -}}
{{- .Values.lightWorker.name }}-direct
{{- end }}
