"""Encrypted mails that an attacker may have captured: those of the corpus whose keys it brings,
and fresh ones by OpenSSL. Each knows its recipient, and what it holds."""

import base64
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

SECRET = b"the merger is on friday"
TEXT = (b"Content-Type: text/plain; charset=us-ascii\r\n\r\n"
        + b"Dear Bob,\r\n\r\n" + SECRET + b".\r\n\r\n" + b"Nothing else is of any weight.\r\n" * 12)
HTML = (b"Content-Type: text/html; charset=us-ascii\r\n\r\n<html><body><p>" + SECRET + b"</p>\r\n"
        + b"<p>Nothing else is of any weight.</p>\r\n" * 12 + b"</body></html>\r\n")
EXTERNAL = HTML.replace(b"</body>", b"<img src=\"http://pictures.example/1.png\"></body>")
MIXED = (b"Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n"
         + SECRET + b"\r\n--b\r\nContent-Type: application/octet-stream\r\n"
         b"Content-Transfer-Encoding: base64\r\n\r\n"
         + base64.encodebytes(bytes(range(256)) * 6).replace(b"\n", b"\r\n") + b"--b--\r\n")


@dataclass
class Sample:
    name: str
    octets: bytes                  # DER or BER of the ContentInfo
    known: bytes                   # the plain text
    identity: list = field(default_factory=list)    # arguments of waxseal open
    secret: bytes = SECRET
    header: bytes = b"From: alice@corpus.example\r\nTo: bob@corpus.example\r\nSubject: s\r\n"
    signed: bool = False           # a signature inside
    external: bool = False         # HTML that asks for something outside
    html: bool = False
    text: bool = True              # all 7 bits: noise shows
    authenticated: bool = False    # AuthEnvelopedData
    rsa: bool = True
    content: bytes = None          # what came out of it unchanged

    def armoured(self, octets=None):
        """As a MIME entity."""
        kind = b"authEnveloped-data" if self.authenticated else b"enveloped-data"
        body = base64.encodebytes(octets or self.octets).replace(b"\n", b"\r\n")
        return (b"Content-Type: application/pkcs7-mime; smime-type=" + kind
                + b"; name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body)

    def open(self, waxseal, octets):
        return self.open_mail(waxseal, self.header + b"MIME-Version: 1.0\r\n"
                              + self.armoured(octets))

    def open_mail(self, waxseal, mail, *more):
        return waxseal.open_octets(mail, "--allow-weak", *self.identity, *more)


class Ciphertexts:
    def __init__(self, corpus, directory, people):
        self.corpus, self.directory, self.people = corpus, directory, people
        self.missing = []

    def all(self):
        samples = list(self.fresh())
        if (self.corpus / "rfc4134").is_dir():
            samples += self.captured()
        else:
            self.missing.append(f"ciphertexts of the corpus: nothing at {self.corpus}")
        return samples

    def fresh(self):
        bob, alice = self.people.bob, self.people.alice
        identity = ["--identity", bob.certificate, "--key", bob.key, "--anchor", bob.root]
        kinds = [("text", TEXT, {}), ("html", HTML, {"html": True}),
                 ("html with image", EXTERNAL, {"html": True, "external": True}),
                 ("mixed", MIXED, {})]
        for name, entity, facts in kinds:
            for cipher in ("-aes-128-cbc", "-aes-256-cbc"):
                yield Sample(f"{name} {cipher[1:]}", self.encrypted(entity, bob, cipher), entity,
                             identity, **facts)
        for name, entity, facts in kinds[:3]:
            yield Sample(f"{name} aes-256-gcm", self.encrypted(entity, bob, "-aes-256-gcm"),
                         entity, identity, authenticated=True, **facts)
        for detached in (True, False):
            entity = self.people.sign(TEXT, alice, detached=detached)
            name = "signed" if detached else "signed, opaque"
            yield Sample(f"{name} aes-256-cbc", self.encrypted(entity, bob, "-aes-256-cbc"),
                         entity, identity, signed=True)

    def encrypted(self, entity, recipient, cipher):
        return self.people.openssl(entity, "cms", "-encrypt", "-binary", cipher, "-outform", "DER",
                                   recipient.certificate)

    def captured(self):
        lamps = self.corpus / "lamps-protected-headers"
        passphrase = self.directory / "bob-passphrase"
        passphrase.write_text("bob")
        passphrase.chmod(0o600)
        pem = self.directory / "lamps-bob.pem"
        subprocess.run(["openssl", "pkcs12", "-in", self.bare(lamps / "bob.p12"), "-nodes",
                        "-passin", "pass:bob", "-legacy", "-out", pem], check=True,
                       capture_output=True)
        identity = ["--identity", lamps / "bob.p12", "--passphrase-file", passphrase,
                    "--anchor", lamps / "sample-ca.pem", "--at", "2026-11-24T12:00:00Z"]
        header = b"From: alice@smime.example\r\nTo: bob@smime.example\r\n"
        for name, signed in (("smime-enc+legacy-disp", False), ("smime-sign+enc", True),
                             ("smime-sign+enc+legacy-disp", True)):
            octets = body(lamps / f"{name}.eml")
            yield Sample(name, octets, self.decrypted(octets, pem), identity,
                         b"cancel this contract", header, signed=signed)
        pyca = self.corpus / "cryptography-x509/ca"
        octets = body(self.corpus / "cryptography-pkcs7/enveloped-triple-des.pem")
        both = self.directory / "pyca.pem"
        both.write_bytes((pyca / "rsa_ca.pem").read_bytes() + (pyca / "rsa_key.pem").read_bytes())
        plain = self.decrypted(octets, both)
        if len(plain) > 64:
            yield Sample("pyca 3des", octets, plain, ["--identity", both], plain[:24])

    def bare(self, file):
        """The DER in PEM."""
        target = self.directory / f"{file.name}.der"
        target.write_bytes(body(file))
        return target

    def decrypted(self, octets, pem):
        return self.people.openssl(octets, "cms", "-decrypt", "-binary", "-inform", "DER",
                                   "-recip", pem, "-inkey", pem)


def body(file):
    """The octets in the base64 of a mail or of PEM."""
    text = Path(file).read_text()
    block = re.search(r"-----BEGIN [^\n]+\n(.*?)-----END", text, re.DOTALL)
    return base64.b64decode(block.group(1) if block else text.split("\n\n", 1)[1])
