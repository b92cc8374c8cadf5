"""Mail programs at Erin's end, and the S/MIME engines of others: s-nail and neomutt with OpenSSL,
NSS cmsutil (Thunderbird's engine), gpgsm (KMail's, Claws Mail's).

What each of Debian 12's versions reads is stated beside it, and `scene.py` holds them to it: one
that reads less fails the run, and so does one that reads more.
"""

import base64
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import readers
from machine import BOUND, HOST, run
from pki import PASSPHRASE, export

# Which keys of a recipient a program decrypts with; all of them verify RSA and ECDSA.
DECRYPTS = {
    "openssl": {"rsa", "p256"},
    "nss": {"rsa"},             # 3.87: no ECDH (RFC 5753) in its CMS
    "gpgsm": {"rsa"},           # 2.2: an EC key comes in no container that it imports
    "s-nail": {"rsa"},          # OpenSSL's PKCS7 functions, which know no key agreement
    "neomutt": {"rsa", "p256"},  # the `openssl cms` command
}


class Unread(Exception):
    """The program did not read it; with what it said."""


def call(*arguments, env=None, stdin=None):
    done = subprocess.run([str(a) for a in arguments], input=stdin, capture_output=True, env=env)
    return done.returncode, done.stdout, done.stderr


def split_signed(entity):
    """(content octets with CRLF, signature DER) of a multipart/signed entity (RFC 1847)."""
    entity = entity.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    boundary = readers.parse(entity).get_boundary().encode()
    parts = re.split(rb"\r\n--" + re.escape(boundary) + rb"(?:--)?[ \t]*(?=\r\n|$)",
                     b"\r\n" + entity)
    content, signature = parts[1].removeprefix(b"\r\n"), parts[2].removeprefix(b"\r\n")
    return content, base64.b64decode(signature.split(b"\r\n\r\n", 1)[1])


def enveloped(mail):
    """The DER of an application/pkcs7-mime mail."""
    return readers.parse(mail).get_payload(decode=True)


class Engine:
    """Opens one mail: decrypts it, then verifies the signature inside. `decrypt` gives the inner
    entity, `verify` the signer's addresses."""

    def open(self, mail, sender):
        inner = self.decrypt(mail)
        return self.check(inner, sender)

    def check(self, signed, sender):
        """The content, when the signature is good, its chain trusted and the signer `sender`."""
        content, addresses = self.verify(signed)
        if sender not in addresses:
            raise Unread(f"signed by {addresses}, not by {sender}")
        return content


class Nss(Engine):
    name = "nss"

    def __init__(self, directory, identity, root, key):
        home = Path(directory) / "nss"
        home.mkdir()
        self.database = f"sql:{home}"
        run("certutil", "-N", "-d", self.database, "--empty-password")
        run("certutil", "-A", "-d", self.database, "-n", "root", "-t", "CT,C,C", "-i", root)
        run("pk12util", "-d", self.database, "-i", identity.p12, "-W", PASSPHRASE)

    def _decode(self, octets, *options):
        with tempfile.TemporaryDirectory() as directory:
            source, target = Path(directory) / "in", Path(directory) / "out"
            source.write_bytes(octets)
            code, out, err = call("cmsutil", "-D", "-d", self.database, "-i", source, "-o",
                                  target, *options)
            if code:
                raise Unread(f"cmsutil: {err.decode(errors='replace').strip()}")
            return target.read_bytes(), (out + err).decode(errors="replace")

    def decrypt(self, mail):
        return self._decode(enveloped(mail))[0]

    def verify(self, entity):
        content, signature = split_signed(entity)
        with tempfile.NamedTemporaryFile() as detached:
            detached.write(content)
            detached.flush()
            told, _ = self._decode(signature, "-c", detached.name, "-h", "0", "-u", "4")
        told = told.decode(errors="replace")
        if "GoodSignature" not in told:
            raise Unread(f"cmsutil: {told}")
        # NSS names the signer by the common name, which is the address here (pki.py).
        return content, re.findall(r'signer\d+\.id="([^"]*)"', told)


class Gpgsm(Engine):
    name = "gpgsm"

    def __init__(self, directory, identity, root, key):
        # Short: the path of the agent's socket has a limit.
        self.home = Path(tempfile.mkdtemp(prefix="gsm", dir="/tmp"))
        mark = run("openssl", "x509", "-in", root, "-noout", "-fingerprint", "-sha1").decode()
        (self.home / "trustlist.txt").write_text(f"{mark.strip().split('=', 1)[1]} S relax\n")
        (self.home / "gpg-agent.conf").write_text("allow-loopback-pinentry\n")
        (self.home / "gpgsm.conf").write_text(
            "batch\ndisable-crl-checks\ndisable-dirmngr\nno-common-certs-import\n"
            "pinentry-mode loopback\n")
        self.env = os.environ | {"GNUPGHOME": str(self.home), "LC_ALL": "C"}
        run("gpgsm", "--import", root, env=self.env)
        if key in DECRYPTS[self.name]:
            self._import(identity)
        else:       # its import of an EC key ends in a segmentation fault
            run("gpgsm", "--import", identity.certificate, env=self.env)

    def _import(self, identity):
        """gpgsm 2.2 takes some containers for damaged, by their salt: the same key
        in a new one is read."""
        for _ in range(10):
            export(identity.certificate, identity.key, identity.p12)
            code, out, err = call("gpgsm", "--passphrase-fd", "0", "--import", identity.p12,
                                  env=self.env, stdin=f"{PASSPHRASE}\n".encode())
            if code == 0:
                return
        raise RuntimeError(f"gpgsm: {(out + err).decode(errors='replace')}")

    def _output(self, what, octets, *more):
        with tempfile.TemporaryDirectory() as directory:
            source, target = Path(directory) / "in", Path(directory) / "out"
            source.write_bytes(octets)
            code, out, err = call("gpgsm", "--passphrase-fd", "0", "--status-fd", "1",
                                  "--output", target, what, source, *more, env=self.env,
                                  stdin=f"{PASSPHRASE}\n".encode())
            said = (out + err).decode(errors="replace")
            if code:
                raise Unread(f"gpgsm: {said}")
            return target.read_bytes() if target.exists() else b"", said

    def decrypt(self, mail):
        return self._output("--decrypt", enveloped(mail))[0]

    def verify(self, entity):
        content, signature = split_signed(entity)
        with tempfile.NamedTemporaryFile() as detached:
            detached.write(content)
            detached.flush()
            _, said = self._output("--verify", signature, detached.name)
        if "[GNUPG:] GOODSIG" not in said or "[GNUPG:] TRUST_FULLY" not in said:
            raise Unread(f"gpgsm: {said}")
        return content, re.findall(r'aka "<?([^">]*)>?"', said)

    def stop(self):
        subprocess.run(["gpgconf", "--kill", "all"], env=self.env, capture_output=True)
        shutil.rmtree(self.home, ignore_errors=True)


class SNail:
    """s-nail over IMAP, and as a sender."""

    name = "s-nail"

    def __init__(self, directory, identity, root, password, imap):
        self.identity, self.directory = identity, Path(directory)
        self.rc = self.directory / "s-nail.rc"
        self.rc.write_text(f"""\
set v15-compat
set ttycharset=utf-8
set sendcharsets=utf-8
set smime-sign-cert={identity.both}
set smime-ca-file={root}
set smime-sign-digest=sha256
set emptystart
set imap-auth=login
set folder={self.directory}
set from={identity.address}
""")
        user = identity.address.replace("@", "%40")
        self.folder = f"imap://{user}:{password}@{HOST}:{imap}/INBOX"

    def _run(self, folder, *commands):
        stdin = "".join(f"{command}\n" for command in (*commands, "xit"))
        env = os.environ | {"MAILRC": str(self.rc), "LC_ALL": "C.UTF-8"}
        code, out, err = call("s-nail", "-:u", "-R", "-f", folder, stdin=stdin.encode(), env=env)
        return (out + err).decode(errors="replace")

    def open(self, number, sender):
        """The mail of this number, decrypted from over IMAP and verified there: the octets inside
        of the envelope. s-nail compares the signer with From."""
        opened = self.directory / f"s-nail-{number}"
        said = self._run(self.folder, f"type {number}", f"verify {number}",
                         f"decrypt {number} {opened}")
        if f"Message {number} was verified successfully" not in said or not opened.exists():
            raise Unread(f"s-nail: {said}")
        mail = opened.read_bytes().split(b"\n", 1)[1]      # without the mbox line
        if readers.parse(mail)["From"].addresses[0].addr_spec != sender:
            raise Unread(f"From: {readers.parse(mail)['From']}")
        return mail

    def send(self, recipient, certificate, subject, text, attachment, port):
        """A mail, signed, encrypted, by SMTP to this port of her own MTA."""
        env = os.environ | {"MAILRC": str(self.rc), "LC_ALL": "C.UTF-8"}
        code, out, err = call(
            "s-nail", "-:u", "-s", subject, "-a", attachment, "-S", "smime-sign",
            "-S", f"smime-encrypt-{recipient}={certificate}",
            "-S", f"smime-cipher-{recipient}=aes256",
            "-S", f"mta=smtp://{HOST}:{port}", "-S", "smtp-auth=none", "-S", "sendwait",
            "-S", f"hostname={self.identity.address.split('@')[1]}", recipient,
            stdin=text.encode(), env=env)
        if code:
            raise RuntimeError(f"s-nail: {(out + err).decode(errors='replace')}")


class NeoMutt:
    """neomutt over IMAP, and as a sender, in a terminal of its own. Its S/MIME is the `openssl
    cms` command."""

    name = "neomutt"

    def __init__(self, directory, identity, root, password, imap, others=()):
        self.identity, self.imap, self.home = identity, imap, Path(directory) / "neomutt"
        keys, certificates = self.home / "keys", self.home / "certificates"
        # It asks whether to make Mail/ when that is not there.
        for part in (keys, certificates, self.home / "Mail"):
            part.mkdir(parents=True)
        shutil.copyfile(identity.key, keys / "00000001.0")
        self._index(keys, [(identity.address, "00000001.0")])
        known = [(identity.address, identity.certificate), *others]
        for number, (_, certificate) in enumerate(known, 1):
            shutil.copyfile(certificate, certificates / f"{number:08x}.0")
        self._index(certificates, [(a, f"{n:08x}.0") for n, (a, _) in enumerate(known, 1)])
        self.shown, pager = self.home / "shown", self.home / "pager"
        pager.write_text(f'#!/bin/sh\ncp "$1" {self.shown}\n')
        pager.chmod(0o755)
        self.rc = self.home / "rc"
        self.rc.write_text(f"""\
set crypt_use_gpgme=no smime_is_default=yes crypt_autosmime=yes crypt_verify_sig=yes
set smime_keys="{keys}" smime_certificates="{certificates}" smime_ca_location="{root}"
set smime_default_key="00000001.0" smime_sign_as="00000001.0" smime_self_encrypt=no
set smime_encrypt_with="aes256"
set smime_sign_command="openssl cms -sign -signer %c -inkey %k -in %f -outform DER"
set smime_encrypt_command="openssl cms -encrypt -%a -in %f -outform DER %c"
set smime_decrypt_command="openssl cms -decrypt -inform DER -in %f -inkey %k -recip %c"
set smime_verify_command="openssl cms -verify -inform DER -in %s -content %f %C -out /dev/null"
set smime_verify_opaque_command="openssl cms -verify -inform DER -in %s %C"
set smime_get_signer_cert_command="openssl cms -verify -in %f -noverify -signer %c -out /dev/null"
set smime_pk7out_command="openssl cms -cmsout -in %f -outform PEM"
set smime_get_cert_command="openssl pkcs7 -print_certs -in %f"
set smime_get_cert_email_command="openssl x509 -in %f -noout -email"
set imap_user="{identity.address}" imap_pass="{password}" imap_authenticators="login"
set ssl_starttls=no ssl_force_tls=no header_cache="" wait_key=no
set from="{identity.address}" use_from=yes use_envelope_from=yes smtp_authenticators=""
set hostname="{identity.address.split('@')[1]}"
set charset="utf-8" send_charset="us-ascii:utf-8" assumed_charset="utf-8"
set pager="{pager}" prompt_after=no quit=yes beep=no copy=no
set editor=true edit_headers=yes autoedit=yes abort_unmodified=no abort_nosubject=no
""")

    def _index(self, directory, entries):
        (directory / ".index").write_text("".join(f"{a} {name} label ? t\n" for a, name in entries))

    def open(self, number, sender):
        """What is shown of the mail of this number: decrypted, and verified with the chain. Of
        encrypted mail neomutt does not compare the signer with From; `scene.py` does."""
        self.shown.unlink(missing_ok=True)
        folder = f"imap://{HOST}:{self.imap}/INBOX"
        self._drive({b"passphrase": b"x\n"}, "-f", folder, "-e",
                    f'push "{number}<enter><display-message><quit>"')
        shown = self.shown.read_text(errors="replace") if self.shown.exists() else ""
        good = (f"From: {sender}" in shown
                and "[-- The following data is S/MIME encrypted --]" in shown
                and "CMS Verification successful" in shown
                and "[-- The following data is signed --]" in shown)
        if not good:
            raise Unread(f"neomutt: {shown}")
        return shown

    def send(self, recipient, certificate, subject, text, attachment, port):
        """A mail, signed, encrypted, by SMTP to this port of her own MTA."""
        draft = self.home / "draft"
        draft.write_text(f"From: {self.identity.address}\nTo: {recipient}\n"
                         f"Subject: {subject}\n\n{text}\n")
        screen = self._drive(
            {b"NeoMutt: Compose": b"y", b"passphrase": b"x\n", b"Use ID": b"y"},
            "-e", f'set smtp_url="smtp://{HOST}:{port}/" crypt_autosign=yes crypt_autoencrypt=yes',
            "-H", draft, "-a", attachment)
        if "Mail sent" not in screen:
            raise RuntimeError(f"neomutt: {screen[-3000:]}")

    def _drive(self, answers, *arguments, bound=BOUND):
        """Runs it in a terminal, and answers what it asks; each answer once."""
        env = os.environ | {"HOME": str(self.home), "TERM": "xterm", "LC_ALL": "C.UTF-8",
                            "LINES": "50", "COLUMNS": "150"}
        command = ["neomutt", "-n", "-F", str(self.rc), *map(str, arguments)]
        pid, terminal = pty.fork()
        if pid == 0:
            os.execvpe(command[0], command, env)
        screen, end, waiting = b"", time.monotonic() + bound, dict(answers)
        while time.monotonic() < end:
            if not select.select([terminal], [], [], 0.2)[0]:
                continue
            try:
                screen += os.read(terminal, 65536)
            except OSError:         # it has ended
                break
            for question in [q for q in waiting if q in screen]:
                os.write(terminal, waiting.pop(question))
        else:
            os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)
        return screen.decode(errors="replace")
