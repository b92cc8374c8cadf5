"""A private Dovecot: LMTP in, IMAP and SASL out, mailboxes below one directory.

    dovecot = Dovecot(directory, {"erin@partner.example": "secret"})
    dovecot.start()                     # dovecot.lmtp, dovecot.imap, dovecot.sasl: ports
    dovecot.fetch("erin@partner.example")   # waits for a mail; its octets
"""

import imaplib
import os
import pwd
from pathlib import Path

from machine import BOUND, HOST, Process, free_port, run, wait_until

CONFIGURATION = """\
protocols = imap lmtp
listen = {host}
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/dovecot.log
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:{base}/mail/%u
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
first_valid_gid = 1
auth_username_format = %Lu
lmtp_save_to_detail_mailbox = no
mail_plugins = $mail_plugins quota
quota_full_tempfail = no
recipient_delimiter =

passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {base}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {base}/users
}}
plugin {{
  quota = maildir:User quota
}}
service lmtp {{
  inet_listener lmtp {{
    address = {host}
    port = {lmtp}
  }}
}}
service imap-login {{
  inet_listener imap {{
    address = {host}
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service auth {{
  inet_listener {{
    address = {host}
    port = {sasl}
  }}
}}
service anvil {{
  chroot =
}}
"""


class Dovecot:
    """`users` are addresses with their passwords; `quotas` addresses with a rule such as
    `*:storage=10K`, beyond which mail for them is refused."""

    def __init__(self, directory, users, quotas=None):
        self.directory = Path(directory) / "dovecot"
        self.users, self.quotas = users, quotas or {}
        self.lmtp, self.imap, self.sasl = free_port(), free_port(), free_port()
        self.log = self.directory / "dovecot.log"
        self.process = None

    def start(self):
        nobody = pwd.getpwnam("nobody")
        mail = self.directory / "mail"
        mail.mkdir(parents=True)
        os.chown(mail, nobody.pw_uid, nobody.pw_gid)
        fields = (f"{user}:{{PLAIN}}{password}:{nobody.pw_uid}:{nobody.pw_gid}::"
                  f"{mail / user}::{self._quota(user)}\n" for user, password in self.users.items())
        (self.directory / "users").write_text("".join(fields))
        configuration = self.directory / "dovecot.conf"
        configuration.write_text(CONFIGURATION.format(
            host=HOST, base=self.directory, uid=nobody.pw_uid, gid=nobody.pw_gid,
            lmtp=self.lmtp, imap=self.imap, sasl=self.sasl))
        self.process = Process("dovecot", ["dovecot", "-F", "-c", configuration],
                               self.directory / "dovecot.out")
        self.process.wait_listening(self.lmtp, self.imap, self.sasl)
        return self

    def _quota(self, user):
        rule = self.quotas.get(user)
        return f"userdb_quota_rule={rule}" if rule else ""

    def stop(self):
        if self.process:
            self.process.stop()

    def said(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def session(self, user):
        """A logged-in IMAP session with INBOX selected."""
        session = imaplib.IMAP4(HOST, self.imap)
        session.login(user, self.users[user])
        session.select()
        return session

    def mails(self, user):
        """The octets of all mails in INBOX, oldest first."""
        with self.session(user) as session:
            _, (numbers,) = session.search(None, "ALL")
            fetched = (session.fetch(n, "(BODY.PEEK[])")[1][0][1] for n in numbers.split())
            return list(fetched)

    def fetch(self, user, count=1, bound=BOUND):
        """Waits for `count` mails in INBOX; returns the last."""
        def there():
            mails = self.mails(user)
            return mails if len(mails) >= count else None
        return wait_until(there, lambda: f"mail {count} of {user}:\n{self.said()[-3000:]}",
                          bound, pause=0.2)[count - 1]
