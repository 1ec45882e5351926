{{/* Names. A component is `features`, `scoring` or `topics`. */}}
{{- define "auscult.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* 52 characters leave room for `-features` and a StatefulSet's ordinal within a label's 63. */}}
{{- define "auscult.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" }}
{{- else if contains (include "auscult.name" .) .Release.Name }}
{{- .Release.Name | trunc 48 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "auscult.name" .) | trunc 48 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "auscult.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "auscult.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* What a selector holds: it can never change. Called with (dict "root" $ "component" …); without a component, all of the release. */}}
{{- define "auscult.selectorLabels" -}}
app.kubernetes.io/name: {{ include "auscult.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "auscult.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "auscult.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: auscult
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels of pods: nothing that changes with the chart's version alone, or every upgrade would make new pods. */}}
{{- define "auscult.podLabels" -}}
{{ include "auscult.selectorLabels" . }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The image of a component: by digest where there is one. */}}
{{- define "auscult.image" -}}
{{- $own := dict }}
{{- $isGpu := false }}
{{- if ne .component "topics" }}
{{- $own = (index .root.Values .component).image }}
{{- $isGpu = and (eq .component "scoring") .root.Values.scoring.gpu.enabled }}
{{- end }}
{{- $repository := default .root.Values.image.repository $own.repository }}
{{- /* A digest names one build: that of the CPU is none of the GPU's, and one of the common image none of another's. */}}
{{- $inherits := and (not $isGpu) (not $own.tag) (not $own.repository) }}
{{- $digest := default (ternary .root.Values.image.digest "" $inherits) $own.digest }}
{{- if $digest }}
{{- printf "%s@%s" $repository $digest }}
{{- else if $own.tag }}
{{- printf "%s:%s" $repository $own.tag }}
{{- else }}
{{- printf "%s:%s%s" $repository (default .root.Chart.AppVersion .root.Values.image.tag) (ternary "-cuda" "" $isGpu) }}
{{- end }}
{{- end }}

{{- define "auscult.pullPolicy" -}}
{{- $own := dict }}
{{- if ne .component "topics" }}{{ $own = (index .root.Values .component).image }}{{ end }}
{{- default .root.Values.image.pullPolicy $own.pullPolicy }}
{{- end }}

{{/* Whether the brokers are asked to prove who they are, and we to prove who we are. */}}
{{- define "auscult.usesTls" -}}
{{- if has .Values.kafka.security.protocol (list "tls" "sasl_tls") }}true{{ end }}
{{- end }}
{{- define "auscult.usesSasl" -}}
{{- if hasPrefix "sasl_" .Values.kafka.security.protocol }}true{{ end }}
{{- end }}
{{- define "auscult.usesToken" -}}
{{- if and (include "auscult.usesSasl" .) (eq .Values.kafka.security.sasl.mechanism "oauthbearer") }}true{{ end }}
{{- end }}

{{/* kafka.security of a configuration file: paths to what is mounted, never what stands in it. */}}
{{- define "auscult.security" -}}
{{- $security := .Values.kafka.security }}
{{- $out := dict "protocol" $security.protocol }}
{{- if include "auscult.usesTls" . }}
{{- $tls := dict "verify_hostname" $security.tls.verifyHostname }}
{{- if $security.tls.ca.name }}{{ $_ := set $tls "ca_file" "/etc/auscult/kafka-ca/ca.crt" }}{{ end }}
{{- if $security.tls.client.name }}
{{- $_ := set $tls "cert_file" "/etc/auscult/kafka-client/tls.crt" }}
{{- $_ := set $tls "key_file" "/etc/auscult/kafka-client/tls.key" }}
{{- end }}
{{- $_ := set $out "tls" $tls }}
{{- end }}
{{- if include "auscult.usesSasl" . }}
{{- $sasl := dict "mechanism" $security.sasl.mechanism }}
{{- if include "auscult.usesToken" . }}
{{- $_ := set $sasl "token_file" "/var/run/secrets/auscult/token" }}
{{- else }}
{{- $_ := set $sasl "password_file" "/etc/auscult/kafka-credentials/password" }}
{{- end }}
{{- $_ := set $out "sasl" $sasl }}
{{- end }}
{{- toYaml $out }}
{{- end }}

{{/* The configuration of a component, whole. Called with (dict "root" $ "component" …). */}}
{{- define "auscult.config" -}}
{{- $root := .root }}
{{- $config := deepCopy $root.Values.config }}
{{- if ne .component "topics" }}
{{- $config = mustMergeOverwrite $config (deepCopy (index $root.Values .component).config) }}
{{- end }}
{{- $kafka := default dict $config.kafka }}
{{- $_ := set $kafka "brokers" $root.Values.kafka.brokers }}
{{- $_ := set $kafka "security" (include "auscult.security" $root | fromYaml) }}
{{- $_ := set $config "kafka" $kafka }}
{{- $_ := set $config "http" (dict "listen" (printf "0.0.0.0:%d" (int $root.Values.http.port))) }}
{{- if eq .component "scoring" }}
{{- $models := default dict $config.models }}
{{- $_ := set $models "dir" $root.Values.scoring.models.mountPath }}
{{- $_ := set $config "models" $models }}
{{- if not $config.device }}
{{- $_ := set $config "device" (ternary "cuda:0" "cpu" $root.Values.scoring.gpu.enabled) }}
{{- end }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{/* Environment that no file can hold: who this pod is, and the user's name, which stands in a Secret. */}}
{{- define "auscult.env" -}}
- name: AUSCULT__KAFKA__INSTANCE_ID
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- if and (include "auscult.usesSasl" .) (not (include "auscult.usesToken" .)) }}
- name: AUSCULT__KAFKA__SECURITY__SASL__USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ .Values.kafka.security.sasl.credentials.name | quote }}
      key: {{ .Values.kafka.security.sasl.credentials.usernameKey | quote }}
{{- end }}
{{- end }}

{{- define "auscult.volumeMounts" -}}
- name: config
  mountPath: /etc/auscult/config
  readOnly: true
{{- if and (include "auscult.usesTls" .) .Values.kafka.security.tls.ca.name }}
- name: kafka-ca
  mountPath: /etc/auscult/kafka-ca
  readOnly: true
{{- end }}
{{- if and (include "auscult.usesTls" .) .Values.kafka.security.tls.client.name }}
- name: kafka-client
  mountPath: /etc/auscult/kafka-client
  readOnly: true
{{- end }}
{{- if include "auscult.usesToken" . }}
- name: kafka-token
  mountPath: /var/run/secrets/auscult
  readOnly: true
{{- else if include "auscult.usesSasl" . }}
- name: kafka-credentials
  mountPath: /etc/auscult/kafka-credentials
  readOnly: true
{{- end }}
{{- end }}

{{/* Called with (dict "root" $ "config" NAME-OF-CONFIGMAP). Items: nothing of a Secret is mounted but what is used. */}}
{{- define "auscult.volumes" -}}
{{- $security := .root.Values.kafka.security }}
- name: config
  configMap: {name: {{ .config }}}
{{- if and (include "auscult.usesTls" .root) $security.tls.ca.name }}
- name: kafka-ca
  secret:
    secretName: {{ $security.tls.ca.name | quote }}
    items: [{key: {{ $security.tls.ca.key | quote }}, path: ca.crt}]
{{- end }}
{{- if and (include "auscult.usesTls" .root) $security.tls.client.name }}
- name: kafka-client
  secret:
    secretName: {{ $security.tls.client.name | quote }}
    defaultMode: 0440
    items:
      - {key: {{ $security.tls.client.certKey | quote }}, path: tls.crt}
      - {key: {{ $security.tls.client.keyKey | quote }}, path: tls.key}
{{- end }}
{{- if include "auscult.usesToken" .root }}
- name: kafka-token
  projected:
    sources:
      - serviceAccountToken:
          audience: {{ $security.sasl.token.audience | quote }}
          expirationSeconds: {{ int $security.sasl.token.expirationSeconds }}
          path: token
{{- else if include "auscult.usesSasl" .root }}
- name: kafka-credentials
  secret:
    secretName: {{ $security.sasl.credentials.name | quote }}
    defaultMode: 0440
    items: [{key: {{ $security.sasl.credentials.passwordKey | quote }}, path: password}]
{{- end }}
{{- end }}

{{/* Milliseconds that batches in flight have to commit. */}}
{{- define "auscult.drainDeadlineMs" -}}
{{- $config := include "auscult.config" . | fromYaml }}
{{- dig "limits" "drain_deadline_ms" 10000 $config | int }}
{{- end }}

{{- define "auscult.gracePeriodSeconds" -}}
{{- $drain := divf (include "auscult.drainDeadlineMs" .) 1000 | ceil | int }}
{{- default (add $drain 20) .root.Values.terminationGracePeriodSeconds | int }}
{{- end }}

{{- define "auscult.maxReplicas" -}}
{{- default .root.Values.topics.partitions (index .root.Values .component).autoscaling.maxReplicas | int }}
{{- end }}

{{/* Ports of Kafka: those asked for, or those of the brokers; 9092 where an address has none. */}}
{{- define "auscult.kafkaPorts" -}}
{{- $ports := .Values.networkPolicy.kafkaPorts }}
{{- if not $ports }}
{{- range splitList "," .Values.kafka.brokers }}
{{- $port := regexFind ":[0-9]+$" (trim .) | trimPrefix ":" | default "9092" }}
{{- $ports = append $ports (atoi $port) }}
{{- end }}
{{- end }}
{{- $ports | uniq | toJson }}
{{- end }}

{{/* Whom pods may ask: DNS, Kafka, and whatever else is said. */}}
{{- define "auscult.egress" -}}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
- ports:
    {{- range include "auscult.kafkaPorts" . | fromJsonArray }}
    - {port: {{ int . }}, protocol: TCP}
    {{- end }}
  {{- with .Values.networkPolicy.kafkaTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- range include "auscult.collectorPorts" . | fromJsonArray }}
- ports:
    - {port: {{ int . }}, protocol: TCP}
{{- end }}
{{- with .Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Ports that spans go to, where a worker's configuration says that they go anywhere. */}}
{{- define "auscult.collectorPorts" -}}
{{- $ports := list }}
{{- range list .Values.config .Values.features.config .Values.scoring.config }}
{{- $endpoint := dig "traces" "otlp_endpoint" "" (default dict .) }}
{{- with $endpoint }}
{{- $port := regexFind ":[0-9]+(/|$)" . | trimPrefix ":" | trimSuffix "/" | default "80" }}
{{- $ports = append $ports (int $port) }}
{{- end }}
{{- end }}
{{- $ports | uniq | toJson }}
{{- end }}
