#!/bin/sh
# Builds what is uploaded to PyPI, and tries it: `twine check`, the source distribution holds all there is, the wheel installs in a
# clean environment of each Python, and the command works there.
#
#   sh packaging/build-pypi.sh                 into dist/, with the Python of this Debian
#   sh packaging/build-pypi.sh PYTHON...       tried with these Pythons, built with the first
#
# Uploading is left to you: twine upload dist/rdns_milter-*
set -eu
. "$(dirname "$0")/sources.sh"
# pymilter comes as source.
provide python3 python3-venv python3-dev gcc libc6-dev libmilter-dev ca-certificates
[ $# -gt 0 ] || set -- "$PYTHON"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p dist "$scratch/tree"
umask 022
# Built in a copy: setuptools leaves its notes where it works.
sources_into "$scratch/tree"
"$1" -m venv "$scratch/tools"
"$scratch/tools/bin/python" -m pip -q install --upgrade pip build twine
if ! "$scratch/tools/bin/python" -m build --outdir "$scratch/dist" "$scratch/tree" > "$scratch/log" 2>&1; then
    cat "$scratch/log" >&2
    exit 1
fi
"$scratch/tools/bin/twine" check --strict "$scratch"/dist/*

echo "the source distribution holds all there is"
(cd "$scratch/tree" && find . -name '*.egg-info' -prune -o -type f -printf '%P\n' | sort) > "$scratch/there-is"
tar -tzf "$scratch"/dist/*.tar.gz | sed 's,^[^/]*/,,' | grep -v -e '/$' -e '^$' -e '\.egg-info/' -e '^PKG-INFO$' | sort > "$scratch/packed"
diff "$scratch/there-is" "$scratch/packed"

for python in "$@"; do
    rm -rf "$scratch/clean"
    "$python" -m venv "$scratch/clean"
    "$scratch/clean/bin/python" -m pip -q install "$scratch"/dist/*.whl
    "$scratch/clean/bin/python" -m pip -q check
    cd "$scratch"
    echo "$("$python" -V): $(clean/bin/rdns-milter --version), $(clean/bin/rdns-milter config --check)"
    clean/bin/rdns-milter config --sample | cmp - tree/etc/rdns-milter.toml
    clean/bin/rdns-milter check 192.0.2.7 --helo mx.example.com --dns 127.0.0.1:1 > check.txt
    grep -q '^  accept' check.txt
    clean/bin/python -c 'import rdns_milter.daemon.master'
    cd "$OLDPWD"
done
rm -f dist/rdns_milter-*
cp "$scratch"/dist/* dist/
ls dist/rdns_milter-*
