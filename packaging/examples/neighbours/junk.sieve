# Sieve: put mail that rdns-milter has tagged into the folder Junk. A user's script, or one for all users (Dovecot: sieve_before).
# Forged tags do not get here: rdns-milter removes them.
require ["fileinto", "mailbox"];

if header :matches "X-Rdns-Milter" ["tag rule=generic-name *", "tag rule=malformed-helo *", "tag rule=spf-helo-fail *"] {
    fileinto :create "Junk";
    stop;
}
