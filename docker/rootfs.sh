#!/usr/bin/env bash
# Makes the file system of an image that holds one program and nothing else: the program, the libraries it is linked to, the authorities that
# vouch for brokers, and a user. No shell, no package manager, nothing to patch but what runs. Used by the Dockerfile; tests/helm.sh starts the result.
#
#   rootfs.sh PROGRAM FOLDER
set -euo pipefail

program=$1
root=$2
mkdir -p "$root/usr/local/bin" "$root/etc/ssl/certs" "$root/tmp"
install -m 755 "$program" "$root/usr/local/bin/auscult"
# Each library lies where the loader will look for it: where it is here. The loader itself is the line without an arrow.
ldd "$program" | awk '$2 == "=>" && $3 ~ "^/" { print $3 } $1 ~ "^/" { print $1 }' | while read -r library; do
    install -D -m 755 "$library" "$root$library"
done
install -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
echo 'auscult:x:65532:65532::/:/nonexistent' >"$root/etc/passwd"
echo 'auscult:x:65532:' >"$root/etc/group"
chmod 1777 "$root/tmp"
# The same input makes the same bytes: no time of day in the layer.
find "$root" -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH:-0}" {} +
