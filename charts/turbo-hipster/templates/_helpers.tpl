{{- define "turbo-hipster.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 54 | trimSuffix "-" }}
{{- end }}

{{- /* Name of every object; at most 54 characters, so that -internal fits behind it. */}}
{{- define "turbo-hipster.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $full .Values.fullnameOverride | replace "." "-" | trunc 54 | trimSuffix "-" }}
{{- end }}

{{- define "turbo-hipster.selectorLabels" -}}
app.kubernetes.io/name: {{ include "turbo-hipster.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- /* Of every object but the definition, which other releases of the cluster have, too; the chart's own win over the user's. */}}
{{- define "turbo-hipster.labels" -}}
{{- $chart := printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- $own := dict "helm.sh/chart" $chart "app.kubernetes.io/version" .Chart.AppVersion "app.kubernetes.io/managed-by" .Release.Service }}
{{- toYaml (merge $own (include "turbo-hipster.selectorLabels" . | fromYaml) .Values.commonLabels) }}
{{- end }}

{{- define "turbo-hipster.serviceAccountName" -}}
{{- default (ternary (include "turbo-hipster.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "turbo-hipster.image" -}}
{{- include "turbo-hipster.imageName" (list . .Values.image) }}
{{- end }}

{{- /* Takes a list: the root, and values such as `image`. */}}
{{- define "turbo-hipster.imageName" -}}
{{- with index . 1 }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (default (index $ 0).Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "turbo-hipster.gearmandName" -}}
{{- include "turbo-hipster.fullname" . }}-gearmand
{{- end }}

{{- /* What selects the operator's pods must not select these. */}}
{{- define "turbo-hipster.gearmandLabels" -}}
app.kubernetes.io/name: {{ include "turbo-hipster.name" . }}-gearmand
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- /* HOST:PORT of a server that may have none. */}}
{{- define "turbo-hipster.gearmanAddress" -}}
{{- ternary . (printf "%s:4730" .) (regexMatch ":[0-9]+$" .) }}
{{- end }}

{{- /* Gearman servers: those of the configuration, and the chart's own behind them. A YAML list. */}}
{{- define "turbo-hipster.gearmanServers" -}}
{{- $servers := dig "gearman" "servers" list (deepCopy .Values.config) }}
{{- $addresses := list }}
{{- range $servers }}
{{- $address := include "turbo-hipster.gearmanAddress" . }}
{{- if has $address $addresses }}
{{- fail (printf "config.gearman.servers names %s twice; the port is 4730 where none stands. Leave one of the two out." $address) }}
{{- end }}
{{- $addresses = append $addresses $address }}
{{- end }}
{{- $own := printf "%s.%s.svc:4730" (include "turbo-hipster.gearmandName" .) .Release.Namespace }}
{{- if and .Values.gearmand.enabled (not (has $own $addresses)) }}
{{- $servers = append $servers $own }}
{{- end }}
{{- toYaml $servers }}
{{- end }}

{{- /* The operator's configuration: the config block, and what only the release knows. */}}
{{- define "turbo-hipster.config" -}}
{{- $config := deepCopy .Values.config }}
{{- $servers := include "turbo-hipster.gearmanServers" . | fromYamlArray }}
{{- if not $servers }}
{{- fail "config.gearman.servers is empty. Name the Gearman server that Zuul uses, for example: --set 'config.gearman.servers={zuul.example.org:4730}'. For a trial without one there is --set gearmand.enabled=true" }}
{{- end }}
{{- $_ := set $config "gearman" (merge (dict "servers" $servers) (default dict $config.gearman)) }}
{{- if not $config.installation }}
{{- if or (gt (len .Release.Name) 40) (contains "." .Release.Name) }}
{{- fail (printf "the release's name %q cannot name the installation, which has at most 40 lower-case letters, digits and dashes. Set config.installation, or choose another name." .Release.Name) }}
{{- end }}
{{- $_ := set $config "installation" .Release.Name }}
{{- end }}
{{- $_ := set $config "namespaces" (default (list .Release.Namespace) $config.namespaces) }}
{{- if has "*" $config.namespaces }}
{{- if gt (len $config.namespaces) 1 }}
{{- fail "config.namespaces has \"*\", which is every namespace, beside others: leave \"*\" or the others out." }}
{{- end }}
{{- $_ := set $config "ownNamespace" (default .Release.Namespace $config.ownNamespace) }}
{{- end }}
{{- $_ := set $config "image" (default (include "turbo-hipster.image" .) $config.image) }}
{{- with include "turbo-hipster.publicUrl" . }}
{{- $_ := set $config "publicUrl" . }}
{{- end }}
{{- $_ := set $config "internalUrl" (default (printf "http://%s-internal.%s.svc:%s" (include "turbo-hipster.fullname" .) .Release.Namespace (include "turbo-hipster.port" (list . "internal"))) $config.internalUrl) }}
{{- $_ := set $config "logs" (include "turbo-hipster.logs" . | fromYaml) }}
{{- $port := include "turbo-hipster.port" (list . "internal") }}
{{- if eq $port (include "turbo-hipster.port" (list . "public")) }}
{{- fail (printf "config.http.public and config.http.internal both have the port %s. Give one of them another, such as 8081 for the internal one." $port) }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{- /* Where the Leases are, and the names of functions. */}}
{{- define "turbo-hipster.ownNamespace" -}}
{{- $config := include "turbo-hipster.config" . | fromYaml }}
{{- default (first $config.namespaces) $config.ownNamespace }}
{{- end }}

{{- /* What reviewers get as link: as configured, or where the Ingress has the pages. A Gateway's listener tells nobody here whether it speaks TLS. */}}
{{- define "turbo-hipster.publicUrl" -}}
{{- if .Values.config.publicUrl }}
{{- .Values.config.publicUrl }}
{{- else if .Values.ingress.enabled }}
{{- if hasPrefix "*" .Values.ingress.host }}{{ fail "ingress.host is a wildcard, which is no address to link to: set config.publicUrl" }}{{ end }}
{{- printf "%s://%s" (ternary "https" "http" .Values.ingress.tls.enabled) .Values.ingress.host }}
{{- end }}
{{- end }}

{{- /*
Constraints for the operator's pods; one without a selector means these pods. A claim of one node keeps them together, so that no constraint can
keep them apart.
*/}}
{{- define "turbo-hipster.spread" -}}
{{- $constraints := list }}
{{- range .Values.topologySpreadConstraints }}
{{- $isHard := ne (default "DoNotSchedule" .whenUnsatisfiable) "ScheduleAnyway" }}
{{- if and $isHard (include "turbo-hipster.isOneNode" $) (gt (int64 $.Values.replicas) 1) }}
{{- fail (printf "topologySpreadConstraints would keep replicas apart by %s, and their claim (persistence.accessMode ReadWriteOnce) is mounted on one node: they would wait for ever. Set persistence.accessMode to ReadWriteMany, config.logs.store to s3, or whenUnsatisfiable to ScheduleAnyway." .topologyKey) }}
{{- end }}
{{- $selector := dict "matchLabels" (include "turbo-hipster.selectorLabels" $ | fromYaml) }}
{{- $constraints = append $constraints (ternary . (set (deepCopy .) "labelSelector" $selector) (hasKey . "labelSelector")) }}
{{- end }}
{{- toYaml $constraints }}
{{- end }}

{{- /*
config.logs, and where it says nothing a directory of the claim. A claim that is full takes no more logs: by itself, builds are removed before
that, from nine tenths of a size in Gi on.
*/}}
{{- define "turbo-hipster.logs" -}}
{{- $logs := deepCopy (default dict .Values.config.logs) }}
{{- if not $logs.store }}
{{- $_ := set $logs "store" "files" }}
{{- end }}
{{- if and (eq $logs.store "s3") (not $logs.bucket) }}
{{- fail "config.logs.store is s3 and config.logs.bucket names no bucket. Name the one that logs go to, for example: --set config.logs.bucket=ci-logs" }}
{{- end }}
{{- if and $logs.directory (ne $logs.store "files") }}
{{- fail (printf "config.logs.directory is of config.logs.store files alone, and that is %s. Leave the directory out." $logs.store) }}
{{- end }}
{{- range list "bucket" "prefix" "endpoint" "region" "pathStyle" "caFile" "credentialsDirectory" }}
{{- if and (hasKey $logs .) (ne $logs.store "s3") }}
{{- fail (printf "config.logs.%s is of config.logs.store s3 alone, and that is %s. Set config.logs.store to s3, or leave the field out." . $logs.store) }}
{{- end }}
{{- end }}
{{- if eq $logs.store "files" }}
{{- $_ := set $logs "directory" (default "/var/lib/turbo-hipster" $logs.directory) }}
{{- $retention := default dict $logs.retention }}
{{- if and (not $retention.size) (not .Values.persistence.existingClaim) (regexMatch "^[0-9]+Gi$" .Values.persistence.size) }}
{{- $_ := set $retention "size" (printf "%dMi" (div (mul (trimSuffix "Gi" .Values.persistence.size | int64) 9216) 10)) }}
{{- $_ := set $logs "retention" $retention }}
{{- end }}
{{- end }}
{{- toYaml $logs }}
{{- end }}

{{- /* Whether only pods of one node can have the claim. */}}
{{- define "turbo-hipster.isOneNode" -}}
{{- $logs := include "turbo-hipster.logs" . | fromYaml }}
{{- if and (eq $logs.store "files") (eq .Values.persistence.accessMode "ReadWriteOnce") }}true{{ end }}
{{- end }}

{{- /*
The user's affinity, or the chart's. Where the claim can only be mounted on one node, the rule that keeps replicas there goes with either: without it
an operator that comes to another node waits for the claim for ever, also in an upgrade of a single one.
*/}}
{{- define "turbo-hipster.affinity" -}}
{{- $selector := dict "matchLabels" (include "turbo-hipster.selectorLabels" . | fromYaml) }}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" $selector }}
{{- $affinity := deepCopy .Values.affinity }}
{{- if include "turbo-hipster.isOneNode" . }}
{{- range dig "podAntiAffinity" "requiredDuringSchedulingIgnoredDuringExecution" list $affinity }}
{{- if eq (dig "labelSelector" dict . | toJson) (toJson $selector) }}
{{- fail (printf "affinity would keep replicas apart by %s, and their claim (persistence.accessMode ReadWriteOnce) is mounted on one node: they would wait for ever. Set persistence.accessMode to ReadWriteMany, or config.logs.store to s3." .topologyKey) }}
{{- end }}
{{- end }}
{{- $required := append (dig "podAffinity" "requiredDuringSchedulingIgnoredDuringExecution" list $affinity) $term }}
{{- $together := set (dig "podAffinity" dict $affinity) "requiredDuringSchedulingIgnoredDuringExecution" $required }}
{{- $_ := set $affinity "podAffinity" $together }}
{{- else if and (not $affinity) (gt (int64 .Values.replicas) 1) }}
{{- $preferred := list (dict "weight" 100 "podAffinityTerm" $term) }}
{{- $_ := set $affinity "podAntiAffinity" (dict "preferredDuringSchedulingIgnoredDuringExecution" $preferred) }}
{{- end }}
{{- with $affinity }}{{ toYaml . }}{{ end }}
{{- end }}

{{- /* The port that the operator listens on, "public" or "internal". Takes a list: the root, the name. */}}
{{- define "turbo-hipster.port" -}}
{{- $face := index . 1 }}
{{- $defaults := dict "public" "0.0.0.0:8080" "internal" "0.0.0.0:8081" }}
{{- $listen := dig "http" $face (get $defaults $face) (deepCopy (index . 0).Values.config) }}
{{- $port := regexFind "[0-9]+$" $listen }}
{{- if or (regexMatch "^(127\\.|localhost:|\\[::1\\])" $listen) (eq (int $port) 0) }}
{{- fail (printf "config.http.%s is %q, which neither the kubelet's probes nor a Service can reach. Give it an address and a fixed port, such as %s." $face $listen (get $defaults $face)) }}
{{- end }}
{{- $port }}
{{- end }}

{{- /* Seconds of a duration such as 90s, 1h30m, 1.5h or 250ms, rounded up. */}}
{{- define "turbo-hipster.seconds" -}}
{{- $units := dict "h" 3600 "m" 60 "s" 1 "ms" 0.001 }}
{{- $seconds := 0.0 }}
{{- range regexFindAll "[0-9.]+(ms|h|m|s)" . -1 }}
{{- $seconds = addf $seconds (mulf (regexFind "^[0-9.]+" .) (get $units (regexFind "[a-z]+$" .))) }}
{{- end }}
{{- ceil $seconds | int64 }}
{{- end }}

{{- /* How long, when it is stopped, an operator may answer for its builds. */}}
{{- define "turbo-hipster.drainSeconds" -}}
{{- include "turbo-hipster.seconds" (default "1h" .Values.config.drain) }}
{{- end }}

{{- /* 0 is a value, too. */}}
{{- define "turbo-hipster.graceSeconds" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds }}
{{- include "turbo-hipster.drainSeconds" . | int64 | add 60 }}
{{- else }}
{{- int64 .Values.terminationGracePeriodSeconds }}
{{- end }}
{{- end }}

{{- /*
The ports of TCP that builds may reach, as ranges of a NetworkPolicy: all but those of the Gearman servers, wherever these are, and those that are
closed by hand.
*/}}
{{- define "turbo-hipster.openPorts" -}}
{{- $closed := list }}
{{- range .Values.networkPolicy.builds.closedPorts }}
{{- $closed = append $closed (printf "%05d" (int .)) }}
{{- end }}
{{- range include "turbo-hipster.gearmanServers" . | fromYamlArray }}
{{- $closed = append $closed (printf "%05d" (regexFind "[0-9]+$" (include "turbo-hipster.gearmanAddress" .) | atoi)) }}
{{- end }}
{{- $ranges := list }}
{{- $from := 1 }}
{{- range append (sortAlpha (uniq $closed)) "65536" }}
{{- $port := atoi . }}
{{- if lt $from $port }}
{{- $ranges = append $ranges (dict "protocol" "TCP" "port" $from "endPort" (sub $port 1)) }}
{{- end }}
{{- $from = add1 $port | int }}
{{- end }}
{{- toYaml $ranges }}
{{- end }}
