#!/usr/bin/env python3
"""What GnuPG's gpgsm and NSS's cmsutil sign and encrypt, `waxseal open` opens.

    other_makers.py --waxseal BINARY

Each signs detached and opaque, with every option that changes the structure, and encrypts to one
and to two recipients; each object is read bare and as a mail, and the content compared octet for
octet. Fails when one is not read, or a program is missing where CI is set.
"""

import argparse
import base64
import os
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True

import covert
import second_readers
from harness import aligned
from opening import Waxseal, decrypted, verified

ENTITY = b"Content-Type: text/plain\r\n\r\nThe merger is on Friday.\r\n" + b"Line by line.\r\n" * 9


class Maker:
    """A program, called on the files `entity` and `made` of a directory."""

    def __init__(self, reader, directory):
        self.reader, self.name = reader, reader.name
        self.entity, self.made = directory / "entity", directory / "made"
        self.entity.write_bytes(ENTITY)

    def run(self, *command, **more):
        self.made.unlink(missing_ok=True)
        done = self.reader.call(*command, **more)
        return self.made.read_bytes() if self.made.exists() else done.stdout


class GpgsmMaker(Maker):
    def sign(self, detached, *options):
        form = ["--detach-sign"] if detached else ["--sign"]
        return self.gpgsm("--local-user", covert.ALICE, *options, *form)

    def encrypt(self, recipients, *options):
        to = [a for r in recipients for a in ("--recipient", r)]
        return self.gpgsm(*to, *options, "--encrypt")

    def gpgsm(self, *arguments):
        return self.run("gpgsm", "--passphrase-fd", "0", "--output", self.made, *arguments,
                        self.entity, env=self.reader.env, stdin=self.reader.PASSPHRASE)

    def signatures(self):
        for detached in (True, False):
            yield detached, "", self.sign(detached)
            for digest in ("SHA384", "SHA512"):
                yield detached, digest, self.sign(detached, "--digest-algo", digest)
            for chain in ("0", "-1", "1"):
                yield detached, f"chain {chain}", self.sign(detached, "--include-certs", chain)

    def envelopes(self):
        for cipher in ("AES128", "AES256"):
            yield cipher, self.encrypt([covert.BOB], "--cipher-algo", cipher)
        yield "3DES", self.encrypt([covert.BOB], "--cipher-algo", "3DES")
        yield "two recipients", self.encrypt([covert.MALLORY, covert.BOB])


class NssMaker(Maker):
    def cmsutil(self, *arguments):
        return self.run("cmsutil", *arguments, "-d", self.reader.database, "-i", self.entity,
                        "-o", self.made)

    def signatures(self):
        for detached in (True, False):
            form = ["-T"] if detached else []
            for options in ([], ["-G"], ["-G", "-P"], ["-H", "SHA384"], ["-H", "SHA512"],
                            ["-G", "-P", "-Y", "alice"]):
                yield detached, " ".join(options), self.cmsutil("-S", "-N", "alice", *form,
                                                                *options)

    def envelopes(self):
        yield "one recipient", self.cmsutil("-E", "-r", covert.BOB)
        yield "two recipients", self.cmsutil("-E", "-r", f"{covert.MALLORY},{covert.BOB}")


class Board:
    def __init__(self, waxseal, people):
        self.waxseal, self.people = waxseal, people
        self.rows, self.failures = [("maker", "what", "options", "bare", "as a mail")], []

    def signed(self, maker, detached, options, octets):
        trust = ["--anchor", self.people.root, "--cert", self.people.alice.certificate]
        content = ["--content", maker.entity] if detached else []
        bare = verified(self.bare(octets, *trust, *content, "--any-signer"),
                        None if detached else ENTITY)
        mail = verified(self.waxseal.open_octets(
            covert.mail(entity(octets, detached)), *trust), ENTITY)
        self.row(maker, "detached" if detached else "opaque", options, bare, mail)

    def encrypted(self, maker, options, octets):
        bob = self.people.bob
        keys = ["--identity", bob.certificate, "--key", bob.key, "--allow-weak"]
        bare = decrypted(self.bare(octets, *keys), ENTITY)
        part = covert.entity_of(octets, "enveloped-data")
        mail = decrypted(self.waxseal.open_octets(covert.mail(part), *keys), ENTITY)
        self.row(maker, "encrypted", options, bare, mail)

    def bare(self, octets, *arguments):
        return self.waxseal.open_octets(octets, "--form", "der", *arguments)

    def row(self, maker, what, options, bare, mail):
        self.rows.append((maker.name, what, options or "-", bare[0], mail[0]))
        for form, (result, why) in (("bare", bare), ("mail", mail)):
            if result != "ok":
                self.failures.append(f"{maker.name}, {what} {options}, {form}: {why}")


def entity(octets, detached):
    if not detached:
        return covert.entity_of(octets, "signed-data")
    signature = (b"Content-Type: application/pkcs7-signature; name=smime.p7s\r\n"
                 b"Content-Transfer-Encoding: base64\r\n\r\n"
                 + base64.encodebytes(octets).replace(b"\n", b"\r\n"))
    return covert.multipart(b"signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256",
                            ENTITY, signature)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waxseal", type=Path, required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        sys.exit(run(arguments.waxseal, Path(directory)))


def run(binary, directory):
    people = covert.People(directory)
    readers, missing = second_readers.start(
        directory, [people.alice, people.bob, people.mallory], [people.root],
        (second_readers.Gpgsm, second_readers.Nss))
    board = Board(Waxseal(binary, directory), people)
    kinds = {second_readers.Gpgsm: GpgsmMaker, second_readers.Nss: NssMaker}
    try:
        for reader in readers:
            maker = kinds[type(reader)](reader, directory)
            for detached, options, octets in maker.signatures():
                board.signed(maker, detached, options, octets)
            for options, octets in maker.envelopes():
                board.encrypted(maker, options, octets)
    finally:
        for reader in readers:
            reader.close()
    print("\n".join(aligned(board.rows)))
    print("\n".join([*(f"NOT run: {line}" for line in missing),
                     *(f"FAILED: {line}" for line in board.failures)]))
    return 1 if board.failures or missing and os.environ.get("CI") else 0


if __name__ == "__main__":
    main()
