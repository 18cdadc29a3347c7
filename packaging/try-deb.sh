#!/bin/sh
# Tries the Debian package as a new user would, in a Debian of its own: README.md's Install section as it stands, the daemon as
# its user, mail through the real Postfix there, upgrade, removal, purge. As root, from a clean clone; some minutes, some 700 MB.
# Nothing of this machine is touched: a root made by debootstrap, with mounts, processes and (where mail flows) a network of its own.
#
#   sh packaging/try-deb.sh              Debian 12 (bookworm)
#   sh packaging/try-deb.sh trixie       Debian 13, with Python 3.13
#   BASE=DIRECTORY sh packaging/try-deb.sh [SUITE]    with a pristine root that is there already; it is copied
set -eu
. "$(dirname "$0")/try/root.sh"
begin "$0" "${1-bookworm}"
inside ours install.sh
inside none mail.sh
inside ours upgrade.sh
booted systemd.py
echo "all of it works on $suite ($(cat "$root/etc/debian_version"))"
