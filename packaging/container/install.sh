#!/bin/sh
# What the Containerfile runs, as a plain script: any fresh Debian 12 root will do. Makes no service, and starts nothing.
#
#   install.sh packages     what the milter needs, from Debian
#   install.sh milter       user, command and configuration; the code is in /opt/rdns-milter by then
set -eu
share=/usr/local/share/rdns-milter

packages() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update
    apt-get -q -y --no-install-recommends install ca-certificates python3 python3-milter python3-dnspython python3-spf \
        python3-publicsuffix2 python3-idna python3-rich python3-prometheus-client
    apt-get clean
    rm -rf /var/lib/apt/lists/*
}

# set_option SECTION KEY VALUE: change one line of the default configuration; it must be there
set_option() {
    sed -i "/^\[$1\]/,/^\[/s|^$2 = .*|$2 = $3|" /etc/rdns-milter/rdns-milter.toml
    grep -q "^$2 = $3\$" /etc/rdns-milter/rdns-milter.toml
}

milter() {
    groupadd --system --gid 8895 rdns-milter
    useradd --system --uid 8895 --gid 8895 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin rdns-milter
    cat > /usr/local/bin/rdns-milter <<'END'
#!/bin/sh
PYTHONPATH=/opt/rdns-milter exec /usr/bin/python3 -P -m rdns_milter "$@"
END
    chmod 755 /usr/local/bin/rdns-milter
    # The image is read-only when it runs: bytecode is made now, or at every start.
    python3 -m compileall -q -f /opt/rdns-milter
    mkdir -p /etc/rdns-milter
    cp "$share/rdns-milter.toml" /etc/rdns-milter/
    set_option milter socket '"inet:8895@0.0.0.0"'
    set_option log target '"stderr"'
    set_option log format '"json"'
    set_option metrics listen '"0.0.0.0:9415"'
    chmod -R a+rX /etc/rdns-milter /opt/rdns-milter "$share"
    rdns-milter config --check
}

case ${1-} in
    packages | milter) "$1" ;;
    *)
        sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
