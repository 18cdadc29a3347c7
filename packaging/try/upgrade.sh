# Run by packaging/try-deb.sh: upgrade with an edited config, removal, purge. After the purge nothing is left but the user.
. packaging/try/steps.sh

config=/etc/rdns-milter/rdns-milter.toml

# files: all there are, without what apt, dpkg and the log write for themselves
files() {
    find / -xdev \( -path /proc -o -path /root -o -path /tmp -o -path /run -o -path /var/log -o -path /var/cache -o -path /var/mail \
        -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/spool/postfix -o -path /var/lib/postfix \) -prune -o -print | sort
}

step "a newer version, with another config"
old=$(dpkg-query -W -f '${Version}' rdns-milter)
newer_package
next=/root/next.deb

step "the socket unit, enabled by hand, outlives an upgrade"
quietly systemctl enable rdns-milter.socket
link=/etc/systemd/system/sockets.target.wants/rdns-milter.socket
[ -e "$link" ]

step "upgrade: an edited config is kept"
sed -i 's/^mode = "enforce"/mode = "observe"/' "$config"
cp "$config" /tmp/edited.toml
quietly apt-get -q -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install "$next"
[ "$(dpkg-query -W -f '${Version}' rdns-milter)" = "$old+try1" ]
cmp "$config" /tmp/edited.toml
grep -q '^# newer' "$config.dpkg-dist"
[ -e "$link" ]
rdns-milter config --check

step "removal: the config is kept, the program is gone"
quietly apt-get -q remove rdns-milter
cmp "$config" /tmp/edited.toml
[ ! -e /usr/bin/rdns-milter ]
[ ! -e /usr/lib/python3/dist-packages/rdns_milter ]

step "install again: it is the admin's config still"
quietly apt-get -q -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install "$next"
cmp "$config" /tmp/edited.toml

step "purge: nothing is left but the user"
quietly apt-get -q purge rdns-milter
left=$(find / -xdev \( -path /proc -o -path /root -o -path /tmp -o -path /var/log -o -path /var/cache \) -prune -o -name '*rdns*' -print)
[ -z "$left" ] || { echo "left: $left" >&2; exit 1; }
getent passwd rdns-milter

step "install, use, purge: the files are those of before"
files > /tmp/before
quietly apt-get -q install "$next"
rdns-milter check 192.0.2.7 --dns 127.0.0.1:1 > /tmp/check.txt || [ $? -le 75 ]
rdns-milter config --show > /dev/null
quietly apt-get -q purge rdns-milter
files > /tmp/after
diff /tmp/before /tmp/after
