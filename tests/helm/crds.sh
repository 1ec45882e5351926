#!/usr/bin/env bash
# Puts KEDA's and the Prometheus operator's resource definitions into .work/kubernetes/crds and prints that folder. They come from Go modules,
# whose contents are told by a hash.
set -euo pipefail

work=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/.work/kubernetes
crds=$work/crds
keda=github.com/kedacore/keda/v2@v2.21.0
keda_sum=h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=
operator=github.com/prometheus-operator/prometheus-operator@v0.85.0
operator_sum=h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=

wanted="$keda $keda_sum $operator $operator_sum"
if [[ -f $crds/.stamp && $(<"$crds/.stamp") == "$wanted" ]]; then
    echo "$crds"
    exit 0
fi

fetch() {
    local module=$1 sum=$2 folder=$3 answer
    # Outside any module: nothing of ours decides the version.
    answer=$(cd / && go mod download -json "$module") || { echo "crds.sh: $module could not be fetched: $answer" >&2; exit 1; }
    python3 - "$sum" "$folder" "$crds.partial" "$answer" <<'PYTHON'
import json, pathlib, shutil, sys
wanted, folder, out, answer = sys.argv[1:]
module = json.loads(answer)
if module["Sum"] != wanted:
    sys.exit(f"crds.sh: {module['Path']} has the hash {module['Sum']}, not {wanted}")
for each in pathlib.Path(module["Dir"], folder).glob("*.yaml"):
    if each.name != "kustomization.yaml":
        shutil.copyfile(each, pathlib.Path(out, each.name))
PYTHON
}
rm -rf "$crds" "$crds.partial"
mkdir -p "$crds.partial"
fetch "$keda" "$keda_sum" config/crd/bases
fetch "$operator" "$operator_sum" example/prometheus-operator-crd
echo "$wanted" >"$crds.partial/.stamp"
mv "$crds.partial" "$crds"
echo "$crds"
