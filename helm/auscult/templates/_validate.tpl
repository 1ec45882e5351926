{{/* What the schema cannot say, since it takes two values to be wrong. Every message says what to do. */}}
{{- define "auscult.validate" -}}
{{- $root := . }}
{{- if not .Values.kafka.brokers }}
{{- fail "kafka.brokers is empty. Name some of the brokers, as in --set kafka.brokers=kafka-bootstrap.kafka.svc:9092." }}
{{- end }}
{{- $partitions := int .Values.topics.partitions }}
{{- range $component := list "features" "scoring" }}
{{- $scaling := (index $root.Values $component).autoscaling }}
{{- $call := dict "root" $root "component" $component }}
{{- $max := include "auscult.maxReplicas" $call | int }}
{{- if ne $scaling.kind "none" }}
{{- if gt $max $partitions }}
{{- fail (printf "%s.autoscaling.maxReplicas is %d, but topics.partitions %d: a worker beyond that has nothing to read. Lower it, or leave it 0." $component $max $partitions) }}
{{- end }}
{{- if gt (int $scaling.minReplicas) $max }}
{{- fail (printf "%s.autoscaling.minReplicas is %d, above the maximum of %d. Lower it." $component (int $scaling.minReplicas) $max) }}
{{- end }}
{{- end }}
{{- if eq $scaling.kind "keda" }}
{{- if not ($root.Capabilities.APIVersions.Has "keda.sh/v1alpha1") }}
{{- fail (printf "%s.autoscaling.kind is keda, but the cluster has no keda.sh/v1alpha1. Install KEDA first, or set hpa or none. (helm template: add --api-versions keda.sh/v1alpha1.)" $component) }}
{{- end }}
{{- if include "auscult.usesToken" $root }}
{{- fail (printf "%s.autoscaling.kind is keda, which cannot sign in with a projected service account token (kafka.security.sasl.mechanism: oauthbearer). Set hpa or none." $component) }}
{{- end }}
{{- end }}
{{- if and (eq $scaling.kind "hpa") (lt (int $scaling.minReplicas) 1) }}
{{- fail (printf "%s.autoscaling.minReplicas is 0, which only KEDA can do. Set 1 or more, or kind: keda." $component) }}
{{- end }}
{{- if and (eq $scaling.kind "none") (gt (int (index $root.Values $component).replicas) $partitions) }}
{{- fail (printf "%s.replicas is %d, but topics.partitions %d: a worker beyond that has nothing to read. Lower it." $component (int (index $root.Values $component).replicas) $partitions) }}
{{- end }}
{{- $grace := include "auscult.gracePeriodSeconds" $call | int }}
{{- $drain := include "auscult.drainDeadlineMs" $call | int }}
{{- if le (mul $grace 1000) $drain }}
{{- fail (printf "terminationGracePeriodSeconds is %d, but the %s workers' limits.drain_deadline_ms %d: a pod would be killed with batches in flight. Raise it, or leave it 0." $grace $component $drain) }}
{{- end }}
{{- end }}
{{- $models := .Values.scoring.models }}
{{- $sources := 0 }}
{{- range list $models.existingClaim $models.image.reference $models.csi $models.claim.create }}
{{- if . }}{{ $sources = add1 $sources }}{{ end }}
{{- end }}
{{- if ne (int $sources) 1 }}
{{- fail (printf "%d of scoring.models.existingClaim, .image.reference, .csi and .claim.create are set; exactly one must be: scoring workers need a volume with models." (int $sources)) }}
{{- end }}
{{- $security := .Values.kafka.security }}
{{- if and (include "auscult.usesSasl" .) (not (include "auscult.usesToken" .)) (not $security.sasl.credentials.name) }}
{{- fail (printf "kafka.security.protocol is %s with mechanism %s, but kafka.security.sasl.credentials.name is empty. Name the Secret that holds user and password." $security.protocol $security.sasl.mechanism) }}
{{- end }}
{{- if and $security.tls.client.name (not (include "auscult.usesTls" .)) }}
{{- fail (printf "kafka.security.tls.client.name is set, but kafka.security.protocol is %s. Set tls or sasl_tls, or no client certificate." $security.protocol) }}
{{- end }}
{{- end }}
