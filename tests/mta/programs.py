#!/usr/bin/env python3
"""Proves the readers of `scene.py` with OpenSSL in the place of Waxseal: each program opens what is
right, and refuses a changed letter, a signer of another authority, and one who is not the sender.
"""

import smtplib
import time

import clients
import readers
from dovecot import Dovecot
from machine import HOST, Workshop
from pki import Authority

PASSWORD = "secret"
ENTITY = b"Content-Type: text/plain\r\n\r\npay 100\r\n"


class Mails:
    """What one recipient gets: the good mail first, then the bad ones, by what is wrong."""

    def __init__(self, authority, stranger, key):
        self.alice = authority.issue(f"alice.{key}@example.org", key)
        self.erin = authority.issue(f"erin.{key}@partner.example", key)
        other = stranger.issue(self.alice.address, key)
        good = readers.openssl_mail("", ENTITY, self.alice)
        self.inner = {
            "nothing": good,
            "a changed letter": good.replace(b"pay 100", b"pay 900"),
            "an authority that nobody trusts": readers.openssl_mail("", ENTITY, other),
            "another sender": good,
        }
        self.mails = {wrong: self.mail(wrong, inner) for wrong, inner in self.inner.items()}

    def mail(self, wrong, inner):
        sender = "mallory@example.org" if wrong == "another sender" else self.alice.address
        header = (f"From: {sender}\nTo: {self.erin.address}\nSubject: hello\n"
                  "Date: Sun, 29 Nov 2026 12:00:00 +0000\n")
        # Encrypted as it stands, signature and all.
        return readers.openssl_mail(header, inner, recipient=self.erin.certificate)

    def sender(self, wrong):
        return "mallory@example.org" if wrong == "another sender" else self.alice.address


def judged(what, wrong, opening):
    """Opened when nothing is wrong, refused otherwise."""
    try:
        opening()
        opened = True
    except (clients.Unread, RuntimeError) as refusal:
        opened = False
        if wrong == "nothing":
            raise AssertionError(f"{what} does not open what is right") from refusal
    if opened and wrong != "nothing":
        raise AssertionError(f"{what} accepts a mail with {wrong}")


def by_openssl(mail, mails, root, wrong):
    _, addresses = readers.verify(readers.decrypt(mail, mails.erin), root)
    if mails.sender(wrong) not in addresses:
        raise clients.Unread("another signer")


def prove(workshop, dovecot, authority, stranger, key):
    mails, root = Mails(authority, stranger, key), authority.root
    scratch = workshop.dir(f"clients-{key}")
    nss = clients.Nss(scratch, mails.erin, root, key)
    gpgsm = workshop.started(clients.Gpgsm(scratch, mails.erin, root, key))
    snail = clients.SNail(scratch, mails.erin, root, PASSWORD, dovecot.imap)
    mutt = clients.NeoMutt(scratch, mails.erin, root, PASSWORD, dovecot.imap)
    for number, (wrong, mail) in enumerate(mails.mails.items(), 1):
        with smtplib.LMTP(HOST, dovecot.lmtp) as client:
            client.sendmail("sender@example.org", [mails.erin.address], mail)
        dovecot.fetch(mails.erin.address, number)
        sender, inner = mails.sender(wrong), mails.inner[wrong]
        judged("openssl", wrong, lambda: by_openssl(mail, mails, root, wrong))
        for engine in (nss, gpgsm):
            if key in clients.DECRYPTS[engine.name]:
                judged(engine.name, wrong, lambda: engine.open(mail, sender))
            judged(engine.name, wrong, lambda: engine.check(inner, sender))
        if key in clients.DECRYPTS["s-nail"]:
            judged("s-nail", wrong, lambda: snail.open(number, sender))
        if wrong != "another sender":       # which it does not compare in encrypted mail
            judged("neomutt", wrong, lambda: mutt.open(number, sender))


def main():
    begun = time.monotonic()
    with Workshop("programs") as workshop:
        authority = Authority(workshop.directory / "pki")
        stranger = Authority(workshop.directory / "stranger", "Stranger Root")
        dovecot = workshop.started(Dovecot(workshop.directory, {
            f"erin.{key}@partner.example": PASSWORD for key in ("rsa", "p256")})).start()
        for key in ("rsa", "p256"):
            prove(workshop, dovecot, authority, stranger, key)
    print(f"mail programs open what is right and refuse what is not: "
          f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
