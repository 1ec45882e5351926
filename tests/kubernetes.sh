#!/usr/bin/env bash
# Installs the chart on a real Kubernetes control plane (tests/kubernetes/control_plane.py), in every way of ci/*-values.yaml: into a namespace that
# enforces PodSecurity `restricted`, upgraded, rolled back, tested, drained, uninstalled. The programs are built first, once: eighteen minutes on one core.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$root/.work/kubernetes
"$root/tests/kubernetes/tools/build.sh" helm
"$root/tests/kubernetes/tools/build.sh" control-plane
crds=$("$root/tests/helm/crds.sh")
run=$work/run
rm -rf "$run"
exec python3 "$root/tests/kubernetes/suite.py" "$work/bin" "$crds" "$root/helm/auscult" "$run"
