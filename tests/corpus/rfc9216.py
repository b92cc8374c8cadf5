#!/usr/bin/env python3
"""The sample identities of RFC 9216 sign and receive: Alice and Bob with RSA, Carlos and Dana
with Ed25519 and X25519.

    rfc9216.py --waxseal BINARY [--dist FILTERS] [--corpus DIR]

Each signs (with PEM files, and with the PKCS#12 of the RFC), each is encrypted to, and each pair
does both. Each mail must be read whole by at least one program that is not Waxseal, and what a
program can read by design it must read. What a program cannot by design:
    OpenSSL 3.0         cms knows neither Ed25519 nor X25519
    gpgsm 2.2, NSS      alike; and gpgsm takes the cross certificate that the PKCS#12 brings for
                        the issuer, and then misses the Ed25519 root
    Bouncy Castle 1.72  no X25519 recipients: the envelope is opened by the steps of RFC 8418
"""

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.dont_write_bytecode = True

import compare
import harness
import identities
import layers
import policy_directories
import producers
import second_readers
import x25519_reader

MAIL = b"""From: Alice Lovelace <alice@smime.example>\r
To: everybody@smime.example\r
Subject: vectors\r
Message-ID: <rfc9216@smime.example>\r
Date: Tue, 24 Nov 2026 10:00:00 +0000\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=x\r
\r
--x\r
Content-Type: text/plain; charset=utf-8\r
\r
This is the message.\r
--x\r
Content-Type: application/octet-stream; name=vector.bin\r
Content-Transfer-Encoding: base64\r
\r
AAECAwQFBgc=\r
--x--\r
"""


@dataclass
class Person:
    name: str
    section: int
    root_file: str
    rsa: bool


PEOPLE = [Person("alice", 4, "3-1", True), Person("bob", 5, "3-1", True),
          Person("carlos", 7, "6-1", False), Person("dana", 8, "6-1", False)]


class Material:
    """The files of the RFC, and what programs need them as."""

    def __init__(self, corpus, directory):
        self.corpus, self.directory = corpus / "rfc9216", directory

    def file(self, prefix, ending):
        return next(self.corpus.glob(f"{prefix}-*.{ending}"))

    def p12(self, person):
        return next(self.corpus.glob(f"{person.section}-5-*.p12"))

    def signing(self, person):
        """Certificate and key in one file."""
        pem = self.directory / f"{person.name}-signing.pem"
        parts = [self.file(f"{person.section}-1", "crt"), self.file(f"{person.section}-2", "key")]
        pem.write_text("".join(part.read_text() for part in parts))
        return pem

    def root(self, person):
        return self.file(person.root_file, "crt")

    def encryption(self, person):
        """The encryption identity. gpgsm and NSS want an old-fashioned PKCS#12."""
        certificate = self.file(f"{person.section}-3", "crt")
        key = self.file(f"{person.section}-4", "key")
        p12 = self.directory / f"{person.name}.p12"
        if person.rsa and not p12.exists():
            identities.openssl("pkcs12", "-export", "-in", certificate, "-inkey", key,
                               "-name", person.name, "-out", p12,
                               "-passout", f"pass:{identities.PASSPHRASE}",
                               "-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES",
                               "-macalg", "sha1")
        return identities.Identity(f"{person.name}@smime.example", certificate, key, p12,
                                   self.root(person))


@dataclass
class Case:
    mode: str
    expected: list
    signer: Person
    recipient: Person
    form: str = "pem"    # of the signer's identity


def cases():
    for person in PEOPLE:
        yield Case("sign", ["signed"], person, PEOPLE[0])
        yield Case("sign", ["signed"], person, PEOPLE[0], "p12")
    for person in PEOPLE:
        yield Case("encrypt", ["encrypted"], PEOPLE[0], person)
    for signer in PEOPLE:
        for recipient in PEOPLE:
            yield Case("sign-encrypt", ["encrypted", "signed"], signer, recipient)


def policy(directory, dist, material, case):
    """A policy whose gateway is the signer."""
    name = f"{case.mode}-{case.signer.name}-{case.recipient.name}-{case.form}"
    p12 = case.form == "p12"
    policy_directories.write(
        directory / "rfc9216" / name, dist, {"mode": case.mode, "cipher": "aes-256-cbc"},
        recipients=[material.encryption(case.recipient)],
        address=f"{case.signer.name}@smime.example",
        identity=material.p12(case.signer) if p12 else material.signing(case.signer),
        passphrase=case.signer.name if p12 else None)
    return name


class Both:
    """Decrypts with one reader and verifies with another."""

    def __init__(self, decrypts, verifies):
        self.decrypt, self.verify = decrypts.decrypt, verifies.verify
        self.name = f"{decrypts.name}, then {verifies.name}"


def able(reader, case):
    """Can this program read this by design?"""
    steps = reader.name == x25519_reader.X25519Reader.name
    signed, encrypted = "sign" in case.mode, "encrypt" in case.mode
    if signed and (steps or not case.signer.rsa and "Bouncy Castle" not in reader.name):
        return False
    if signed and case.form == "p12" and reader.name == "gpgsm":
        return False
    if encrypted:
        return case.recipient.rsa != reader.name.startswith(x25519_reader.X25519Reader.name)
    return not reader.name.startswith(x25519_reader.X25519Reader.name)


def readers_for(seconds, material, recipient, roots):
    openssl = layers.OpenSsl(material.encryption(recipient), roots)
    bouncy_castle = next((r for r in seconds if "Bouncy" in r.name), None)
    steps = x25519_reader.X25519Reader(material.encryption(recipient).key)
    found = [openssl, *seconds, steps]
    if bouncy_castle:
        found.append(Both(steps, bouncy_castle))
    return found


def main():
    arguments = parse_arguments()
    if not (arguments.corpus / "rfc9216").is_dir():
        print(f"RFC 9216 did NOT run: nothing at {arguments.corpus}", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") else 0)
    with tempfile.TemporaryDirectory() as directory:
        sys.exit(run(arguments, Path(directory)))


def run(arguments, directory):
    material = Material(arguments.corpus, directory)
    mail = directory / "mail.eml"
    mail.write_bytes(MAIL)
    roots = directory / "roots.pem"
    both = [material.file("3-1", "crt"), material.file("6-1", "crt")]
    roots.write_text("".join(f.read_text() for f in both))
    seconds, missing = second_readers.start(
        directory, [material.encryption(p) for p in PEOPLE], both)
    rows, failures = [("mode", "signer", "recipient", "read by", "failed")], list(missing)
    try:
        for case in cases():
            producer = producers.Waxseal(arguments.waxseal, directory / "rfc9216",
                                         f"{case.signer.name}@smime.example",
                                         [f"{case.recipient.name}@smime.example"])
            name = policy(directory, arguments.dist, material, case)
            read, failed = judged(producer.produce(mail, name), case,
                                  readers_for(seconds, material, case.recipient, roots))
            rows.append((case.mode, f"{case.signer.name} ({case.form})" if "sign" in case.mode
                         else "-", case.recipient.name if "encrypt" in case.mode else "-",
                         "; ".join(read) or "NOBODY", "; ".join(failed) or "-"))
            if not read or failed:
                failures.append(" ".join(rows[-1]))
    finally:
        for reader in seconds:
            reader.close()
    print("\n".join(harness.aligned(rows)))
    for failure in failures:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


def judged(produced, case, readers):
    if produced.mail is None:
        return [], [f"waxseal: {produced.error or produced.broken}"]
    read, failed = [], []
    for reader in readers:
        if not able(reader, case):
            continue
        try:
            inside = layers.open_all(produced.mail, reader, case.expected)
        except layers.Unread as error:
            failed.append(f"{reader.name}: {error}")
            continue
        found = compare.content_differences(MAIL, inside)
        if found:
            failed.append(f"{reader.name}: {found}")
        else:
            read.append(reader.name)
    return read, failed


def parse_arguments():
    repository = Path(__file__).resolve().parent.parent.parent
    corpus = Path(os.environ.get("WAXSEAL_CORPUS", repository.parent / "shared" / "corpus"))
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waxseal", type=Path, required=True)
    parser.add_argument("--dist", type=Path, default=repository / "filters" / "dist")
    parser.add_argument("--corpus", type=Path, default=corpus)
    return parser.parse_args()


if __name__ == "__main__":
    main()
