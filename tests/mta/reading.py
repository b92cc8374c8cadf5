"""What a message that arrived is: an envelope, signed, clear, or a report; and whether it shows
what it must not.

The ids and secrets of test mail are made here too, so that maker and reader agree. Reading is by
the octets: a body counts as encrypted only when it is base64 throughout and its DER says
EnvelopedData or AuthEnvelopedData, never because a Content-Type says so.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

DOMAIN = "ours.example"
# Whoever is here must be encrypted to; whoever is there gets signed mail.
SECRET_DOMAIN = "secret.example"
OPEN_DOMAIN = "open.example"

ENVELOPED = bytes.fromhex("06092a864886f70d010703")  # id-envelopedData, RFC 5652 §6
AUTH_ENVELOPED = bytes.fromhex("060b2a864886f70d0109100117")  # id-ct-authEnvelopedData, RFC 5083
SIGNED = bytes.fromhex("06092a864886f70d010702")  # id-signedData

ID = re.compile(rb"^Message-ID:\s*<([^@>\s]+)@" + DOMAIN.encode() + rb">", re.I | re.M)
SENDER_ID = re.compile(r"^from\+(.+)@" + re.escape(DOMAIN) + "$", re.I)
CONTENT_TYPE = re.compile(rb"^Content-Type:\s*([^;\s]+)", re.I | re.M)


@dataclass(frozen=True)
class Read:
    """What stands in one message."""

    id: str | None
    form: str  # envelope, signed, clear, report
    reveals: bool  # its secret stands in it for anyone to read
    # Of a report: whom it says the message did not reach.
    failed: tuple[str, ...] = ()


def must_encrypt(recipient):
    return recipient.lower().endswith("@" + SECRET_DOMAIN)


def reverse_path(id):
    """The id rides in the envelope as well: a header and an envelope that part are found."""
    return f"from+{id}@{DOMAIN}"


def id_of_sender(sender):
    found = SENDER_ID.match(sender)
    return found.group(1) if found else None


def secret(id):
    """A line that only this message has."""
    return "bluebird-" + hashlib.sha256(id.encode()).hexdigest()[:24]


def compose(id, sender, recipients, padding=0):
    """A small mail; `padding` is further octets of text."""
    filler = "".join(f"{line:06d} the quick brown fox jumps over the lazy dog\r\n"
                     for line in range(padding // 53))
    return (
        f"From: {sender}\r\nTo: {', '.join(recipients)}\r\nSubject: news {id}\r\n"
        f"Date: Sun, 29 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{id}@{DOMAIN}>\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
        f"{secret(id)}\r\n.\r\n..\r\nend of {id}\r\n{filler}"
    ).encode()


def read(octets):
    """Reads what arrived."""
    head, _, body = octets.partition(b"\r\n\r\n")
    head = re.sub(rb"\r\n[ \t]+", b" ", head)
    kind = CONTENT_TYPE.search(head)
    kind = kind.group(1).lower() if kind else b"text/plain"
    if kind == b"multipart/report":
        return read_report(body)
    found = ID.search(head)
    id = found.group(1).decode() if found else None
    return Read(id, form_of(kind, body), id is not None and shows(octets, secret(id)))


def read_report(body):
    """RFC 3464: who failed, and which message it was."""
    failed = re.findall(rb"^Final-Recipient:\s*rfc822;\s*(\S+)", body, re.I | re.M)
    actions = re.findall(rb"^Action:\s*(\S+)", body, re.I | re.M)
    pairs = zip(failed, actions + [b"failed"] * len(failed))
    ids = ID.findall(body)
    id = ids[-1].decode() if ids else None
    return Read(id, "report", id is not None and shows(body, secret(id)), tuple(
        address.decode().lower() for address, action in pairs if action.lower() == b"failed"))


def form_of(kind, body):
    if kind == b"multipart/signed":
        return "signed"
    if kind in (b"application/pkcs7-mime", b"application/x-pkcs7-mime"):
        der = decoded(body)
        # ContentInfo ::= SEQUENCE { contentType, … }: the identifier follows the length.
        start = der[:24]
        if start[:1] == b"\x30" and (ENVELOPED in start or AUTH_ENVELOPED in start):
            return "envelope"
        if start[:1] == b"\x30" and SIGNED in start:
            return "signed"
    return "clear"


def decoded(body):
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error:
        return b""


def shows(octets, words):
    """Do the words stand in it, as they are or in base64?"""
    words = words.encode()
    if words in octets:
        return True
    for run in re.findall(rb"(?:[A-Za-z0-9+/]{16,76}={0,2}\r?\n)+", octets + b"\n"):
        if words in decoded(run):
            return True
    return False
