{{- define "idp-operator.name" -}}
{{- /* Here, as each template comes here before it reads what is missing. */}}
{{- if not (hasKey .Values "admissionPolicies") }}
{{- fail "admissionPolicies is missing, as are other new values: use --reset-then-reuse-values, not --reuse-values" }}
{{- end }}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "idp-operator.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "idp-operator.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "idp-operator.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "idp-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "idp-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "idp-operator.labels" -}}
{{ include "idp-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* An object's own annotations, and the common ones. Takes the root and its own; empty where there are none. */}}
{{- define "idp-operator.annotations" -}}
{{- with merge (dict) (last . | default dict) (first .).Values.commonAnnotations }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{- define "idp-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "idp-operator.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- define "idp-operator.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{/* What the operator needs in each namespace that it watches. */}}
{{- define "idp-operator.rules" -}}
- apiGroups: [idp-operator.dev]
  resources: [identityproviders, tenantjwtsecrets, useridpauthenticators, strategyinstances]
  verbs: [list, watch]
# Where another pod knew a later spec.
- apiGroups: [idp-operator.dev]
  resources: [tenantjwtsecrets]
  verbs: [get]
# Status is written by server-side apply. Specs, labels and finalizers are never written.
- apiGroups: [idp-operator.dev]
  resources:
    - identityproviders/status
    - tenantjwtsecrets/status
    - useridpauthenticators/status
    - strategyinstances/status
  verbs: [patch]
# Outputs, and what specs refer to. Only metadata is watched, contents are read with a get. Nothing is deleted: outputs
# go with their owner.
- apiGroups: [""]
  resources: [secrets, configmaps]
  verbs: [get, list, watch, create, update]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{- define "idp-operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "idp-operator.serviceAccountName" . }}
  namespace: {{ .Release.Namespace | quote }}
{{- end }}

{{/* Labels and annotations of what other programs select: the common and its own. Takes the root and its values. */}}
{{- define "idp-operator.selectedMetadata" -}}
{{- $root := first . -}}
labels:
  {{- merge (include "idp-operator.labels" $root | fromYaml) (last .).labels | toYaml | nindent 2 }}
{{- with include "idp-operator.annotations" (list $root (last .).annotations) }}
annotations:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}

{{/* An endpoint of a ServiceMonitor or PodMonitor, but for the port. Takes the monitor's values. */}}
{{- define "idp-operator.scrape" -}}
path: /metrics
# The objects' own label namespace counts, not the pod's.
honorLabels: {{ .honorLabels }}
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
