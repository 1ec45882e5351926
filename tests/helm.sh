#!/usr/bin/env bash
# Checks the Helm chart without a cluster: schema and README up to date, lint, manifests against Kubernetes' and custom resources' schemas, unit
# tests, an effect of every value, the Dockerfile, and that what the chart would start starts (tests/helm/start.py). Run tests/setup.sh once before.
#
#   tests/helm.sh          everything
#   tests/helm.sh paper    all but what is started
#   tests/helm.sh start    what the chart would start, starts
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
chart=helm/auscult
bin=.work/kubernetes/bin
python=.work/venv/bin/python
# The last three; kubernetes-validate has their schemas.
versions=1.35,1.36,1.37
export AUSCULT=${AUSCULT:-$root/target/release/auscult}

part=${1:-all}
case $part in
    all | paper | start) ;;
    *) echo "usage: $0 [paper|start]" >&2; exit 2 ;;
esac

step() { printf '\n-- %s\n' "$*"; }

tests/kubernetes/tools/build.sh helm

on_paper() {
    local crds
    crds=$(tests/helm/crds.sh)

    step "the schema is what the program says"
    helm/schema.py --check

    step "the README is what the values' comments say"
    "$bin/helm-docs" --chart-search-root "$chart" --dry-run --log-level error | diff -u "$chart/README.md" - || {
        echo "helm.sh: run $bin/helm-docs --chart-search-root $chart" >&2
        exit 1
    }

    local rendered values name
    rendered=$(mktemp -d)
    # shellcheck disable=SC2064  # this folder, whatever the name stands for later
    trap "rm -rf '$rendered'" EXIT
    step "lint, and rendered manifests for Kubernetes $versions"
    for values in "$chart"/ci/*-values.yaml; do
        name=$(basename "$values" -values.yaml)
        "$bin/helm" lint --strict --quiet --values "$values" "$chart"
        "$bin/helm" template plant "$chart" --namespace auscult --values "$values" --api-versions keda.sh/v1alpha1 \
            --api-versions monitoring.coreos.com/v1 >"$rendered/$name.yaml"
    done
    # Both kinds of monitor, and the claim that stays.
    "$bin/helm" template plant "$chart" --namespace auscult --values "$chart/ci/minimal-values.yaml" --api-versions monitoring.coreos.com/v1 \
        --set scoring.models.existingClaim=,scoring.models.claim.create=true,monitoring.dashboards.enabled=true >"$rendered/others.yaml"
    $python tests/helm/manifests.py "$crds" "$versions" "$rendered"/*.yaml

    step "unit tests"
    "$bin/helm-unittest" "$chart"

    step "every value has an effect"
    $python tests/helm/every_value.py "$bin/helm" "$chart"

    step "the Dockerfile"
    .work/venv/bin/hadolint --config docker/hadolint.yaml Dockerfile
    echo "hadolint has nothing to say"
}

started() {
    step "what the chart would start, starts"
    if [[ $(id -u) != 0 ]]; then
        echo "not tried: a container is stood in for by chroot, which is root's"
        return
    fi
    $python tests/helm/start.py "$bin/helm" "$chart" "$AUSCULT"
}

# No `||` here: bash would go on after a failing line inside.
if [[ $part != start ]]; then on_paper; fi
if [[ $part != paper ]]; then started; fi
