#!/bin/sh
# What the Containerfile beside it runs: Postfix from Debian, with the main.cf beside it, and no chroot within the container.
set -eu
export DEBIAN_FRONTEND=noninteractive
echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
apt-get -q update
apt-get -q -y --no-install-recommends install ca-certificates postfix
apt-get clean
rm -rf /var/lib/apt/lists/*
cp /usr/local/share/rdns-milter/main.cf /etc/postfix/main.cf
[ -e /etc/postfix/master.cf ] || cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf
postconf -F '*/*/chroot=n'
postconf -n > /dev/null
