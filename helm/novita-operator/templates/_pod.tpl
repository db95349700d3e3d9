{{- define "novita-operator.pod" -}}
metadata:
  labels:
    {{- mustMergeOverwrite (dict) (.Values.commonLabels | default dict) (.Values.podLabels | default dict) (include "novita-operator.labels" . | fromYaml) | toYaml | nindent 4 }}
  {{- with mustMergeOverwrite (dict) (.Values.commonAnnotations | default dict) (.Values.podAnnotations | default dict) }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "novita-operator.account" . | quote }}
  automountServiceAccountToken: true
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ max .Values.terminationGracePeriodSeconds (include "novita-operator.ending" .) }}
  {{- include "novita-operator.placement" . | nindent 2 }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- $ours := dict "matchLabels" (include "novita-operator.selector" $ | fromYaml) }}
    {{- range . }}
    - {{ hasKey . "labelSelector" | ternary . (set (deepCopy .) "labelSelector" $ours) | toYaml | nindent 6 | trim }}
    {{- end }}
  {{- end }}
  {{- with .Values.extraInitContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - {{ include "novita-operator.container" . | nindent 6 | trim }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    - name: key
      secret:
        secretName: {{ .Values.credentials.existingSecret | quote }}
        defaultMode: 0440
        items:
          - key: {{ .Values.credentials.key | quote }}
            path: key
    - name: tmp
      emptyDir:
        sizeLimit: 16Mi
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- /* Where the pods of this chart run, and as whom. */ -}}
{{- define "novita-operator.placement" -}}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- if not .Values.hostUsers }}
hostUsers: false
{{- end }}
{{- range $name := list "imagePullSecrets" "priorityClassName" "runtimeClassName" "nodeSelector" "tolerations" "affinity" }}
{{- with get $.Values $name }}
{{ dict $name . | toYaml }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "novita-operator.container" -}}
name: operator
image: {{ include "novita-operator.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  - run
  {{- if .Values.leaderElection.enabled }}
  - --leader-elect
  {{- end }}
  - --log-level={{ .Values.log.level }}
  - --log-format={{ .Values.log.format }}
  {{- with .Values.extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
env:
  - name: NOVITA_API_KEY_FILE
    value: /run/secrets/novita/key
  - name: NOVITA_OPERATOR_NAMESPACE
    value: {{ include "novita-operator.namespace" . | quote }}
  {{- with include "novita-operator.watched" . | fromYamlArray }}
  - name: NOVITA_OPERATOR_WATCH_NAMESPACES
    value: {{ join "," . | quote }}
  {{- end }}
  {{- with .Values.clusterId }}
  - name: NOVITA_OPERATOR_CLUSTER_ID
    value: {{ quote . }}
  {{- end }}
  {{- range $name, $value := .Values.settings }}
  - name: {{ $name }}
    value: {{ $value | toString | quote }}
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: http
    containerPort: 8080
{{- range $name := list "livenessProbe" "readinessProbe" "startupProbe" "resources" "securityContext" }}
{{- with get $.Values $name }}
{{ dict $name . | toYaml }}
{{- end }}
{{- end }}
volumeMounts:
  # The whole volume: a single file of it would never change.
  - name: key
    mountPath: /run/secrets/novita
    readOnly: true
  - name: tmp
    mountPath: /tmp
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- /* The namespaces to work in, as a list; an empty one means all. */ -}}
{{- define "novita-operator.watched" -}}
{{- if eq .Values.scope "Namespace" -}}
{{- .Values.watchNamespaces | default (list (include "novita-operator.namespace" .)) | toYaml -}}
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{- /* Seconds that a launch under way may still take, and 20: see the operator's claim window. */ -}}
{{- define "novita-operator.ending" -}}
{{- $window := dig "NOVITA_OPERATOR_CLAIM_WINDOW" 60 (.Values.settings | default dict) | toString }}
{{- $unit := get (dict "ms" 0.001 "s" 1 "m" 60 "h" 3600 "" 1) (regexFind "[a-z]+$" $window) }}
{{- divf (mulf (regexFind "^[0-9.]+" $window) $unit) 3 | addf 20 | ceil }}
{{- end -}}
