#!/usr/bin/env python3
"""Proves the harness with OpenSSL as the producer: it says `same` of what is right, and finds
what was broken on purpose. Needs no corpus and no Waxseal."""

import contextlib
import io
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

import compare
import harness
import identities
import layers
import producers

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


if __name__ == "__main__":
    unittest.main()
