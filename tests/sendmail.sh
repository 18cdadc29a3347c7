# Sourced by tests/run.sh: a Sendmail for tests/kit/mta/sendmail.py, beside whatever MTA the machine has.
# Debian's packages of two MTAs exclude each other, so these are not installed but unpacked, with all that they depend on, into a
# directory that becomes Sendmail's root. Nothing of them is run here, and the machine's packages stay as they are.

SENDMAIL_PACKAGES="sendmail-bin sendmail-cf m4 dash sed coreutils sasl2-bin libsasl2-modules libsasl2-modules-db"

# sendmail_root DIRECTORY: make it, unless it is there. The root itself is DIRECTORY/pristine; nobody runs anything in that, but in
# copies beside it.
sendmail_root() {
    [ ! -e "$1/unpacked" ] || return 0
    echo "unpacking Sendmail into $1"
    rm -rf "$1"
    mkdir -p "$1/archives/partial" "$1/pristine"
    place=$(cd "$1" && pwd)
    : > "$place/status"
    if ! sendmail_download "$place"; then
        apt-get -q update >> "$place/log" 2>&1 || true
        sendmail_download "$place" || { tail -n 30 "$place/log" >&2; echo "could not download Sendmail" >&2; exit 1; }
    fi
    # As on a Debian of today; the packages still say /bin and /lib.
    for directory in bin sbin lib lib64; do
        mkdir -p "$place/pristine/usr/$directory"
        ln -s "usr/$directory" "$place/pristine/$directory"
    done
    for package in "$place"/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -x -C "$place/pristine" --keep-directory-symlink \
            --exclude './usr/share/doc' --exclude './usr/share/man' --exclude './usr/share/locale' --exclude '*/perl*' \
            --exclude '*/gconv' || exit 1
    done
    rm -r "$place/archives"
    sendmail_furnish "$place/pristine"
    : > "$place/unpacked"
}

# All that the packages need, by an apt that believes nothing is installed.
sendmail_download() {
    # shellcheck disable=SC2086
    apt-get -q -y --no-install-recommends --download-only -o Dir::State::status="$1/status" -o Dir::Cache::archives="$1/archives" \
        -o Debug::NoLocking=1 -o APT::Sandbox::User=root install $SENDMAIL_PACKAGES > "$1/log" 2>&1
}

# What maintainer scripts would have left. /mnt is for what is one Sendmail's own, /media for its milter's socket.
sendmail_furnish() {
    mkdir -p "$1/dev" "$1/mnt" "$1/media" "$1/tmp" "$1/etc/sasl2"
    ln -s /mnt/null "$1/dev/null"
    ln -s /mnt/log "$1/dev/log"
    : > "$1/etc/mail/local-host-names"
    printf '%s\n' root:x:0:0::/root:/bin/sh daemon:x:1:1::/:/bin/sh mail:x:8:8::/var/mail:/bin/sh smmta:x:101:101::/:/bin/sh \
        smmsp:x:102:102::/:/bin/sh nobody:x:65534:65534::/:/bin/sh > "$1/etc/passwd"
    printf '%s\n' root:x:0: daemon:x:1: mail:x:8: smmta:x:101: smmsp:x:102: nogroup:x:65534: > "$1/etc/group"
    printf '%s\n' 'passwd: files' 'group: files' 'hosts: files dns' 'services: files' > "$1/etc/nsswitch.conf"
    printf '%s\n' '127.0.0.1 localhost' > "$1/etc/hosts"
    printf '%s\n' 'nameserver 127.0.0.1' 'options timeout:1 attempts:1' > "$1/etc/resolv.conf"
    printf '%s\n' 'pwcheck_method: auxprop' 'auxprop_plugin: sasldb' 'sasldb_path: /mnt/sasldb2' 'mech_list: PLAIN' \
        > "$1/etc/sasl2/Sendmail.conf"
}
