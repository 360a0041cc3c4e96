{{/* What the schema can't say, or not in words that help: each failure names the value and the cure. */}}
{{- define "idp-operator.validate" -}}
{{- $replicas := .Values.replicaCount | int }}
{{- if and (gt $replicas 1) (not .Values.leaderElection.enabled) }}
{{- fail (printf "replicaCount is %d: more than 1 needs leaderElection.enabled=true" $replicas) }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled }}
{{- fail "serviceMonitor.enabled and podMonitor.enabled must not both be true: the same pods would be scraped twice" }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled (not .Values.service.enabled) }}
{{- fail "serviceMonitor.enabled needs service.enabled=true; or use podMonitor.enabled, which needs no Service" }}
{{- end }}
{{- range $monitor := list "serviceMonitor" "podMonitor" }}
{{- $of := get $.Values $monitor }}
{{- $interval := include "idp-operator.milliseconds" $of.interval | int }}
{{- if and $of.interval (gt (include "idp-operator.milliseconds" $of.scrapeTimeout | int) $interval) }}
{{- fail (printf "%s.scrapeTimeout must be at most interval (%s), but is %s" $monitor $of.interval $of.scrapeTimeout) }}
{{- end }}
{{- end }}
{{- $root := dict "Values" (omit $.Values "commonLabels") "Chart" $.Chart "Release" $.Release }}
{{- range $name, $_ := include "idp-operator.labels" $root | fromYaml }}
{{- if hasKey $.Values.commonLabels $name }}
{{- fail (printf "commonLabels must not hold %s: the chart sets it" $name) }}
{{- end }}
{{- end }}
{{- range $name, $_ := include "idp-operator.selectorLabels" . | fromYaml }}
{{- if hasKey $.Values.podLabels $name }}
{{- fail (printf "podLabels must not hold %s: the chart sets it, and selects the pods by it" $name) }}
{{- end }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if eq .name "POD_NAME" }}
{{- fail "extraEnv must not hold POD_NAME: the chart sets it" }}
{{- end }}
{{- end }}
{{- include "idp-operator.validateLogLevel" .Values.logLevel }}
{{- include "idp-operator.validateNetworks" (list "allowCidrs" .Values.allowCidrs) }}
{{- include "idp-operator.validateNetworks" (list "denyCidrs" .Values.denyCidrs) }}
{{- with .Values.networkPolicy }}
{{- include "idp-operator.validatePeers" (list "networkPolicy.metricsFrom" .metricsFrom) }}
{{- include "idp-operator.validatePeers" (list "networkPolicy.dns.to" .dns.to) }}
{{- include "idp-operator.validatePeers" (list "networkPolicy.apiServer.to" .apiServer.to) }}
{{- include "idp-operator.validatePeers" (list "networkPolicy.keyEndpoints.to" .keyEndpoints.to) }}
{{- end }}
{{- end }}

{{/* A duration such as 1m30s, which the schema has judged. */}}
{{- define "idp-operator.milliseconds" -}}
{{- $sum := 0 }}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 }}
{{- range regexFindAll "[0-9]+[a-z]+" . -1 }}
{{- $sum = add $sum (mul (regexFind "[0-9]+" . | atoi) (get $units (regexFind "[a-z]+" .))) }}
{{- end }}
{{- $sum }}
{{- end }}

{{/* As the program does: a lone word that is no level would be taken for a target's name, and silence all others. */}}
{{- define "idp-operator.validateLogLevel" -}}
{{- $level := "(?i:off|error|warn|info|debug|trace)" }}
{{- $directive := printf "^(%s|[^=\\s]+=%s|\\S*\\[\\S*\\])$" $level $level }}
{{- range splitList "," . }}
{{- if not (regexMatch $directive .) }}
{{- fail (printf "logLevel must be off, error, warn, info, debug, trace, or such as info,kube=debug, but has %q" .) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Takes a name and peers. */}}
{{- define "idp-operator.validatePeers" -}}
{{- $name := first . }}
{{- range $index, $peer := last . }}
{{- with $peer.ipBlock }}
{{- include "idp-operator.validateNetworks" (list (printf "%s[%d].ipBlock.cidr" $name $index) (list .cidr)) }}
{{- include "idp-operator.validateNetworks" (list (printf "%s[%d].ipBlock.except" $name $index) .except) }}
{{- end }}
{{- if and $peer.ipBlock (or (hasKey $peer "podSelector") (hasKey $peer "namespaceSelector")) }}
{{- fail (printf "%s[%d] must have either ipBlock, or podSelector and namespaceSelector" $name $index) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Takes a name and CIDRs. IPv6 addresses are as RFC 4291, section 2.2, has them. */}}
{{- define "idp-operator.validateNetworks" -}}
{{- $octet := "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])" }}
{{- $v4 := printf "(%s[.]){3}%s" $octet $octet }}
{{- $groups := "[0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{1,4})*" }}
{{- $name := first . }}
{{- range last . }}
{{- $is_network := regexMatch (printf "^%s/(3[0-2]|[12]?[0-9])$" $v4) . }}
{{- if regexMatch "^[^/]*:[^/]*/(12[0-8]|1[01][0-9]|[1-9]?[0-9])$" . }}
{{- $address := regexReplaceAll (printf ":%s$" $v4) (first (splitList "/" .)) ":0:0" }}
{{- $sides := splitList "::" $address }}
{{- $count := len (regexFindAll "[^:]+" $address -1) }}
{{- $is_network = or (and (eq (len $sides) 1) (eq $count 8)) (and (eq (len $sides) 2) (le $count 7)) }}
{{- range $sides }}
{{- $is_network = and $is_network (regexMatch (printf "^(%s)?$" $groups) .) }}
{{- end }}
{{- end }}
{{- if not $is_network }}
{{- fail (printf "%s must be a network such as 10.0.0.0/8 or fd00::/8, but has %q" $name .) }}
{{- end }}
{{- end }}
{{- end }}
