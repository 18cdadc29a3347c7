#!/bin/sh
# The containers without an engine: does what the Containerfiles say in roots of Debian 12, then sends mail through both.
# Needs root, and some minutes for Debian's packages; leaves nothing behind.
#
#   sh packaging/try-container.sh             in roots that debootstrap makes
#   sh packaging/try-container.sh PRISTINE    in copies of a root (debootstrap --variant=minbase bookworm)
set -eu
cd "$(dirname "$0")/.."
case ${1-} in
    -*)
        sed -n '2,/^set/s/^# \{0,1\}//p' packaging/try-container.sh
        case $1 in -h | --help) exit 0 ;; *) exit 2 ;; esac
        ;;
esac
. packaging/provide.sh
# shellcheck disable=SC2086
provide $RUNTIME debootstrap iproute2

base=$(mktemp -d)
chmod 755 "$base"
# Nothing is ever mounted here but in namespaces that have ended by then; --one-file-system, should that be wrong one day.
trap 'rm -rf --one-file-system "$base"' EXIT
pristine=${1-}
if [ -z "$pristine" ]; then
    pristine=$base/pristine
    debootstrap --variant=minbase bookworm "$pristine" http://deb.debian.org/debian > "$base/debootstrap.log" 2>&1 || {
        tail -n 30 "$base/debootstrap.log" >&2
        exit 1
    }
fi

export PYTHONPATH="$PWD" PYTHONDONTWRITEBYTECODE=1
build() {
    cp -a --one-file-system "$pristine" "$base/$1"
    cp /etc/resolv.conf "$base/$1/etc/resolv.conf"
    echo "$2"
    "$PYTHON" packaging/container/image.py "$2" "$base/$1" > "$base/$1.log" 2>&1 || {
        tail -n 30 "$base/$1.log" >&2
        exit 1
    }
    grep -e '^--> ' "$base/$1.log"
}
build milter packaging/container/Containerfile
build postfix packaging/container/postfix/Containerfile
unshare --net "$PYTHON" packaging/container/rehearse.py "$base/milter" "$base/postfix"
