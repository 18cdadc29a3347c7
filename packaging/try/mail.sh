# Run by packaging/try-deb.sh, with no network but loopback: the daemon as its unit starts it, the kit's MTA, the real Postfix.
. packaging/try/steps.sh

echo 'nameserver 127.0.0.1' > /etc/resolv.conf
id anna > /dev/null 2>&1 || useradd --create-home anna
rsyslogd

# What is imported is the installed package: the clone's is out of the way.
mv rdns_milter /tmp/rdns_milter.clone
python3 packaging/try/mail.py
mv /tmp/rdns_milter.clone rdns_milter
