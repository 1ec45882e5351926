#!/usr/bin/env bash
# Builds programs that the chart's checks start, from Go modules of pinned versions (go.mod, go.sum), into .work/kubernetes/bin. What is there
# already stays; what two programs share is compiled once.
#
#   build.sh helm            helm, helm-unittest, helm-docs                                          five minutes on one core
#   build.sh control-plane   kubectl, etcd, kube-apiserver and its controllers and scheduler, kwok   twelve more
#   build.sh keda            KEDA's operator and its metrics server                                  as many again
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$(cd "$here/../../.." && pwd)/.work/kubernetes/bin

case ${1:-} in
    helm)
        packages=(helm.sh/helm/v3/cmd/helm github.com/helm-unittest/helm-unittest/cmd/helm-unittest
            github.com/norwoodj/helm-docs/cmd/helm-docs)
        ;;
    control-plane)
        packages=(k8s.io/kubernetes/cmd/kubectl go.etcd.io/etcd/server/v3 k8s.io/kubernetes/cmd/kube-apiserver
            k8s.io/kubernetes/cmd/kube-controller-manager k8s.io/kubernetes/cmd/kube-scheduler sigs.k8s.io/kwok/cmd/kwok)
        ;;
    keda) packages=() ;;
    *) echo "usage: $0 helm|control-plane|keda" >&2; exit 2 ;;
esac
command -v go >/dev/null || { echo "build.sh: go is missing; install Go 1.26 or later" >&2; exit 1; }

mkdir -p "$bin"
cd "$here"
version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${version#v1.}
minor=${minor%%.*}
# Without these, kube-apiserver takes itself for version 0.0, and helm template for a cluster of 1.20.
flags="-s -w -X k8s.io/component-base/version.gitVersion=$version -X k8s.io/component-base/version.gitMajor=1"
flags+=" -X k8s.io/component-base/version.gitMinor=$minor -X k8s.io/client-go/pkg/version.gitVersion=$version"
flags+=" -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=$minor"
flags+=" -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=$minor"
for package in "${packages[@]}"; do
    name=${package##*/}
    # etcd's program is the root of its module.
    [[ $package == go.etcd.io/etcd/server/v3 ]] && name=etcd
    # The stamp names what a program was built from: other versions are another program.
    stamp=$bin/.$name.stamp
    from=$(printf '%s\n' "$flags"; cat go.mod)
    [[ -x $bin/$name && -f $stamp && $(<"$stamp") == "$from" ]] && continue
    echo "build.sh: building $name"
    began=$SECONDS
    CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags="$flags" -o "$bin/$name" "$package"
    printf '%s\n' "$from" >"$stamp"
    echo "build.sh: $name took $((SECONDS - began)) s"
done
if [[ $1 == control-plane ]]; then
    # How kwok's nodes and pods go from one state to the next: its own files, as they come with it.
    stages=$(go list -m -f '{{.Dir}}' sigs.k8s.io/kwok)/kustomize/stage
    for stage in "$stages"/node/fast/node-*.yaml "$stages"/node/heartbeat/node-*.yaml "$stages"/pod/fast/pod-*.yaml; do
        echo '---'
        cat "$stage"
    done >"$bin/stages.yaml"
fi
if [[ $1 == keda ]]; then
    # Its module has replacements of its own, so it is built where it lies.
    module=github.com/kedacore/keda/v2@v2.21.0
    folder=$(cd / && go mod download -json "$module" | python3 -c 'import json, sys; print(json.load(sys.stdin)["Dir"])')
    for name in operator adapter; do
        [[ -x $bin/keda-$name && -f $bin/.keda-$name.stamp && $(<"$bin/.keda-$name.stamp") == "$module" ]] && continue
        echo "build.sh: building keda-$name"
        began=$SECONDS
        (cd "$folder" && CGO_ENABLED=0 go build -mod=readonly -trimpath -buildvcs=false -ldflags="-s -w" -o "$bin/keda-$name" "./cmd/$name")
        echo "$module" >"$bin/.keda-$name.stamp"
        echo "build.sh: keda-$name took $((SECONDS - began)) s"
    done
fi
