#!/bin/sh
# Builds the RPM, with Debian's rpmbuild if this is a Debian, has rpmlint look at it, and runs what is in it. What is missing is
# installed.
#
#   sh packaging/build-rpm.sh              into dist/
#   sh packaging/build-rpm.sh DIRECTORY    into that directory
#
# On Fedora: rpmbuild -ba packaging/rpm/rdns-milter.spec, with the source distribution in ~/rpmbuild/SOURCES.
set -eu
. "$(dirname "$0")/sources.sh"
target=$(directory "${1-}")
# shellcheck disable=SC2086
provide $RUNTIME rpm rpmlint cpio python3-pip python3-setuptools python3-shtab python3-wheel

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
umask 022
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' rdns_milter/__init__.py)
name=rdns_milter-$version
mkdir -p "$scratch/$name" "$scratch/SOURCES"
sources_into "$scratch/$name"
tar -czf "$scratch/SOURCES/$name.tar.gz" -C "$scratch" --owner=0 --group=0 "$name"

# --nodeps: what is needed is there, but as Debian's packages, of which rpm knows nothing. Bytecode is made where it is installed.
if ! rpmbuild -ba --nodeps --define "_topdir $scratch" --define '_build_id_links none' \
    packaging/rpm/rdns-milter.spec > "$scratch/log" 2>&1; then
    cat "$scratch/log" >&2
    exit 1
fi
package=$(echo "$scratch"/RPMS/noarch/*.rpm)
rpmlint -c packaging/rpm/rpmlint.toml packaging/rpm/rdns-milter.spec "$package" "$scratch"/SRPMS/*.rpm

mkdir "$scratch/root"
(cd "$scratch/root" && rpm2cpio "$package" | cpio -id --quiet)
site=$(dirname "$(find "$scratch/root/usr" -name rdns_milter -type d)")
cd "$scratch/root"
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$site usr/bin/rdns-milter config --check -c etc/rdns-milter/rdns-milter.toml
cd - > /dev/null
[ -n "$target" ] || target=$PWD/dist
mkdir -p "$target"
rm -f "$target"/rdns-milter-*.rpm
cp "$package" "$scratch"/SRPMS/*.rpm "$target/"
ls "$target"/rdns-milter-*.rpm
