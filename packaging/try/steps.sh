# What the scripts here share. Sourced.

step() { printf '\n== %s\n' "$*"; }

# quietly COMMAND...: its output only if it fails
quietly() {
    if ! "$@" > /tmp/quietly.log 2>&1 < /dev/null; then
        cat /tmp/quietly.log >&2
        echo "failed: $*" >&2
        return 1
    fi
}

# first_block HEADING: the first block of commands below that heading of README.md
first_block() {
    awk -v heading="## $1" '
        $0 == heading { inside = 1; next }
        inside && /^    / { sub(/^    /, ""); sub(/   +.*/, ""); print; found = 1; next }
        found { exit }
    ' README.md
}

# main_cf: the first block of README.md that is marked as lines of main.cf
main_cf() { awk '/^```main\.cf$/ { inside = 1; next } inside && /^```$/ { exit } inside' README.md; }

# newer_package: makes /root/next.deb of the one in dist/, a version higher and with another config as it ships
newer_package() {
    rm -rf /tmp/next
    dpkg-deb -R dist/rdns-milter_*_all.deb /tmp/next
    sed -i 's/^Version: .*/&+try1/' /tmp/next/DEBIAN/control
    echo '# newer' >> /tmp/next/etc/rdns-milter/rdns-milter.toml
    (cd /tmp/next && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum > DEBIAN/md5sums)
    dpkg-deb --root-owner-group -b /tmp/next /root/next.deb > /dev/null
    rm -rf /tmp/next
}
