#!/bin/bash
# docker-mailserver and rdns-milter: docker-data/dms/config/user-patches.sh. Then: docker compose restart mailserver
# Tested with the lines of docker-mailserver's main.cf that matter here, in a Postfix of its own; not in its container.

# rdns-milter comes before the milters that docker-mailserver has set up (OpenDKIM and OpenDMARC, or rspamd). It runs in a container
# with the name rdns-milter in the same network. It only observes, so mail goes on while it is down. A second run changes nothing.
postconf -h smtpd_milters | grep -q :8895 || postconf "smtpd_milters = { inet:rdns-milter:8895, default_action=accept }, $(postconf -h smtpd_milters)"

# POSTFIX_REJECT_UNKNOWN_CLIENT_HOSTNAME=1 refuses every client whose name is not confirmed, before a milter is asked. This undoes it.
postconf "dms_smtpd_sender_restrictions = $(postconf -h dms_smtpd_sender_restrictions | sed 's/, *reject_unknown_client_hostname//')"
