# Sieve: put mail that rdns-milter has tagged into the folder Junk. A user's script, or one for all users (Dovecot: sieve_before).
# Forged tags do not get here: rdns-milter removes them. The last tag is that of mail that a relay of your own has taken, and that
# would have been refused without it (relays.networks).
require ["fileinto", "mailbox"];

if header :matches "X-Rdns-Milter" ["tag rule=generic-name *", "tag rule=malformed-helo *", "tag rule=spf-helo-fail *", "tag rule=* would=reject *"] {
    fileinto :create "Junk";
    stop;
}
