#!/bin/sh
# Shows the milter at work on this machine, in half a minute: a name server with a small zone, the milter, and a private Postfix, to
# which clients of every kind send mail. Installs the Debian packages that are missing. Does not touch the machine's own mail system.
#
#   sh packaging/demo.sh           show it, then stop everything
#   sh packaging/demo.sh --keep    show it, leave it running, and print commands to go on with
set -eu
cd "$(dirname "$0")/.."
case ${1-} in
    '' | --keep) ;;
    *)
        sed -n '2,/^set/s/^# \{0,1\}//p' packaging/demo.sh
        case $1 in -h | --help) exit 0 ;; *) exit 2 ;; esac
        ;;
esac
. packaging/provide.sh
# shellcheck disable=SC2086
provide $RUNTIME postfix
PYTHONPATH=$PWD PYTHONDONTWRITEBYTECODE=1 exec "$PYTHON" packaging/demo/demo.py "$@"
