"""Who protects the mail: the real `waxseal run`, or OpenSSL in its place.

A producer takes a mail and a policy and returns `Produced`. The OpenSSL producer exists to
prove the harness: what it makes is known to be right, and `damage` makes it wrong on purpose.
"""

import base64
import hashlib
import json
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from identities import openssl

# name → layers, outermost first, and the settings of the sending profile.
POLICIES = {
    "sign": (["signed"], {"mode": "sign", "signature": "detached"}),
    "sign-opaque": (["opaque"], {"mode": "sign", "signature": "opaque"}),
    "encrypt": (["encrypted"], {"mode": "encrypt", "cipher": "aes-256-cbc"}),
    "encrypt-gcm": (["encrypted"], {"mode": "encrypt", "cipher": "aes-256-gcm"}),
    "sign-encrypt": (["encrypted", "signed"], {"mode": "sign-encrypt", "cipher": "aes-256-cbc"}),
    "triple-wrap": (["signed", "encrypted", "signed"],
                    {"mode": "triple-wrap", "cipher": "aes-256-cbc"}),
}


@dataclass
class Produced:
    """What came of one mail. Exactly one of `mail`, `error`, `broken` is set."""
    mail: bytes = None
    protections: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    error: str = None     # the code of a named error
    broken: str = None    # a panic, or silence


class Waxseal:
    """`waxseal run` on a policy directory for each policy."""

    name = "waxseal"

    def __init__(self, binary, policies, sender, recipients):
        self.binary, self.policies = binary, policies
        self.sender, self.recipients = sender, recipients

    def produce(self, path, policy):
        with tempfile.TemporaryDirectory() as out:
            to = [a for r in self.recipients for a in ("--to", r)]
            done = subprocess.run(
                [self.binary, "run", "--policy", self.policies / policy, "--json",
                 "--client-ip", "10.0.0.1", "--from", self.sender, *to, "--out-dir", out, path],
                capture_output=True, stdin=subprocess.DEVNULL, timeout=120)
            return judge(done, Path(out))


def judge(done, out):
    """Turns an exit code, a report and a directory into what came of the mail."""
    stderr = done.stderr.decode(errors="replace")
    if done.returncode < 0 or done.returncode in (101, 134, 139) or "thread '" in stderr:
        return Produced(broken=f"panic (exit {done.returncode}): {stderr.strip()[-300:]}")
    try:
        report = json.loads(done.stdout)
    except ValueError:
        report = None
    if done.returncode != 0:
        code = error_code(report, stderr)
        return Produced(error=code) if code else Produced(
            broken=f"silent failure (exit {done.returncode}): {stderr.strip()[-300:]}")
    if report is None or len(report.get("copies", [])) != 1:
        return Produced(broken=f"exit 0 without one copy: {done.stdout[:200]!r}")
    copy = report["copies"][0]
    mail = Path(out, copy["file"]).read_bytes()
    if not mail:
        return Produced(broken="exit 0 with an empty copy")
    return Produced(mail=mail, protections=copy["protections"],
                    notes=[n["code"] for n in copy.get("notes", [])])


def error_code(report, stderr):
    """The dotted code of a failure: from the report, else from the `error:` line."""
    report = report or {}
    causes = report.get("causes", []) + [r.get("cause") for r in report.get("refusals", [])]
    causes += [d.get("cause") for d in report.get("dropped", [])]
    causes += report.get("filter-failures", [])
    for cause in causes:
        if cause and cause.get("code"):
            return cause["code"]
    line = re.search(r"^error: (.+)$", stderr, re.M)
    if line is None:
        return None
    code = re.search(r"\b[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+\b", line.group(1))
    return code.group(0) if code else line.group(1).strip()[:80]


class OpenSslProducer:
    """Makes each policy's layers with `openssl cms`. `damage` names what to break:
    `signature`, `ciphertext` (after the fact), or `content` (before signing)."""

    name = "openssl"

    def __init__(self, signer, recipient, damage=None):
        self.signer, self.recipient, self.damage = signer, recipient, damage

    def produce(self, path, policy):
        original = Path(path).read_bytes()
        outer, entity = split_content(canonical(original))
        if self.damage == "content":
            entity = damaged_content(entity)
        layers = POLICIES[policy][0]
        for layer in reversed(layers):
            entity = self.wrap(entity, layer, gcm=policy.endswith("gcm"))
        if self.damage in ("signature", "ciphertext"):
            entity = flipped(entity)
        return Produced(mail=outer + entity, protections=layers)

    def wrap(self, entity, layer, gcm):
        signer = ["-signer", self.signer.certificate, "-inkey", self.signer.key]
        if layer == "encrypted":
            made = openssl("cms", "-binary", "-encrypt", "-aes-256-gcm" if gcm else "-aes256",
                           "-recip", self.recipient.certificate, "-outform", "DER", stdin=entity)
            return pkcs7_mime("authEnveloped-data" if gcm else "enveloped-data", made)
        nodetach = ["-nodetach"] if layer == "opaque" else []
        made = openssl("cms", "-binary", "-sign", *signer, *nodetach, "-outform", "DER",
                       stdin=entity)
        return pkcs7_mime("signed-data", made) if nodetach else multipart_signed(entity, made)


def pkcs7_mime(smime_type, der):
    return (f"Content-Type: application/pkcs7-mime; smime-type={smime_type}; name=smime.p7m\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n").encode() + base64_lines(der)


def multipart_signed(entity, der):
    # OpenSSL wants no "micalg" that it does not know, and a boundary that is nowhere inside.
    mark = b"signed-" + hashlib.sha256(entity).hexdigest()[:40].encode()
    return (b'Content-Type: multipart/signed; protocol="application/pkcs7-signature";'
            b' micalg=sha-256; boundary="' + mark + b'"\r\n\r\n--' + mark + b"\r\n" + entity
            + b"\r\n--" + mark + b"\r\nContent-Type: application/pkcs7-signature\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n" + base64_lines(der)
            + b"\r\n--" + mark + b"--\r\n")


def base64_lines(octets):
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def canonical(octets):
    return re.sub(rb"\r\n|\r|\n", b"\r\n", octets)


def split_content(mail):
    """Outer header fields, and the MIME entity: Content-* fields and body."""
    head, _, rest = mail.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", head)
    inner = [f for f in fields if f.lower().startswith(b"content-")]
    outer = [f for f in fields if f not in inner and not f.lower().startswith(b"mime-version")]
    entity = b"".join(f + b"\r\n" for f in inner) + b"\r\n" + rest
    return b"".join(f + b"\r\n" for f in outer) + b"MIME-Version: 1.0\r\n", entity


def damaged_content(entity):
    """Another letter near the end of the text: the loss of one character."""
    letters = [m.start() for m in re.finditer(rb"[a-z]", entity.rsplit(b"\r\n--", 1)[0])]
    at = letters[-1]
    return entity[:at] + (b"q" if entity[at:at + 1] != b"q" else b"z") + entity[at + 1:]


def flipped(entity):
    """One base64 character changed in the middle of the last run of base64 lines."""
    runs = list(re.finditer(rb"(?:[A-Za-z0-9+/]{60,}\r\n)+", entity))
    at = (runs[-1].start() + runs[-1].end()) // 2
    while entity[at:at + 1] in b"\r\n":
        at += 1
    return entity[:at] + (b"A" if entity[at:at + 1] != b"A" else b"B") + entity[at + 1:]
