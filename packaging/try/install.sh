# Run by packaging/try-deb.sh in a fresh Debian: installs as README.md says.
. packaging/try/steps.sh

# Not a machine that serves: whoever is installed here is started by hand, where the network is our own.
printf '#!/bin/sh\n# packaging/try-deb.sh: nothing is started here\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
# Nobody sits here to say yes.
echo 'APT::Get::Assume-Yes "true";' > /etc/apt/apt.conf.d/90try
# What each installed Debian has and this one has not: a log, and the tool to become somebody else.
quietly apt-get -q update
quietly apt-get -q install --no-install-recommends rsyslog adduser

step "README.md: Install"
began=$(date +%s)
first_block Install | while read -r command; do
    echo "  # $command"
    quietly sh -eu -c "$command"
done
echo "  ($(($(date +%s) - began)) seconds, downloads and lintian included)"

step "installed: $(dpkg-query -W -f '${Version}' rdns-milter), $(python3 -V)"
rdns-milter config --check
rdns-milter --version
[ "$(getent passwd rdns-milter | cut -d: -f6-)" = /nonexistent:/usr/sbin/nologin ]
[ -e /etc/systemd/system/multi-user.target.wants/rdns-milter.service ]
quietly systemd-analyze verify /lib/systemd/system/rdns-milter.service
[ -z "$(dpkg --verify rdns-milter)" ]

step "the same sources make the same package, elsewhere and for others"
(
    umask 077
    mkdir /tmp/elsewhere
    cp -R . /tmp/elsewhere/clone
    TZ=Pacific/Auckland quietly sh /tmp/elsewhere/clone/packaging/build-deb.sh /tmp/elsewhere
)
for file in dist/*.deb dist/*.dsc dist/*.tar.xz; do cmp "$file" "/tmp/elsewhere/${file#dist/}"; done
rm -rf /tmp/elsewhere
