#!/usr/bin/env bash
# Fetches Apache Kafka's own jars (92 files, 54 MB, once) into .work/kafka/libs and prints that folder. AUSCULT_TEST_KAFKA_VERSION
# chooses another version than pom.xml names (4.3.1), in a folder of its own: 4.4.0 is the other one that the suites are run on.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
version=${AUSCULT_TEST_KAFKA_VERSION:-}
libs=${AUSCULT_KAFKA_LIBS:-$root/.work/kafka/libs${version:+-$version}}
# Another pom is another set of jars: the stamp holds the pom that the folder was filled from.
stamp=$libs/.pom.xml

if cmp --silent "$here/pom.xml" "$stamp"; then
    echo "$libs"
    exit 0
fi
for tool in mvn java; do
    command -v "$tool" >/dev/null || {
        echo "fetch.sh: $tool is missing; run tests/setup.sh as root, or: apt-get install maven openjdk-17-jre-headless" >&2
        exit 1
    }
done

# Filled beside its place and moved there whole: an interrupted download never looks like a finished one.
partial=$libs.partial.$$
trap 'rm -rf "$partial"' EXIT
mkdir -p "$partial"
mvn -q -B -f "$here/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$partial" ${version:+-Dkafka.version="$version"} >&2 || {
    echo "fetch.sh: Maven could not fetch Kafka's jars; is repo.maven.apache.org (or a mirror set in ~/.m2/settings.xml) reachable?" >&2
    exit 1
}
cp "$here/pom.xml" "$partial/.pom.xml"
rm -rf "$libs"
mv "$partial" "$libs"
echo "$libs"
