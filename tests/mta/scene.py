#!/usr/bin/env python3
"""The scene that Waxseal exists for, with real programs at both ends.

    scene.py [milter|smtp|lmtp…]

Alice sends plain mail through gateway A: Postfix as docs/mta has it, `waxseal serve`, OpenDKIM
signing after it. Erin's Postfix verifies DKIM and delivers to Dovecot; her mail programs fetch it
by IMAP, decrypt it, and verify it with the chain and the address. Erin answers, signed by her
renewed certificate and encrypted, with umlauts and an attachment. Gateway A verifies DKIM, decrypts,
verifies, keeps her certificate. Alice reads plain mail. Her next mail is encrypted to what was
kept. By milter, SMTP and LMTP; with RSA and P-256 keys. At the end a mailbox of Alice's domain is
full, and nothing that was encrypted goes back in clear.
"""

import concurrent.futures
import json
import os
import sys
import time
import traceback

import clients
import mtas
import readers
from dovecot import Dovecot
from machine import HOST, Workshop, run, wait_until
from opendkim import DkimKeys, OpenDKIM
from pki import Authority
from postfix import Postfix
from samples import expect
from waxseal import binary, write_policy

KINDS = {"milter": mtas.PostfixMilter, "smtp": mtas.PostfixSmtp, "lmtp": mtas.PostfixLmtp}
KEYS = ("rsa", "p256")
PASSWORD = "secret"
GATEWAY = "127.0.0.7"           # from where gateway A speaks to Erin's Postfix

QUESTION = ("Subject: =?utf-8?q?Angebot_f=C3=BCr_K=C3=B6ln?=", "Angebot für Köln",
            "Liebe Erin,\n\nunser Angebot: Drachenfels, 12 Stück. Gruß, Alice")
ANSWER = ("Antwort: Grüße aus Köln", "Liebe Alice,\n\nschöne Grüße; die Zahlen hängen an.\nErin")
ATTACHMENT = ("Übersicht März.bin", bytes(range(256)) * 9)
SECRETS = ("Drachenfels", "schöne", "sch=C3=B6ne")


class Stage:
    """What the scenes share: the authority, mailboxes, DKIM at both ends."""

    def __init__(self, workshop, fronts):
        self.workshop, self.directory = workshop, workshop.directory
        self.authority = Authority(self.directory / "pki")
        people = [person(name, front, key) for name in ("alice", "erin")
                  for front in fronts for key in KEYS]
        full = [f"full.{front}@example.org" for front in fronts]
        passwords = {address: PASSWORD for address in people + full}
        self.dovecot = workshop.started(Dovecot(
            self.directory, passwords, {address: "*:bytes=100" for address in full})).start()
        keys = DkimKeys(self.directory)
        keys.key("example.org"), keys.key("partner.example")
        ours = OpenDKIM(self.directory, "ours", "example.org", keys, "gw.example.org")
        self.theirs = OpenDKIM(self.directory, "theirs", "partner.example", keys,
                               "mx.partner.example")
        for dkim in (ours, self.theirs):
            workshop.started(dkim).start()
        tls = self.authority.issue("postmaster@gw.example.org", "p256")
        self.users = mtas.Users(passwords, self.dovecot.sasl, tls, ours, keys.key("example.org"))


def person(name, front, key):
    return f"{name}.{front}.{key}@{'example.org' if name == 'alice' else 'partner.example'}"


class Mailboxes:
    """Dovecot, as a gateway's place to deliver to."""

    def __init__(self, port):
        self.port = port


class Scene:
    """One front end: gateway A and Erin's Postfix."""

    def __init__(self, stage, front):
        self.stage, self.front = stage, front
        self.directory = stage.directory / front
        self.directory.mkdir()
        authority = stage.authority
        self.alice = {key: authority.issue(person("alice", front, key), key, "alice") for key in KEYS}
        self.erin = {key: authority.issue(person("erin", front, key), key, "erin") for key in KEYS}
        # What she has today; the gateway knows only what she had.
        self.renewed = {key: authority.issue(person("erin", front, key), key, "renewed")
                        for key in KEYS}
        self.full = authority.issue(f"full.{front}@example.org", "p256")
        self.policy = write_policy(
            self.directory / "policy", [*self.alice.values(), self.full],
            [erin.certificate for erin in self.erin.values()], authority.root,
            must_encrypt=["partner.example"])

    def start(self):
        kind = KINDS[self.front]
        self.theirs = Postfix(self.directory, "theirs", "mx.partner.example", {
            "virtual_mailbox_domains": "partner.example",
            "virtual_mailbox_maps": "static:there",
            "virtual_transport": f"lmtp:inet:{HOST}:{self.stage.dovecot.lmtp}",
            "smtpd_milters": f"inet:{HOST}:{self.stage.theirs.port}",
            "milter_default_action": "tempfail",
            "smtp_bind_address": mtas.OUTSIDE,
        })
        self.theirs_port = self.theirs.smtpd()
        self.gateway = kind(self.directory, self.policy, self.stage.users, Mailboxes(
            self.theirs_port), Mailboxes(self.stage.dovecot.lmtp))
        self.gateway.address = GATEWAY
        self.theirs.settings["relayhost"] = f"[{HOST}]:{self.gateway.mx}"
        self.stage.workshop.started(self.theirs).start()
        self.stage.workshop.started(self.gateway).start()
        return self

    def play(self):
        for act in (*(lambda key=key: self.dialogue(key) for key in KEYS), self.mailbox_full):
            try:
                act()
            except Exception as error:
                raise RuntimeError(
                    f"{self.front}: {error}\n--- gateway:\n{self.gateway.said()[-6000:]}\n"
                    f"--- waxseal:\n{self.gateway.waxseal.said()[-4000:]}\n"
                    f"--- Erin's Postfix:\n{self.theirs.said()[-3000:]}") from error
        return self.front

    def say(self, key, text, begun):
        print(f"  {self.front:6} {key:5} {text:58} {time.monotonic() - begun:5.1f} s", flush=True)

    # -------------------------------------------------------------------------- question, answer

    def dialogue(self, key):
        begun = time.monotonic()
        alice, erin, renewed = self.alice[key], self.erin[key], self.renewed[key]
        self.alice_writes(key, alice, erin.address)
        received = self.stage.dovecot.fetch(erin.address)
        self.dkim_passed(received, "mx.partner.example", "example.org")
        self.for_exactly(received, erin, alice)
        self.say(key, "Alice's mail left signed and encrypted, DKIM after us", begun)

        self.everybody_reads(key, received, alice, erin)
        self.say(key, "Erin's programs decrypt it and verify it", begun)

        expect(self.harvested(renewed), False)
        self.erin_answers(key, received, alice, renewed)
        self.alice_reads(alice, erin.address)
        expect(self.harvested(renewed), True)
        self.say(key, "Erin's answer arrived plain and verified; certificate kept", begun)

        self.forget(erin)
        self.alice_writes(key, alice, erin.address)
        received = self.stage.dovecot.fetch(erin.address, 2)
        self.for_exactly(received, renewed, alice)
        self.say(key, "Alice's next mail is encrypted to what was kept", begun)

    def alice_writes(self, key, alice, to):
        """By swaks, as a logged-in user of the submission port, over TLS."""
        subject, _, text = QUESTION
        mail = self.directory / f"question-{key}.eml"
        mail.write_text(f"From: {alice.address}\nTo: {to}\n{subject}\nMIME-Version: 1.0\n"
                        f"Date: Sun, 29 Nov 2026 12:00:00 +0000\n"
                        f"Message-ID: <{time.monotonic()}@example.org>\n"
                        "Content-Type: text/plain; charset=utf-8\n"
                        f"Content-Transfer-Encoding: 8bit\n\n{text}\n")
        run("swaks", "--server", f"{HOST}:{self.gateway.submission}", "--tls", "--auth", "PLAIN",
            "--auth-user", alice.address, "--auth-password", PASSWORD, "--from", alice.address,
            "--to", to, "--data", f"@{mail}", "--hide-all")

    def dkim_passed(self, mail, who, domain):
        """Whoever delivered this verified DKIM, of the mail as it came out of the other side."""
        results = [str(r) for r in readers.parse(mail).get_all("Authentication-Results", [])]
        passed = [r for r in results if r.startswith(f"{who};") and "dkim=pass" in r
                  and f"header.d={domain}" in r]
        expect(len(passed), 1) if passed else expect(results, f"dkim=pass by {who}")

    def for_exactly(self, mail, erin, alice):
        """An envelope for this certificate of Erin's and no other but the sender's; read by
        OpenSSL."""
        expect(readers.encrypted(mail), True)
        for secret in SECRETS:
            expect(secret.encode() in mail, False)
        serials = readers.recipient_serials(mail)
        expect(serials, [readers.serial_of(erin.certificate)])
        content, signers = readers.verify(readers.decrypt(mail, erin), self.stage.authority.root)
        expect(signers, [alice.address])
        self.is_question(mail, content)

    def is_question(self, mail, content):
        _, subject, text = QUESTION
        expect(str(readers.parse(mail)["Subject"]), subject)
        expect(readers.content_leaves(content), [("text/plain", None, text.encode())])

    def everybody_reads(self, key, mail, alice, erin):
        """Each of Erin's programs; what one cannot do is stated in clients.DECRYPTS, and held."""
        scratch = self.directory / f"clients-{key}"
        scratch.mkdir()
        root, imap = self.stage.authority.root, self.stage.dovecot.imap
        inner = readers.decrypt(mail, erin)
        engines = [clients.Nss(scratch, erin, root, key),
                   self.stage.workshop.started(clients.Gpgsm(scratch, erin, root, key))]
        for engine in engines:
            content = self.reads(engine, key, lambda: engine.open(mail, alice.address))
            # Without the key, it still judges the signature inside.
            content = content or engine.check(inner, alice.address)
            self.is_question(mail, content)
        snail = clients.SNail(scratch, erin, root, PASSWORD, imap)
        if opened := self.reads(snail, key, lambda: snail.open(1, alice.address)):
            self.is_question(mail, opened)
        mutt = clients.NeoMutt(scratch, erin, root, PASSWORD, imap)
        shown = self.reads(mutt, key, lambda: mutt.open(1, alice.address))
        expect(QUESTION[1] in shown and QUESTION[2] in shown, True)

    def reads(self, program, key, reading):
        """What the program read; None where it is known that it cannot, and it did not."""
        can = key in clients.DECRYPTS[program.name]
        try:
            opened = reading()
        except clients.Unread:
            if can:
                raise
            return None
        expect(can, True)
        return opened

    def erin_answers(self, key, received, alice, renewed):
        """By s-nail with RSA keys, by neomutt with P-256 keys. She encrypts to the certificate
        that came with Alice's signature."""
        scratch = self.directory / f"answer-{key}"
        scratch.mkdir()
        root, imap = self.stage.authority.root, self.stage.dovecot.imap
        certificate = scratch / "alice.pem"
        readers.verify(readers.decrypt(received, self.erin[key]), root, certificate)
        attachment = scratch / ATTACHMENT[0]
        attachment.write_bytes(ATTACHMENT[1])
        program = (clients.SNail(scratch, renewed, root, PASSWORD, imap) if key == "rsa" else
                   clients.NeoMutt(scratch, renewed, root, PASSWORD, imap,
                                   [(alice.address, certificate)]))
        program.send(alice.address, certificate, *ANSWER, attachment, self.theirs_port)

    def alice_reads(self, alice, erin):
        """Over IMAP: plain, with Erin's parts and subject, and what both checks found."""
        got = self.stage.dovecot.fetch(alice.address)
        message = readers.parse(got)
        expect(str(message["Subject"]), ANSWER[0])
        expect(message["From"].addresses[0].addr_spec, erin)
        text, attachment = readers.content_leaves(got)
        expect((text[0], text[2].decode()), ("text/plain", ANSWER[1]))
        expect(attachment[1:], ATTACHMENT)
        self.dkim_passed(got, "gw.example.org", "partner.example")
        smime = [r for r in map(str, message.get_all("Authentication-Results"))
                 if "smime=" in r]
        expect([("smime=pass" in r, r.startswith("gw.example.org")) for r in smime],
               [(True, True)])

    def harvested(self, erin):
        """The policy's store has this certificate, from a received mail."""
        listed = json.loads(run(binary(), "cert", "list", "--policy", self.policy, "--address",
                                erin.address, "--origin", "harvested", "--json"))
        mark = run("openssl", "x509", "-in", erin.certificate, "-noout", "-fingerprint",
                   "-sha256").decode().strip().split("=")[1].replace(":", "").lower()
        return mark in json.dumps(listed).replace(":", "").lower()

    def forget(self, erin):
        """The operator removes Erin's old certificate while the gateway runs."""
        before = self.generation()
        for file in (self.policy / "certificates").iterdir():
            if file.read_bytes() == erin.certificate.read_bytes():
                file.unlink()
        self.gateway.waxseal.command("reload")
        wait_until(lambda: self.generation() != before, "the new generation")

    def generation(self):
        # It exits 1 when it runs and something is degraded, such as a certificate about to end.
        status = self.gateway.waxseal.command("status", "--json", codes=(0, 1))
        return json.loads(status)["active"]["id"]

    # ------------------------------------------------------------------------------ mailbox full

    def mailbox_full(self):
        """Dovecot refuses for want of room what the gateway has decrypted."""
        begun = time.monotonic()
        key = KEYS[0]
        erin = self.renewed[key]
        count = len(self.stage.dovecot.mails(erin.address))
        text = "Content-Type: text/plain\r\n\r\nder Schlüssel ist Drachenfels\r\n" + "schöne Worte\r\n" * 99
        mail = readers.openssl_mail(
            f"From: {erin.address}\nTo: {self.full.address}\nSubject: Geheim\n"
            f"Message-ID: <{time.monotonic()}@partner.example>\n", text.encode(), erin,
            self.full.certificate)
        self.theirs.sendmail(erin.address, [self.full.address], mail.replace(b"\r\n", b"\n"))
        report = self.stage.dovecot.fetch(erin.address, count + 1)
        expect("5.2.2" in report.decode(errors="replace"), True)
        expect(readers.parse(report).get_content_type(), "multipart/report")
        for leaf in (report, *(content for _, _, content in readers.leaves(report))):
            for secret in SECRETS:
                expect(secret.encode() in leaf, False)
        self.say("", "a full mailbox returned no plain text", begun)


def main(fronts):
    unknown = set(fronts) - set(KINDS)
    if unknown:
        raise SystemExit(f"error: no such front end: {' '.join(unknown)}")
    fronts = fronts or list(KINDS)
    begun, failed = time.monotonic(), []
    with Workshop("scene") as workshop:
        stage = Stage(workshop, fronts)
        scenes = [Scene(stage, front) for front in fronts]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            plays = {pool.submit(lambda s=scene: s.start().play()): scene for scene in scenes}
            for done in concurrent.futures.as_completed(plays):
                if done.exception():
                    failed.append(plays[done].front)
                    traceback.print_exception(done.exception())
        if failed:
            raise SystemExit(f"failed: {', '.join(failed)}")
    print(f"the scene by {', '.join(fronts)}, with {' and '.join(KEYS)} keys: "
          f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
