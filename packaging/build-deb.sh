#!/bin/sh
# Builds the Debian package, and has lintian look at it. As the first command on a fresh Debian 12 or 13, as root, it works;
# what is missing is installed. The same sources make the same package, octet by octet.
#
#   sh packaging/build-deb.sh              into dist/: rdns-milter_VERSION_all.deb, and the source package
#   sh packaging/build-deb.sh DIRECTORY    into that directory
set -eu
. "$(dirname "$0")/sources.sh"
target=$(directory "${1-}")
# shellcheck disable=SC2086
provide $RUNTIME build-essential debhelper dh-python pybuild-plugin-pyproject python3-setuptools python3-shtab lintian
if [ -z "$target" ]; then
    target=$PWD/dist
    mkdir -p "$target"
    rm -f "$target"/rdns-milter_*  # of another version: `apt install dist/rdns-milter_*.deb` wants one
fi

umask 022
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tree=$scratch/rdns-milter
mkdir "$tree"
# dpkg wants debian/ at the top, where we keep none: so in a copy, without what is no source.
sources_into "$tree"
cp -R packaging/debian "$tree/debian"
# Whose clone it is, and since when, does not show in the source package.
chmod -R u=rwX,go=rX "$tree"
find "$tree" -exec touch -h -d "$(dpkg-parsechangelog -l "$tree/debian/changelog" -S Date)" {} +
if ! (cd "$tree" && dpkg-buildpackage -us -uc) > "$scratch/log" 2>&1; then
    cat "$scratch/log" >&2
    exit 1
fi
# Errors and warnings fail; what is pedantic is said. As root lintian wants to be told that this is meant.
lintian --allow-root --pedantic --fail-on error,warning "$scratch"/*.changes
cp "$scratch"/rdns-milter_* "$target/"
echo "built $(ls "$target"/rdns-milter_*_all.deb)"
