{{- define "novita-operator.extra" -}}
{{- range .Values.extraObjects }}
---
{{ tpl (kindIs "string" . | ternary . (toYaml .)) $ }}
{{- end }}
{{- end -}}

{{- /* Prints something if the API key is in the cluster, or comes with the release. */ -}}
{{- define "novita-operator.hasKey" -}}
{{- $namespace := include "novita-operator.namespace" . }}
{{- $secrets := list (lookup "v1" "Secret" $namespace .Values.credentials.existingSecret) }}
{{- range include "novita-operator.extra" . | splitList "\n---\n" }}
{{- $secrets = append $secrets (fromYaml .) }}
{{- end }}
{{- range $secrets }}
{{- $where := dig "metadata" "namespace" $.Release.Namespace . }}
{{- $isOurs := and (eq (get . "kind") "Secret") (eq (dig "metadata" "name" "" .) $.Values.credentials.existingSecret) (eq $where $namespace) }}
{{- if and $isOurs (or (hasKey (.data | default dict) $.Values.credentials.key) (hasKey (.stringData | default dict) $.Values.credentials.key)) }}true{{ end }}
{{- end }}
{{- end -}}
