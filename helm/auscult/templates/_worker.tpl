{{/* The pod template of a worker. Called with (dict "root" $ "component" … "command" …). */}}
{{- define "auscult.worker" -}}
{{- $root := .root }}
{{- $values := index $root.Values .component }}
{{- $isScoring := eq .component "scoring" }}
{{- $isGpu := and $isScoring $root.Values.scoring.gpu.enabled }}
{{- $configName := printf "%s-%s" (include "auscult.fullname" $root) .component }}
metadata:
  labels:
    {{- include "auscult.podLabels" . | nindent 4 }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # A worker reads its configuration once: a change must make new pods.
    checksum/config: {{ include "auscult.config" . | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "auscult.serviceAccountName" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml $root.Values.podSecurityContext | nindent 4 }}
  # Above the drain deadline: what is in flight is committed before the pod goes.
  terminationGracePeriodSeconds: {{ include "auscult.gracePeriodSeconds" . }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- if and $isGpu $root.Values.scoring.gpu.runtimeClassName }}
  runtimeClassName: {{ $root.Values.scoring.gpu.runtimeClassName }}
  {{- end }}
  {{- $nodeSelector := $values.nodeSelector }}
  {{- $tolerations := $values.tolerations }}
  {{- if $isGpu }}
  {{- $nodeSelector = merge (deepCopy $nodeSelector) $root.Values.scoring.gpu.nodeSelector }}
  {{- $tolerations = concat $tolerations $root.Values.scoring.gpu.tolerations }}
  {{- end }}
  {{- with $nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- if $values.topologySpreadConstraints }}
    {{- toYaml $values.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    {{- $call := . }}
    {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - topologyKey: {{ $key }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "auscult.selectorLabels" $call | nindent 10 }}
    {{- end }}
    {{- end }}
  containers:
    - name: worker
      image: {{ include "auscult.image" . | quote }}
      imagePullPolicy: {{ include "auscult.pullPolicy" . }}
      args: [{{ .command | quote }}, "--config", "/etc/auscult/config/worker.yaml"]
      env:
        {{- include "auscult.env" $root | nindent 8 }}
        {{- if $isGpu }}
        # Kernels that are compiled for the card are kept where the root's file system is not written to.
        - {name: CUDA_CACHE_PATH, value: /tmp/cuda}
        {{- end }}
        {{- with $values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - {name: http, containerPort: {{ int $root.Values.http.port }}}
      # How long it may take until it answers at all. A worker that reads state back answers, and is not ready: it is never killed for restoring.
      startupProbe:
        httpGet: {path: /livez, port: http}
        periodSeconds: {{ int $root.Values.probes.periodSeconds }}
        timeoutSeconds: {{ int $root.Values.probes.timeoutSeconds }}
        failureThreshold: {{ divf $root.Values.probes.startupGraceSeconds $root.Values.probes.periodSeconds | ceil | int }}
      livenessProbe:
        httpGet: {path: /livez, port: http}
        periodSeconds: {{ int $root.Values.probes.periodSeconds }}
        timeoutSeconds: {{ int $root.Values.probes.timeoutSeconds }}
        failureThreshold: {{ int $root.Values.probes.livenessFailureThreshold }}
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: {{ int $root.Values.probes.periodSeconds }}
        timeoutSeconds: {{ int $root.Values.probes.timeoutSeconds }}
        failureThreshold: {{ int $root.Values.probes.readinessFailureThreshold }}
      {{- $resources := deepCopy $values.resources }}
      {{- if $isGpu }}
      {{- $limits := default dict $resources.limits }}
      {{- $_ := set $limits $root.Values.scoring.gpu.resourceName (int $root.Values.scoring.gpu.count) }}
      {{- $_ := set $resources "limits" $limits }}
      {{- end }}
      resources:
        {{- toYaml $resources | nindent 8 }}
      securityContext:
        {{- toYaml $root.Values.securityContext | nindent 8 }}
      volumeMounts:
        {{- include "auscult.volumeMounts" $root | nindent 8 }}
        - name: tmp
          mountPath: /tmp
        {{- if $isScoring }}
        - name: models
          mountPath: {{ $root.Values.scoring.models.mountPath }}
          readOnly: true
        {{- end }}
  volumes:
    {{- include "auscult.volumes" (dict "root" $root "config" $configName) | trim | nindent 4 }}
    - name: tmp
      emptyDir: {sizeLimit: {{ ternary "1Gi" "64Mi" $isGpu }}}
    {{- if $isScoring }}
    {{- $models := $root.Values.scoring.models }}
    - name: models
      {{- if $models.existingClaim }}
      persistentVolumeClaim: {claimName: {{ $models.existingClaim | quote }}, readOnly: true}
      {{- else if $models.claim.create }}
      persistentVolumeClaim: {claimName: {{ include "auscult.fullname" $root }}-models, readOnly: true}
      {{- else if $models.image.reference }}
      image: {reference: {{ $models.image.reference | quote }}, pullPolicy: {{ $models.image.pullPolicy }}}
      {{- else }}
      csi:
        {{- toYaml (set (deepCopy $models.csi) "readOnly" true) | nindent 8 }}
      {{- end }}
    {{- end }}
{{- end }}
