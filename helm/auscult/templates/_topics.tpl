{{/* The pod of a job that asks or changes topics. Called with (dict "root" $ "account" NAME "config" NAME "args" LIST). */}}
{{- define "auscult.topicsPod" -}}
{{- $root := .root }}
metadata:
  labels:
    {{- include "auscult.podLabels" (dict "root" $root "component" "topics") | trim | nindent 4 }}
spec:
  restartPolicy: Never
  serviceAccountName: {{ .account }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml $root.Values.podSecurityContext | nindent 4 }}
  containers:
    - name: topics
      image: {{ include "auscult.image" (dict "root" $root "component" "topics") | quote }}
      imagePullPolicy: {{ include "auscult.pullPolicy" (dict "root" $root "component" "topics") }}
      args: {{ concat .args (list "--config" "/etc/auscult/config/worker.yaml") | toJson }}
      env:
        {{- include "auscult.env" $root | nindent 8 }}
      resources:
        {{- toYaml $root.Values.topics.resources | nindent 8 }}
      securityContext:
        {{- toYaml $root.Values.securityContext | nindent 8 }}
      volumeMounts:
        {{- include "auscult.volumeMounts" $root | nindent 8 }}
  volumes:
    {{- include "auscult.volumes" (dict "root" $root "config" .config) | trim | nindent 4 }}
{{- end }}
