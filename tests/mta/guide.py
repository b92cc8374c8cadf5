#!/usr/bin/env python3
"""Carries docs/mail-flow.md out by its own words, as root, on a machine of its own: mount, network,
host name and process namespaces, so that Postfix has its ports, its /etc and its /var there.

Before it, there is what the guide takes for granted: a Postfix that delivers for example.org, the
samples where the package puts them, `waxseal` on the path. After it, Anna's mail lies in her
mailbox, opened and verified.
"""

import os
import sys
import time
from pathlib import Path

import readers
from machine import Workshop, run
from waxseal import REPOSITORY, binary

MAIN = """\
compatibility_level = 3.6
myhostname = gw.example.org
mydestination =
local_recipient_maps =
local_transport = error:no local mail
alias_maps =
alias_database =
inet_protocols = ipv4
virtual_mailbox_domains = example.org
virtual_mailbox_maps = static:anna/
virtual_mailbox_base = /var/mail/guide
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
relayhost = [127.0.0.1]:9
maillog_file = /var/log/mail.log
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
"""

# The machine: what Postfix, Waxseal and the guide write goes into layers over the real one's.
MACHINE = """\
set -euo pipefail
ip link set lo up
hostname gw.example.org
for dir in etc var usr/share/doc; do
  mkdir -p "$W/over/$dir" "$W/work/$dir"
  mount -t overlay overlay "/$dir" \
    -o "lowerdir=/$dir,upperdir=$W/over/$dir,workdir=$W/work/$dir"
done
mount -t tmpfs none /run
rm -rf /etc/waxseal /usr/share/doc/waxseal /var/lib/waxseal /var/spool/postfix /var/lib/postfix
mkdir -p /usr/share/doc/waxseal /var/mail/guide /var/spool/postfix /var/lib/postfix
cp -r "$REPOSITORY/docs/mta" /usr/share/doc/waxseal/mta
chown nobody /var/mail/guide
chown postfix /var/lib/postfix
cp "$W/main.cf" /etc/postfix/main.cf
# Debian's master.cf, without its chroots, which need files of the system in the queue.
sed -E '/^[a-z0-9-]+ +(inet|unix|unix-dgram) /s/^((\\S+ +){4})y/\\1n/' \
  /etc/postfix/master.cf.proto >/etc/postfix/master.cf
postfix start
trap 'postfix abort' EXIT
"$REPOSITORY/tests/guide" "$REPOSITORY/docs/mail-flow.md"
for wait in $(seq 60); do
  [ -z "$(ls /var/mail/guide/anna/new 2>/dev/null)" ] || break
  sleep 1
done
cp /var/mail/guide/anna/new/* "$W/delivered"
"""


def main():
    begun = time.monotonic()
    with Workshop("guide") as workshop:
        place = workshop.directory
        (place / "main.cf").write_text(MAIN)
        env = os.environ | {"W": str(place), "REPOSITORY": str(REPOSITORY),
                            "WAXSEAL_BIN": str(binary())}
        said = run("unshare", "--mount", "--net", "--uts", "--pid", "--fork", "--mount-proc",
                   "--kill-child", "bash", "-c", MACHINE, env=env)
        delivered = (place / "delivered").read_bytes()
        results = " ".join(readers.parse(delivered).get_all("Authentication-Results", []))
        if "smime=pass" not in results or b"application/pkcs7-mime" in delivered:
            raise SystemExit(f"error: not opened: {delivered.decode(errors='replace')}\n"
                             f"{said.decode(errors='replace')}")
    print(f"docs/mail-flow.md, carried out: {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
