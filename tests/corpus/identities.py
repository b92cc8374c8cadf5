"""Throw-away identities for one run, made with OpenSSL, and those of RFC 9216.

Nothing here is kept: keys and certificates live in the run's own directory.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

PASSPHRASE = "corpus"


@dataclass
class Identity:
    address: str
    certificate: Path   # PEM
    key: Path           # PEM, not encrypted
    p12: Path           # with PASSPHRASE; in the old encryption, which NSS and gpgsm read too
    root: Path          # PEM

    def write_p12(self):
        """Writes `p12`, each time with another salt."""
        openssl("pkcs12", "-export", "-in", self.certificate, "-inkey", self.key,
                "-certfile", self.root, "-name", self.p12.stem, "-out", self.p12,
                "-passout", f"pass:{PASSPHRASE}", "-certpbe", "PBE-SHA1-3DES",
                "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1")


def openssl(*arguments, stdin=None):
    done = subprocess.run(["openssl", *map(str, arguments)], input=stdin, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def make_root(directory):
    directory.mkdir(parents=True, exist_ok=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 3650, "-sha256",
            "-subj", "/CN=Corpus Root", "-keyout", directory / "root.key",
            "-out", directory / "root.pem",
            "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    return directory / "root.pem"


def make(directory, name, address, algorithm=("rsa:2048",)):
    """An end-entity certificate for signing and encryption under the run's root."""
    key, request = directory / f"{name}.key", directory / f"{name}.csr"
    certificate, p12, extensions = (directory / f"{name}{e}" for e in (".pem", ".p12", ".ext"))
    extensions.write_text(
        "basicConstraints=critical,CA:FALSE\n"
        "keyUsage=critical,digitalSignature,keyEncipherment\n"
        "extendedKeyUsage=emailProtection\n"
        f"subjectAltName=email:{address}\n")
    openssl("req", "-new", "-newkey", *algorithm, "-nodes", "-subj", f"/CN={name}",
            "-keyout", key, "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", directory / "root.pem",
            "-CAkey", directory / "root.key", "-set_serial", str(sum(name.encode()) + 1),
            "-days", 3649, "-sha256", "-extfile", extensions, "-out", certificate)
    identity = Identity(address, certificate, key, p12, directory / "root.pem")
    identity.write_p12()
    return identity
