"""Programs besides OpenSSL that read the same mail: GnuPG's gpgsm, NSS's cmsutil, Bouncy Castle.

Each gets the CMS objects cut out of the mail by `layers`; none of them shares code with OpenSSL
or with Waxseal. What a program cannot do by design raises `Unread(capability=True)`.
"""

import os
import subprocess
import tempfile
import threading
from pathlib import Path

from identities import PASSPHRASE, openssl
from layers import Program, Unread, der_of, kind, split_signed

# OIDs of content types, DER-encoded.
AUTH_ENVELOPED = bytes.fromhex("060b2a864886f70d0109100117")


class SecondReader(Program):
    """Cuts the mail apart, and leaves the CMS to `opened(command, der, content, directory)`."""

    def verify(self, mail):
        if kind(mail) == "signed":
            content, signature = split_signed(mail)
            self.opened("detached", signature, content)
            return content
        return self.opened("opaque", der_of(mail), None)

    def decrypt(self, mail):
        der = der_of(mail)
        if AUTH_ENVELOPED in der[:32] and not self.reads_gcm:
            raise Unread("no AuthEnvelopedData", capability=True)
        return self.opened("decrypt", der, None)

    def opened(self, what, der, content):
        with tempfile.TemporaryDirectory() as directory:
            source, detached, target = (Path(directory, n) for n in ("cms", "content", "out"))
            source.write_bytes(der)
            if content is not None:
                detached.write_bytes(content)
            self.read(what, source, detached, target)
            return target.read_bytes() if what != "detached" else content


class Gpgsm(SecondReader):
    name = "gpgsm"
    reads_gcm = False   # 2.2 knows no AuthEnvelopedData
    PASSPHRASE = f"{PASSPHRASE}\n".encode()

    def __init__(self, directory, identities, roots):
        # A home of its own, short: the path of the agent's socket has a limit.
        self.home = Path(tempfile.mkdtemp(prefix="gsm", dir="/tmp"))
        self.home.chmod(0o700)
        roots = with_rsa(roots)
        fingerprints = [fingerprint(root) for root in roots]
        (self.home / "trustlist.txt").write_text("".join(f"{f} S relax\n" for f in fingerprints))
        (self.home / "gpg-agent.conf").write_text("allow-loopback-pinentry\n")
        (self.home / "gpgsm.conf").write_text(
            "batch\ndisable-crl-checks\ndisable-dirmngr\nno-common-certs-import\n"
            "pinentry-mode loopback\n")
        self.env = dict(os.environ, GNUPGHOME=str(self.home), LC_ALL="C")
        for root in roots:
            self.call("gpgsm", "--import", root, env=self.env, ok=(0, 2))
        for identity in with_p12(identities):
            self.take(identity)

    def take(self, identity):
        """gpgsm 2.2 takes one container in some hundred for damaged, by its salt."""
        for tries_left in (2, 1, 0):
            try:
                return self.call("gpgsm", "--passphrase-fd", "0", "--import", identity.p12,
                                 env=self.env, stdin=self.PASSPHRASE)
            except Unread:
                if not tries_left:
                    raise
                identity.write_p12()

    def read(self, what, source, detached, target):
        match what:
            case "detached":
                self.good(self.call("gpgsm", "--status-fd", "1", "--verify", source, detached,
                                    env=self.env))
            case "opaque":
                self.good(self.call("gpgsm", "--status-fd", "1", "--output", target, "--verify",
                                    source, env=self.env))
            case "decrypt":
                self.call("gpgsm", "--passphrase-fd", "0", "--output", target, "--decrypt",
                          source, env=self.env, stdin=self.PASSPHRASE)

    def good(self, done):
        if b"[GNUPG:] GOODSIG" not in done.stdout:
            raise Unread(f"no GOODSIG: {done.stdout.decode()[-200:]}")

    def close(self):
        subprocess.run(["gpgconf", "--kill", "all"], env=self.env, capture_output=True)
        subprocess.run(["rm", "-rf", self.home])


def with_p12(identities):
    """The RSA ones: the others have no PKCS#12 that these programs could import."""
    return [i for i in identities if i.p12.exists()]


def with_rsa(certificates):
    """Those that gpgsm 2.2 and NSS 3.87 can import: not Ed25519."""
    return [c for c in certificates
            if b"rsaEncryption" in openssl("x509", "-in", c, "-noout", "-text")]


def fingerprint(certificate):
    line = openssl("x509", "-in", certificate, "-noout", "-fingerprint", "-sha1").decode()
    return line.strip().split("=", 1)[1]


class Nss(SecondReader):
    name = "NSS cmsutil"
    reads_gcm = False   # 3.87 knows no AuthEnvelopedData

    def __init__(self, directory, identities, roots):
        self.database = f"sql:{directory / 'nss'}"
        (directory / "nss").mkdir()
        self.call("certutil", "-N", "-d", self.database, "--empty-password")
        for number, root in enumerate(with_rsa(roots)):
            self.call("certutil", "-A", "-d", self.database, "-n", f"root{number}",
                      "-t", "CT,C,C", "-i", root)
        for identity in with_p12(identities):
            self.call("pk12util", "-d", self.database, "-i", identity.p12,
                      "-W", PASSPHRASE)

    def read(self, what, source, detached, target):
        content = ["-c", detached] if what == "detached" else []
        done = self.call("cmsutil", "-D", "-d", self.database, "-i", source, *content,
                         "-o", target)
        if what != "decrypt" and b"signature" in done.stderr.lower():
            raise Unread(done.stderr.decode(errors="replace").strip()[-200:])

    def close(self):
        pass


class BouncyCastle(SecondReader):
    """One Java process; a lock, since it answers one question at a time."""

    name = "Bouncy Castle"
    reads_gcm = True
    JARS = ["bcprov", "bcpkix", "bcutil", "bcmail"]

    def __init__(self, directory, identities, roots):
        jars = ":".join(f"/usr/share/java/{jar}.jar" for jar in self.JARS)
        source = Path(__file__).with_name("BouncyCastleReader.java")
        keys = []
        for identity in identities:
            keys += [str(identity.certificate), str(identity.key)]
        # Compiled first: Java's source launcher would need the sources on every start.
        self.call("javac", "-nowarn", "-cp", jars, "-d", directory / "java", source)
        self.process = subprocess.Popen(
            ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{directory / 'java'}:{jars}",
             "BouncyCastleReader", ",".join(map(str, roots)), *keys],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lock = threading.Lock()

    def read(self, what, source, detached, target):
        with self.lock:
            self.process.stdin.write(f"{what}\t{source}\t{detached}\t{target}\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline().strip()
        if answer != "ok":
            raise Unread(answer or "the Java process ended")

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


def start(directory, identities, roots, kinds=(Gpgsm, Nss, BouncyCastle)):
    """Every reader that is installed, and for each other one why it is not."""
    readers, missing = [], []
    for reader in kinds:
        try:
            readers.append(reader(directory, identities, roots))
        except (Unread, OSError) as error:
            missing.append(f"{reader.name}: {error}")
    return readers, missing
