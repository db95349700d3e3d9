{{- /* What one value alone cannot say wrong, two can. */ -}}
{{- define "novita-operator.checks" -}}
{{- if and (eq .Values.scope "Namespace") (not .Values.clusterId) }}
{{- fail "scope Namespace needs clusterId, since no Role reads the UID of the namespace kube-system: set it to what `kubectl get namespace kube-system -o jsonpath={.metadata.uid}` prints" }}
{{- end }}
{{- if and (eq .Values.scope "Cluster") .Values.watchNamespaces }}
{{- fail "watchNamespaces is for scope Namespace: set scope to Namespace, or leave watchNamespaces empty" }}
{{- end }}
{{- if and (not .Values.leaderElection.enabled) (gt (int .Values.replicaCount) 1) }}
{{- fail "without leaderElection.enabled only one operator may run: set replicaCount to 1" }}
{{- end }}
{{- if and .Values.rbac.create (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) }}
{{- fail "without serviceAccount.create the operator's rights would go to the account `default`, and so to every pod of the namespace: set serviceAccount.name to an account of the operator's own" }}
{{- end }}
{{- end -}}

{{- /* Takes a dict: root, values (of one monitor), kind. Prints something if the object is to be made. */ -}}
{{- define "novita-operator.isMonitored" -}}
{{- if .values.enabled -}}
{{- $known := .root.Capabilities.APIVersions.Has "monitoring.coreos.com/v1" -}}
{{- if and (not $known) (eq .values.renderMode "failIfMissing") -}}
{{- fail (printf "the cluster has no %s (monitoring.coreos.com/v1): install the Prometheus operator's CRDs first, or set renderMode to skipIfMissing" .kind) -}}
{{- end -}}
{{- if or $known (eq .values.renderMode "alwaysRender") -}}true{{- end -}}
{{- end -}}
{{- end -}}
