#!/usr/bin/env python3
"""Proves the harness with OpenSSL as the producer: it says `same` of what is right, and finds
what was broken on purpose. Needs no corpus and no Waxseal."""

import contextlib
import io
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

import ciphertexts
import compare
import covert
import efail
import harness
import identities
import layers
import open as scoreboard
import opening
import producers
import surgery

MAIL = b"""From: Anna <anna@example.org>
To: reader@corpus.example
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
Date: Tue, 24 Nov 2026 10:00:00 +0000
Message-ID: <1@example.org>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe aus K=F6ln, and enough lines for a wrap
--x
Content-Type: application/octet-stream
Content-Disposition: attachment; filename="numbers.bin"
Content-Transfer-Encoding: base64

AAECAwQFBgcICQoLDA0ODw==
--x
Content-Type: message/rfc822

Subject: the one inside

a nested text
--x--
"""


class Comparator(unittest.TestCase):
    def check(self, before, after, expected):
        """Replaces one piece of MAIL and expects a difference that says so, or none."""
        self.assertIn(before, MAIL)
        found = "; ".join(compare.content_differences(MAIL, MAIL.replace(before, after)))
        if expected is None:
            self.assertEqual(found, "")
        else:
            self.assertIn(expected, found)

    def test_line_ends_do_not_count(self):
        self.check(b"\n", b"\r\n", None)

    def test_transfer_encoding_and_charset_of_text_do_not_count(self):
        self.check(b"charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n"
                   b"Gr=FC=DFe aus K=F6ln",
                   b"charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
                   + "Grüße aus Köln".encode(), None)

    def test_a_letter_counts(self):
        self.check(b"enough", b"enougj", "part 1.1: content")

    def test_a_lost_line_end_counts(self):
        self.check(b"a nested text\n", b"a nested text", "part 1.3.1: content")

    def test_an_octet_of_base64_counts(self):
        self.check(b"AAEC", b"AAED", "part 1.2: octets of base64")

    def test_a_line_end_inside_base64_counts(self):
        self.check(b"AAECAwQFBgcICQoLDA0ODw==", b"AAECAwQFBgcICQoLDA0NCg==", "octets of base64")

    def test_a_file_name_counts(self):
        self.check(b"numbers.bin", b"number.bin", "file name 'numbers.bin' became 'number.bin'")

    def test_a_content_type_counts(self):
        self.check(b"octet-stream", b"pdf", "content type")
        self.check(b"multipart/mixed", b"multipart/digest", "multipart/mixed became")

    def test_a_lost_part_counts(self):
        self.check(b"--x\nContent-Type: message/rfc822\n\nSubject: the one inside\n\n"
                   b"a nested text\n", b"", "6 parts became 3")

    def test_the_header_of_a_message_inside_counts(self):
        self.check(b"the one inside", b"another one", "header of the message inside")

    def test_a_field_outside_counts(self):
        changed = MAIL.replace(b"anna@", b"anne@")
        self.assertIn("field from", compare.outside_differences(MAIL, changed)[0])
        self.assertEqual(compare.outside_differences(MAIL, MAIL.replace(b"\n", b"\r\n")), [])


class Harness(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.path = Path(cls.directory.name)
        cls.root = identities.make_root(cls.path)
        cls.sender = identities.make(cls.path, "gateway", harness.SENDER)
        cls.recipient = identities.make(cls.path, "reader", harness.RECIPIENT)
        cls.mail = cls.path / "mail.txt"
        cls.mail.write_bytes(MAIL)

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def check(self, damage, policy, expected):
        run = harness.Run(producers.OpenSslProducer(self.sender, self.recipient, damage),
                          layers.OpenSsl(self.recipient, self.root))
        run.mail("set", 0, self.mail, policy)
        self.assertEqual([key[2] for key in run.outcomes], [expected], run.failures)
        self.assertEqual(bool(run.failures), expected in harness.FAILURES)

    def test_what_is_right_is_the_same(self):
        for policy in producers.POLICIES:
            with self.subTest(policy):
                self.check(None, policy, "same")

    def test_changed_content_is_different(self):
        for policy in producers.POLICIES:
            with self.subTest(policy):
                self.check("content", policy, "different")

    def test_a_damaged_signature_fails(self):
        for policy in ("sign", "sign-opaque", "triple-wrap"):
            with self.subTest(policy):
                self.check("signature", policy, "openssl failed")

    def test_a_damaged_ciphertext_fails(self):
        self.check("ciphertext", "encrypt-gcm", "openssl failed")

    def test_damaged_cbc_is_noticed_by_the_comparison_at_the_latest(self):
        with self.assertRaises(AssertionError):
            self.check("ciphertext", "encrypt", "same")

    def test_a_layer_too_few_fails(self):
        signed = producers.OpenSslProducer(self.sender, self.recipient).produce(self.mail, "sign")
        reader = layers.OpenSsl(self.recipient, self.root)
        with self.assertRaises(layers.Unread):
            layers.open_all(signed.mail, reader, ["signed", "encrypted", "signed"])


class Judgement(unittest.TestCase):
    def check(self, script, expected):
        with tempfile.TemporaryDirectory() as out:
            done = subprocess.run(["sh", "-c", script, "sh", out], capture_output=True)
            produced = producers.judge(done, Path(out))
        got = produced.broken or f"error {produced.error}"
        self.assertTrue(got.startswith(expected), got)

    def test_how_a_process_can_end(self):
        self.check("echo \"thread 'main' panicked at x\" >&2; exit 101", "panic")
        self.check("kill -SEGV $$", "panic")
        self.check("exit 1", "silent failure")
        self.check("exit 0", "exit 0 without one copy")
        self.check("echo '{\"copies\": []}'", "exit 0 without one copy")
        self.check("touch $1/a; echo '{\"copies\": [{\"file\": \"a\", \"protections\": []}]}'",
                   "exit 0 with an empty copy")
        self.check("echo '{\"causes\": [{\"code\": \"certificate.expired\"}]}'; exit 69",
                   "error certificate.expired")
        self.check("echo 'error: message.too-deep: 64' >&2; exit 65", "error message.too-deep")

    def test_clear_mail_without_protection_is_a_failure(self):
        run = harness.Run(None, None)
        for policy in producers.POLICIES:
            left = run.outcome(MAIL, producers.Produced(mail=MAIL, protections=[]), policy)
            self.assertEqual(left[0], "different", policy)

    def test_smime_that_is_passed_on(self):
        run = harness.Run(None, None)
        smime = (b"From: a@example.org\nContent-Type: application/pkcs7-mime;"
                 b" smime-type=enveloped-data\nContent-Transfer-Encoding: base64\n\nAAEC\n")
        same = run.outcome(smime, producers.Produced(mail=smime), "encrypt")
        self.assertEqual(same[0], "already protected")
        changed = smime.replace(b"AAEC\n", b"AAEC\n\n")
        self.assertEqual(run.outcome(smime, producers.Produced(mail=changed), "encrypt")[0],
                         "different")


class Refusals(unittest.TestCase):
    def test_a_gateway_that_refuses_everything_fails(self):
        few = {("s", "sign", "same"): 99, ("s", "sign", "named error: message.limit"): 1}
        many = {("s", "sign", "same"): 95, ("s", "sign", "named error: message.limit"): 5}
        self.assertEqual(harness.too_many_errors(few), [])
        self.assertEqual(len(harness.too_many_errors(many)), 1)


class Table(unittest.TestCase):
    def test_counts_by_set_and_policy(self):
        run = harness.Run(None, None)
        run.count("one", Path("a"), "sign", "same", "", [])
        run.count("one", Path("b"), "sign", "named error: message.too-deep", "", [])
        run.count("two", Path("c"), "sign", "already protected", "", [("gpgsm", "read", "")])
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            print(run.table(["sign"]))
        rows = [line.split() for line in printed.getvalue().splitlines()]
        self.assertIn(["one", "sign", "2", "1", "0", "0", "0", "0", "message.too-deep", "1"], rows)
        self.assertIn(["all", "sign", "3", "1", "1", "0", "0", "0", "message.too-deep", "1"], rows)
        self.assertIn(["gpgsm", "sign", "1", "0", "0", "0"], rows)


class Attacks(unittest.TestCase):
    """OpenSSL, which decrypts whatever CBC gives, falls for what Waxseal must refuse."""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        path = Path(cls.directory.name)
        cls.people = covert.People(path)
        source = ciphertexts.Ciphertexts(path / "no corpus", path, cls.people)
        cls.samples = {sample.name: sample for sample in source.fresh()}

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def openssl(self, octets):
        bob = self.people.bob
        return self.people.openssl(octets, "cms", "-decrypt", "-binary", "-inform", "DER",
                                   "-recip", bob.certificate, "-inkey", bob.key)

    def test_taken_apart_and_put_together_it_is_the_same(self):
        for sample in self.samples.values():
            self.assertEqual(surgery.parse(sample.octets).encode(), sample.octets, sample.name)
            self.assertEqual(self.openssl(sample.octets), sample.known)

    def test_an_image_goes_into_html(self):
        sample = self.samples["html aes-256-cbc"]
        inside = self.openssl(surgery.image_inside(sample.octets, sample.known))
        self.assertEqual(inside[:32], sample.known[:32])
        for piece in (b"<img src=\"http:/", b"/efail.example/"):
            self.assertIn(piece, inside)

    def test_the_content_goes_into_an_address(self):
        sample = self.samples["text aes-256-cbc"]
        inside = self.openssl(surgery.html_exfiltration(sample.octets, sample.known))
        self.assertTrue(inside.startswith(b"Content-type: te"))
        image, secret = inside.find(b"\" src="), inside.find(ciphertexts.SECRET)
        self.assertTrue(0 < image < secret, inside)

    def test_the_first_block_changes_without_noise(self):
        sample = self.samples["text aes-128-cbc"]
        octets = surgery.first_block(sample.octets, sample.known, b"X-Was-Changed: 1")
        self.assertEqual(self.openssl(octets), b"X-Was-Changed: 1" + sample.known[16:])

    def test_signed_mails_are_what_they_claim(self):
        for detached in (True, False):
            signed = self.people.sign(covert.ENTITY, self.people.alice, detached=detached)
            inside = self.people.openssl(b"MIME-Version: 1.0\r\n" + signed, "cms", "-verify",
                                         "-CAfile", self.people.root)
            self.assertEqual(inside.replace(b"\r\n", b"\n"),
                             covert.ENTITY.replace(b"\r\n", b"\n"))


class Opening(unittest.TestCase):
    """A script in the place of Waxseal."""

    def run_as(self, script, judge=opening.decrypted):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "program")
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o700)
            return judge(opening.Waxseal(path, Path(directory)).open("/dev/null"))[0]

    def report(self, **layer):
        layer = {"kind": "encrypted", "form": "enveloped-data", "state": "decrypted",
                 "signatures": [], **layer}
        return "echo '" + json.dumps({"layers": [layer], "verdict": layer["state"]}) + "'"

    def test_how_a_run_can_end(self):
        self.assertEqual(self.run_as(self.report()), "ok")
        self.assertEqual(self.run_as(self.report(state="damaged") + "; exit 1"), "fail")
        self.assertEqual(self.run_as("exit 65"), "fail")
        for script in ("exit 101", "exit 2", "kill -SEGV $$",
                       "echo \"thread 'main' panicked\" >&2; exit 1"):
            self.assertEqual(self.run_as(script), "crash", script)

    def test_a_signature_is_right_only_with_exit_code_0(self):
        valid = [{"state": "valid", "cryptographic": "valid"}]
        signed = self.report(kind="signed", form="signed-data", state="valid", signatures=valid)
        self.assertEqual(self.run_as(signed, opening.verified), "ok")
        self.assertEqual(self.run_as(f"{signed}; exit 1", opening.verified), "fail")
        none = self.report(kind="signed", form="signed-data", state="valid")
        self.assertEqual(self.run_as(none, opening.verified), "fail")

    def test_a_changed_mail_that_is_verified_fails_the_run(self):
        tally = efail.Tally()
        done = opening.Done(0, {"layers": [], "verdict": "valid"}, b"secret")
        tally.judge("attack", "name", done, efail.REFUSED, b"secret", 1)
        self.assertEqual(len(tally.failures), 3, tally.failures)

    def test_fewer_than_openssl_fails_the_run(self):
        row = {"set": "s", "file": "f", "operation": "o", "expected": "ok", "openssl": "ok",
               "ours": "fail", "why": "", "agrees": False, "openssl-agrees": True, "reason": None}
        self.assertEqual(len(scoreboard.failures([row])), 2)
        self.assertEqual(scoreboard.failures([row | {"reason": "on purpose"}]), [])
        crash = row | {"expected": "nocrash", "ours": "crash", "reason": "none will do"}
        self.assertEqual(len(scoreboard.failures([crash])), 1)


if __name__ == "__main__":
    unittest.main()
