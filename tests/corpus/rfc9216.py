#!/usr/bin/env python3
"""The sample identities of RFC 9216 sign and receive: Alice and Bob with RSA, Carlos and Dana
with Ed25519 and X25519.

    rfc9216.py --waxseal BINARY [--dist FILTERS] [--corpus DIR]

Each signs, each is encrypted to, and each pair does both. Every program reads what it can; each
mail must be read whole by at least one that is not Waxseal, and what a program can read by
design it must read. What a program cannot by design:
    OpenSSL 3.0     cms knows neither Ed25519 nor X25519
    gpgsm 2.2, NSS  alike; nor AuthEnvelopedData
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


def policy(directory, dist, material, signer, recipient, settings):
    """A policy whose gateway signs with the person's own PKCS#12."""
    name = f"{settings['mode']}-{signer.name}-{recipient.name}"
    at = directory / "rfc9216" / name
    policy_directories.write(
        at, dist, settings, recipients=[material.encryption(recipient)],
        address=f"{signer.name}@smime.example", identity=material.p12(signer),
        passphrase=signer.name)
    return name


def cases():
    for person in PEOPLE:
        yield "sign", ["signed"], person, PEOPLE[0]
    for person in PEOPLE:
        yield "encrypt", ["encrypted"], PEOPLE[0], person
    for signer in PEOPLE:
        for recipient in PEOPLE:
            yield "sign-encrypt", ["encrypted", "signed"], signer, recipient


class Both:
    """Decrypts with one reader and verifies with another."""

    def __init__(self, decrypts, verifies):
        self.decrypt, self.verify = decrypts.decrypt, verifies.verify
        self.name = f"{decrypts.name}, then {verifies.name}"


def able(reader, mode, signer, recipient):
    """Can this program read this by design?"""
    signature = "sign" not in mode or signer.rsa or "Bouncy Castle" in reader.name
    if "encrypt" not in mode:
        return signature and "steps" not in reader.name
    if "steps" in reader.name:
        return signature and not recipient.rsa
    return signature and recipient.rsa


def readers_for(seconds, material, recipient, roots):
    openssl = layers.OpenSsl(material.encryption(recipient), roots)
    bouncy_castle = next((r for r in seconds if "Bouncy" in r.name), None)
    steps = x25519_reader.X25519Reader(material.encryption(recipient).key)
    found = [openssl, *seconds, steps]
    if bouncy_castle:
        found.append(Both(steps, bouncy_castle))
        found.append(Both(openssl, bouncy_castle))
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
        for mode, expected, signer, recipient in cases():
            settings = {"mode": mode, "cipher": "aes-256-cbc"}
            name = policy(directory, arguments.dist, material, signer, recipient, settings)
            producer = producers.Waxseal(arguments.waxseal, directory / "rfc9216",
                                         f"{signer.name}@smime.example",
                                         [f"{recipient.name}@smime.example"])
            produced = producer.produce(mail, name)
            read, failed = judged(produced, expected, mode, signer, recipient,
                                  readers_for(seconds, material, recipient, roots))
            rows.append((mode, signer.name, recipient.name if "encrypt" in mode else "-",
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


def judged(produced, expected, mode, signer, recipient, readers):
    if produced.mail is None:
        return [], [f"waxseal: {produced.error or produced.broken}"]
    read, failed = [], []
    for reader in readers:
        if not able(reader, mode, signer, recipient):
            continue
        try:
            inside = layers.open_all(produced.mail, reader, expected)
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
