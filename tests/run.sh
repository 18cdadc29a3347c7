#!/bin/sh
# The one test command: installs what is missing, then lints, checks types, and runs all tests, first with PyPI's newest
# versions of the dependencies, then (without an MTA) with the versions that Debian packages.
#
#   sh tests/run.sh              what needs Sendmail, Chromium or a program of packaging/examples is skipped where that is missing
#   sh tests/run.sh --all        install these, too (Chromium: 400 MB on disk), and skip nothing; Sendmail is not installed but unpacked
#                                into .venv-sendmail (30 MB to download)
#   sh tests/run.sh tests/unit   these tests only, with PyPI's versions; --all may stand in front here, too
set -eu
cd "$(dirname "$0")/.."
. packaging/provide.sh
. tests/sendmail.sh
export PYTHONDONTWRITEBYTECODE=1

all=
if [ "${1:-}" = --all ]; then
    all=yes
    shift
fi

# shellcheck disable=SC2086
provide $RUNTIME python3-venv python3-dev python3-pytest python3-pytest-xdist python3-hypothesis python3-yaml python3-authres python3-pip \
    gcc libc6-dev libmilter-dev postfix ca-certificates openssl iproute2 procps systemd groff mandoc
if [ -n "$all" ]; then
    # The programs that packaging/examples configures, a clock that jumps, and a browser for the report's page.
    provide chromium haproxy unbound rsyslog logrotate prometheus faketime fail2ban
    # The mail filters of packaging/doc/neighbours.md, and the policy service of packaging/doc/migration.md.
    provide opendkim opendmarc rspamd spamassassin spamd spamass-milter dovecot-sieve postfix-policyd-spf-python
fi

venv=${RDNS_MILTER_VENV:-.venv}
stamp=$(sha256sum setup.cfg | cut -c 1-16)
if [ "$(cat "$venv/stamp" 2>/dev/null)" != "$stamp" ]; then
    echo "making $venv (PyPI's newest versions)"
    rm -rf "$venv"
    "$PYTHON" -m venv "$venv"
    "$venv/bin/python" -m pip -q install --upgrade pip setuptools wheel
    "$venv/bin/python" -m pip -q install -e '.[test]'
    echo "$stamp" > "$venv/stamp"
fi

export RDNS_MILTER_SENDMAIL="${RDNS_MILTER_SENDMAIL:-$PWD/.venv-sendmail}"
if [ -n "$all" ]; then
    sendmail_root "$RDNS_MILTER_SENDMAIL"
fi

if [ $# -gt 0 ]; then
    exec "$venv/bin/python" -m pytest "$@"
fi

"$venv/bin/ruff" check --no-cache --config tests/ruff.toml .
"$venv/bin/ruff" format --no-cache --config tests/ruff.toml --check .
"$venv/bin/mypy" --cache-dir "$venv/mypy"
# Three files at a time: most tests wait for a timer or a server.
"$venv/bin/python" -m pytest -q -n 3 --dist loadfile tests/mta tests/wire tests/unit
echo "once more with Debian's versions of the dependencies:"
"$PYTHON" -m pytest -q -n 3 --dist loadfile tests/unit/checks/test_spf.py tests/unit/config/test_load.py tests/unit/responses/test_headers.py \
    tests/unit/policy/test_rules.py tests/unit/resolver/test_wire.py tests/unit/resolver/test_plain_answer.py tests/wire/test_spf_suite.py tests/wire/test_session.py \
    tests/wire/test_headers_and_log_lines.py tests/wire/test_hostile_dns.py tests/wire/test_hostile_smtp.py tests/wire/test_check.py
