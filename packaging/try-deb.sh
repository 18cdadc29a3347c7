#!/bin/sh
# Tries the Debian package as a new user would, in a Debian of its own: README.md's Install section as it stands, the daemon as
# its user, mail through the real Postfix there, upgrade, removal, purge. As root, from a clean clone; some minutes, some 700 MB.
# Nothing of this machine is touched: a root made by debootstrap, with mounts, processes and (where mail flows) a network of its own.
#
#   sh packaging/try-deb.sh              Debian 12 (bookworm)
#   sh packaging/try-deb.sh trixie       Debian 13, with Python 3.13
#   BASE=DIRECTORY sh packaging/try-deb.sh [SUITE]    with a pristine root that is there already; it is copied
set -eu
suite=${1-bookworm}
case $suite in
    bookworm | trixie) ;;
    *)
        sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
        case $suite in -h | --help) exit 0 ;; *) exit 2 ;; esac
        ;;
esac
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "only root can make a root" >&2; exit 1; }
. packaging/provide.sh
. packaging/try/root.sh
provide debootstrap util-linux iproute2

make_root "$suite"
inside ours install.sh
inside none mail.sh
inside ours upgrade.sh
booted systemd.py
echo "all of it works on $suite ($(cat "$root/etc/debian_version"))"
