{{- define "novita-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{- define "novita-operator.fullname" -}}
{{- $name := include "novita-operator.name" . -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- default $full .Values.fullnameOverride | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{- define "novita-operator.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "novita-operator.account" -}}
{{- default (.Values.serviceAccount.create | ternary (include "novita-operator.fullname" .) "default") .Values.serviceAccount.name -}}
{{- end -}}

{{- define "novita-operator.image" -}}
{{- with .Values.image -}}
{{- .registry }}/{{ .repository }}{{ with .digest }}@{{ . }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end -}}
{{- end -}}
{{- end -}}

{{- /* What Deployment and Service select by; it never changes. */ -}}
{{- define "novita-operator.selector" -}}
app.kubernetes.io/name: {{ include "novita-operator.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "novita-operator.labels" -}}
{{ include "novita-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: novita-gpu-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* Takes a dict: root; optional: name, namespace (`""` for none), labels, annotations. */ -}}
{{- define "novita-operator.metadata" -}}
name: {{ .name | default (include "novita-operator.fullname" .root) | quote }}
{{- with hasKey . "namespace" | ternary .namespace (include "novita-operator.namespace" .root) }}
namespace: {{ quote . }}
{{- end }}
labels:
  {{- mustMergeOverwrite (dict) (.root.Values.commonLabels | default dict) (include "novita-operator.labels" .root | fromYaml) (.labels | default dict) | toYaml | nindent 2 }}
{{- with mustMergeOverwrite (dict) (.root.Values.commonAnnotations | default dict) (.annotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
