# Sourced by tests/run.sh and packaging/demo.sh: provides Debian packages without a question asked.
# Never starts a service of the machine's (Postfix as installed stays stopped), never touches a config that is there.

# provide PACKAGE...: install those that are missing
provide() {
    missing=
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "missing, and only root can install:$missing" >&2
        exit 1
    fi
    echo "installing:$missing"
    # A package that is installed here must not start a daemon: policy-rc.d says no for the time being.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' > "$policy"
        chmod 755 "$policy"
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    log=$(mktemp)
    export DEBIAN_FRONTEND=noninteractive
    # Postfix is wanted for its programs: as the machine's own MTA it gets no configuration, and so never starts.
    case " $missing " in
        *" postfix "*) echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections ;;
    esac
    # Another MTA that is there must not be removed for it.
    # shellcheck disable=SC2086
    if ! { apt-get -q update && apt-get -q -y --no-remove --no-install-recommends install $missing; } > "$log" 2>&1; then
        tail -n 30 "$log" >&2
        echo "could not install:$missing (whole log: $log)" >&2
        exit 1
    fi
    rm -f "$log"
    if [ "$(cat "$policy" 2>/dev/null)" = "$(printf '#!/bin/sh\nexit 101\n')" ]; then rm -f "$policy"; fi
}

# What the milter itself needs, as Debian packages it.
RUNTIME="python3 python3-milter python3-dnspython python3-spf python3-publicsuffix2 python3-idna python3-rich \
    python3-prometheus-client"
# Debian's own interpreter: the packages above are for no other.
PYTHON=/usr/bin/python3
