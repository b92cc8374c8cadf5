"""A certification authority and people's certificates for one run, made with OpenSSL."""

from dataclasses import dataclass
from pathlib import Path

from machine import run

PASSPHRASE = "throw-away"
ALGORITHMS = {"rsa": ("RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
              "p256": ("EC", "-pkeyopt", "ec_paramgen_curve:P-256")}
# RFC 8550 §4.4.2: what a key may do depends on what it is.
USAGES = {"rsa": "digitalSignature,keyEncipherment", "p256": "digitalSignature,keyAgreement"}


@dataclass
class Identity:
    address: str
    certificate: Path   # PEM
    key: Path           # PEM, not encrypted
    both: Path          # certificate and key in one PEM file
    p12: Path           # with PASSPHRASE, in the old encryption, which NSS and gpgsm read too


class Authority:
    """A root, and what it issues. Files go into `directory`."""

    def __init__(self, directory, name="Test Root"):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.root, self.key = self.directory / "root.pem", self.directory / "root.key"
        self._serial = 0x1000
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 60, "-sha256",
            "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.root,
            "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def key_of(self, role, algorithm):
        """The private key of this role, made at the first call: RSA keys take a while."""
        key = self.directory / f"{role}-{algorithm}.key"
        if not key.exists():
            kind, *options = ALGORITHMS[algorithm]
            run("openssl", "genpkey", "-algorithm", kind, *options, "-out", key)
        return key

    def issue(self, address, algorithm="rsa", role=None):
        """A certificate for signing and for encryption to this address. Certificates of one
        `role` share a key; without one it has a key of its own."""
        self._serial += 1
        base = self.directory / f"{address}-{algorithm}-{self._serial}"
        key = self.key_of(role or base.name, algorithm)
        request, certificate, both, p12, extensions = (
            base.with_name(base.name + end) for end in (".csr", ".crt", ".pem", ".p12", ".ext"))
        extensions.write_text(
            "basicConstraints=critical,CA:FALSE\n"
            f"keyUsage=critical,{USAGES[algorithm]}\n"
            "extendedKeyUsage=emailProtection\n"
            "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
            f"subjectAltName=email:{address}\n")
        run("openssl", "req", "-new", "-key", key, "-subj", f"/CN={address}", "-out", request)
        run("openssl", "x509", "-req", "-in", request, "-CA", self.root, "-CAkey", self.key,
            "-set_serial", self._serial, "-days", 59, "-sha256", "-extfile", extensions,
            "-out", certificate)
        both.write_text(certificate.read_text() + key.read_text())
        both.chmod(0o600)
        export(certificate, key, p12)
        return Identity(address, certificate, key, both, p12)


def export(certificate, key, p12):
    """A PKCS #12 container with PASSPHRASE, salted anew."""
    run("openssl", "pkcs12", "-export", "-in", certificate, "-inkey", key, "-name", "own",
        "-out", p12, "-passout", f"pass:{PASSPHRASE}", "-certpbe", "PBE-SHA1-3DES",
        "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1")
