{{/* What all names begin with. The longest is that of the metrics' Service, which is a DNS label. */}}
{{- define "tenantry.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{ .Values.fullnameOverride | default $full | trunc (sub 63 (len "-operator-metrics") | int) | trimSuffix "-" }}
{{- end }}

{{- define "tenantry.operator" -}}
{{ include "tenantry.fullname" . }}-operator
{{- end }}

{{- define "tenantry.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "tenantry.operator" .) }}
{{- end }}

{{/*
Labels and annotations, called with a dict: root; own and ownAnnotations, which the chart needs; labels and annotations, which the values have for this
object. Where several name a key the chart wins, then the value for the object, then the common one.
*/}}
{{- define "tenantry.marks" -}}
labels:
  {{- merge (dict) .own (.labels | default dict) (.root.Values.commonLabels | default dict) | toYaml | nindent 2 }}
{{- with merge (dict) (.ownAnnotations | default dict) (.annotations | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The metadata of an object, called with a dict as above; its name where it is not the operator's, and its namespace where it is in one. */}}
{{- define "tenantry.metadata" -}}
name: {{ .name | default (include "tenantry.operator" .root) }}
{{- with .namespace }}
namespace: {{ . }}
{{- end }}
{{ include "tenantry.marks" (set . "own" (merge (dict) (.own | default dict) (include "tenantry.labels" .root | fromYaml))) }}
{{- end }}

{{/* What tells this release's operators from all other pods. A Deployment's selector is immutable, so it never grows. */}}
{{- define "tenantry.selector" -}}
app.kubernetes.io/name: tenantry-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* What tells the pod of helm test from all other pods. */}}
{{- define "tenantry.checkSelector" -}}
app.kubernetes.io/name: tenantry-check
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/*
Where the pods of the release may go: DNS, the API server and the login authority. A policy is about the ports behind a Service, and OpenShift's DNS has 5353.
*/}}
{{- define "tenantry.egress" -}}
{{- $policy := .Values.networkPolicy -}}
- ports:
    {{- range $port := $policy.dnsPorts | default (list 53 5353) }}
    - {port: {{ $port }}, protocol: UDP}
    - {port: {{ $port }}, protocol: TCP}
    {{- end }}
- ports:
    {{- range concat $policy.egressPorts ($policy.apiServerPorts | default list) | uniq }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end }}

{{- define "tenantry.labels" -}}
{{ include "tenantry.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/*
The repository of an image, called with a list of its values and the root. A registry of both images stands in place of the one that the image's name begins
with.
*/}}
{{- define "tenantry.repository" -}}
{{- $image := index . 0 -}}
{{- $root := index . 1 -}}
{{- with $root.Values.imageRegistry -}}
{{ printf "%s/%s" . (regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" $image.repository "") }}
{{- else -}}
{{ $image.repository }}
{{- end -}}
{{- end }}

{{/* An image with its tag or digest, called with the same list. */}}
{{- define "tenantry.image" -}}
{{- $image := index . 0 -}}
{{- $root := index . 1 -}}
{{- $name := include "tenantry.repository" . -}}
{{- if $image.digest -}}
{{ $name }}@{{ $image.digest }}
{{- else -}}
{{ $name }}:{{ $image.tag | default $root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "tenantry.imagePullSecrets" -}}
{{- range .Values.imagePullSecrets }}
- name: {{ if kindIs "string" . }}{{ . }}{{ else }}{{ .name }}{{ end }}
{{- end }}
{{- end }}

{{/* Requests and limits. Numbers become text, as a large one is written with an exponent otherwise. */}}
{{- define "tenantry.resources" -}}
{{- range $kind, $amounts := . }}
{{ $kind }}:
  {{- range $name, $amount := $amounts }}
  {{ $name }}: {{ include "tenantry.text" $amount | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{/* A text as it is, and a number without an exponent. */}}
{{- define "tenantry.text" -}}
{{ kindIs "string" . | ternary . (toJson .) }}
{{- end }}

{{/* What the operator may do where its tenants are: the very rules that controller-gen makes of its code. */}}
{{- define "tenantry.rules" -}}
{{ toYaml (.Files.Get "files/role.yaml" | fromYaml).rules }}
{{- end }}

{{- define "tenantry.subjects" -}}
- kind: ServiceAccount
  name: {{ include "tenantry.serviceAccount" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{/* Nine tenths of a memory limit in bytes, so that the collector works harder before the kernel kills. */}}
{{- define "tenantry.memoryLimit" -}}
{{- $units := dict "" 1 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $text := include "tenantry.text" . -}}
{{- $unit := regexFind "[A-Za-z]*$" $text -}}
{{ mulf (trimSuffix $unit $text | float64) (get $units $unit) 0.9 | floor | printf "%.0f" }}
{{- end }}

{{/*
Alerts as the values have them, called with a dict of rules of files/alerts.yaml and the values of the PrometheusRule. A threshold is the number that the
expression ends in, before a parenthesis that may close there.
*/}}
{{- define "tenantry.alerts" -}}
{{- $values := .values }}
{{- range $rule := .rules }}
{{- $given := get $values.alerts .alert | default dict }}
{{- if ne (toString $given.enabled) "false" }}
{{- if hasKey $values.thresholds .alert }}
{{- $threshold := printf "${1} %s${2}" (get $values.thresholds .alert | toJson) }}
{{- $_ := set $rule "expr" (regexReplaceAll "([<>]) [0-9.]+([)]?)$" .expr $threshold) }}
{{- end }}
{{- with $given.for }}
{{- $_ := set $rule "for" . }}
{{- end }}
{{- $severity := $given.severity | default .labels.severity }}
{{- $_ := set $rule "labels" (merge (dict "severity" $severity) ($values.alertLabels | default dict)) }}
{{- with $values.runbookURL }}
{{- $_ := set $rule.annotations "runbook_url" (printf "%s%s" . (lower $rule.alert)) }}
{{- end }}
- {{ toYaml $rule | nindent 2 | trim }}
{{ end }}
{{- end }}
{{- end }}
