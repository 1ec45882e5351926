#!/usr/bin/env bash
# Installs or fetches what the test suite uses beside Rust. Run it as often as you like: it does what is not yet done.
#
#   kcat                       a Kafka client that knows nothing of Auscult     Debian package
#   java 17, maven             run Kafka, fetch its jars                        Debian packages
#   libssl-dev, pkg-config     build librdkafka with TLS                        Debian packages
#   openssl                    certificates for a secured broker                Debian package
#   Apache Kafka's jars        tests/kafka/fetch.sh                             .work/kafka/libs
#   prometheus, promtool       from Debian's package, unpacked, no service      .work/prometheus
#   cargo-deny                 licences, bans, sources of dependencies          .work/cargo-deny
#   pyarrow, numpy             cross-check the Arrow contract                   .work/venv
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

packages=()
command -v kcat >/dev/null || packages+=(kcat)
command -v java >/dev/null || packages+=(openjdk-17-jre-headless)
command -v mvn >/dev/null || packages+=(maven)
command -v openssl >/dev/null || packages+=(openssl)
command -v pkg-config >/dev/null || packages+=(pkg-config)
pkg-config --exists openssl 2>/dev/null || packages+=(libssl-dev)
python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
if ((${#packages[@]})); then
    command -v apt-get >/dev/null || fail "install these by your system's means: ${packages[*]}"
    [[ $(id -u) == 0 ]] || fail "as root, run: apt-get install --no-install-recommends ${packages[*]}"
    note "installing ${packages[*]}"
    apt update
    apt install --no-install-recommends "${packages[@]}"
fi

java_version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
((${java_version:-0} >= 17)) || fail "java is version ${java_version:-unknown}; Kafka needs 17 or later (apt-get install openjdk-17-jre-headless)"

"$root/tests/kafka/fetch.sh" >/dev/null

# The package would start a service on port 9090; unpacked, it is just two programs.
if ! [[ -x $work/prometheus/usr/bin/prometheus ]] && ! command -v prometheus >/dev/null; then
    command -v apt-get >/dev/null || fail "put prometheus and promtool on the PATH"
    note "fetching prometheus"
    download=$(mktemp -d "$work/download.XXXXXX")
    trap 'rm -rf "$download"' EXIT
    # apt-get drops its rights for a download; the folder must let it in.
    chmod 755 "$download"
    (cd "$download" && { apt-get -qq download prometheus >"$work/apt.log" 2>&1 || {
        [[ $(id -u) == 0 ]] || fail "as root, run: apt-get update; then run this again"
        apt update
        apt download prometheus
    }; })
    rm -rf "$work/prometheus"
    dpkg-deb -x "$download"/prometheus_*.deb "$work/prometheus"
fi

venv=$work/venv
if ! "$venv/bin/python" -c 'import numpy, pyarrow' 2>/dev/null; then
    note "installing pyarrow and numpy into .work/venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check numpy pyarrow ||
        fail "pip could not install pyarrow and numpy; the lines above say why"
fi
deny=$work/cargo-deny
if ! [[ -x $deny/bin/cargo-deny ]]; then
    note "building cargo-deny (two minutes, once)"
    cargo install --quiet --locked --version 0.20.2 --root "$deny" --target-dir "$deny/target" cargo-deny
    rm -rf "$deny/target"
fi
note "all there"
