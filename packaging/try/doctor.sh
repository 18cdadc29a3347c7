# Run by packaging/try-doctor.sh in a fresh Debian: installs the package, Postfix, and what doctor's advice may ask for, because
# there is no network when it is followed.
. packaging/try/steps.sh

printf '#!/bin/sh\n# packaging/try-doctor.sh: nothing is started here\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
quietly apt-get -q update
quietly apt-get -q -y install systemd iproute2 postfix ./dist/rdns-milter_*_all.deb
quietly apt-get -q -y install --download-only unbound
useradd --create-home anna
