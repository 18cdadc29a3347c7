#!/bin/sh
# Tries `rdns-milter doctor` as an administrator in trouble would: in a Debian of its own, with systemd and the real Postfix, one
# thing after the other is broken; each time doctor must name it, and what doctor prints, typed as it stands, must mend it, so that
# doctor finds nothing more and mail is judged again. Prints a table. As root; some minutes, some 500 MB.
# Nothing of this machine is touched, but for the package, which is built here.
#
#   sh packaging/try-doctor.sh              Debian 12 (bookworm)
#   sh packaging/try-doctor.sh trixie       Debian 13
#   BASE=DIRECTORY sh packaging/try-doctor.sh [SUITE]    with a pristine root that is there already; it is copied
#   ONLY=WORDS sh packaging/try-doctor.sh [SUITE]        only the set-ups whose names have these words
set -eu
. "$(dirname "$0")/try/root.sh"
begin "$0" "${1-bookworm}"
sh packaging/build-deb.sh "$scratch/built" > "$scratch/log" 2>&1 || { cat "$scratch/log" >&2; exit 1; }
mkdir "$root/root/clone/dist"
cp "$scratch/built"/rdns-milter_*_all.deb "$root/root/clone/dist/"
printf '%s' "${ONLY-}" > "$root/root/only"
inside ours doctor.sh
seconds=900 booted doctor.py
echo "doctor mends all of it on $suite ($(cat "$root/etc/debian_version"))"
