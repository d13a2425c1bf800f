{{/* A Knative Service, but for its container's own part. Arguments: root, component, values, min, max, annotations, env. */}}
{{- define "event-ingest.knativeService" -}}
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: {{ .values.name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "event-ingest.labels" . | nindent 4 }}
    # No address outside of the cluster.
    networking.knative.dev/visibility: cluster-local
spec:
  template:
    metadata:
      labels:
        {{- include "event-ingest.selector" . | nindent 8 }}
      annotations:
        autoscaling.knative.dev/class: kpa.autoscaling.knative.dev
        autoscaling.knative.dev/metric: concurrency
        autoscaling.knative.dev/target: {{ .values.scale.target | quote }}
        autoscaling.knative.dev/min-scale: {{ .min | quote }}
        autoscaling.knative.dev/max-scale: {{ .max | quote }}
        autoscaling.knative.dev/window: {{ .values.scale.window }}
        {{- with .annotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ .values.name }}
      {{- if not .token }}
      automountServiceAccountToken: false
      {{- end }}
      enableServiceLinks: false
      # No limit of Knative's: what an instance has no room for, it answers 429 itself.
      containerConcurrency: 0
      # Beyond the delivery's, which is beyond the request's. Also the grace of an instance that goes.
      timeoutSeconds: {{ .values.timeoutSeconds }}
      {{- include "event-ingest.pullSecrets" .root | nindent 6 }}
      containers:
        - name: {{ .component }}
          {{- .container | nindent 10 }}
          ports:
            - containerPort: 8080
          readinessProbe:
            httpGet:
              path: /readyz
            # With a period of its own: Knative's usual probe waits for a tenth of a second, and this one asks the catalog.
            periodSeconds: 5
            timeoutSeconds: 6
            failureThreshold: 3
          livenessProbe:
            httpGet:
              path: /livez
            periodSeconds: 10
            timeoutSeconds: 2
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          securityContext:
            {{- include "event-ingest.containerSecurity" .root | nindent 12 }}
          {{- with .mounts }}
          volumeMounts:
            {{- . | nindent 12 }}
          {{- end }}
      {{- with .volumes }}
      volumes:
        {{- . | nindent 8 }}
      {{- end }}
{{- end }}

{{/* Variables that bound an intake. */}}
{{- define "event-ingest.intakeVariables" -}}
- name: DEFAULT_TABLE
  value: {{ .root.Values.catalog.defaultTable }}
- name: REQUEST_TIMEOUT
  value: {{ .values.requestTimeoutSeconds }}s
{{- end }}
