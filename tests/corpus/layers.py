"""Opens S/MIME layer by layer, with one program for each layer, and says what it found.

A reader has two methods, `verify(mail, signature)` and `decrypt(mail, der)`; each returns the
entity inside or raises `Unread` with why. `mail` is the entity with its header, as octets.
"""

import base64
import binascii
import re
import subprocess
import tempfile
from pathlib import Path

import compare


class Unread(Exception):
    """The reader did not open the layer. `capability` when its program cannot do this at all."""

    def __init__(self, why, capability=False):
        super().__init__(why)
        self.capability = capability


def kind(mail):
    """What protects this entity, by its header alone: signed, opaque, encrypted or None."""
    head = compare.parse(mail.split(b"\r\n\r\n", 1)[0] + b"\r\n\r\n")
    if head.get_content_type() == "multipart/signed":
        protocol = str(head.get_param("protocol", "")).lower()
        return "signed" if "pkcs7-signature" in protocol else None
    if head.get_content_type() in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
        smime_type = str(head.get_param("smime-type", "")).lower()
        return {"signed-data": "opaque", "enveloped-data": "encrypted",
                "authenveloped-data": "encrypted"}.get(smime_type)
    return None


def open_all(mail, reader, expected):
    """Opens exactly the expected layers, outermost first, and returns the entity inside."""
    for number, layer in enumerate(expected, 1):
        found = kind(mail)
        if found != layer and not (layer == "signed" and found == "opaque"):
            raise Unread(f"layer {number} is {found}, not {layer}")
        mail = reader.decrypt(mail) if found == "encrypted" else reader.verify(mail)
    return mail


def body(mail):
    return mail.split(b"\r\n\r\n", 1)[1]


def der_of(mail):
    """The CMS object of an application/pkcs7-mime entity."""
    try:
        return base64.b64decode(b"".join(body(mail).split()), validate=True)
    except (binascii.Error, IndexError) as error:
        raise Unread(f"body is not base64: {error}") from error


def split_signed(mail):
    """The two parts of a multipart/signed: the octets that are signed, and the signature.
    By the boundary alone (RFC 2046 section 5.1.1): the line end before it is not content."""
    head, rest = mail.split(b"\r\n\r\n", 1)
    boundary = compare.parse(head + b"\r\n\r\n").get_boundary()
    if boundary is None:
        raise Unread("multipart/signed without a boundary")
    mark = re.escape(b"--" + boundary.encode())
    parts = re.split(b"(?:^|\r\n)" + mark + b"(?:--)?[ \t]*(?:\r\n|$)", rest)
    if len(parts) != 4:
        raise Unread(f"multipart/signed of {len(parts) - 2} parts")
    return parts[1], der_of(parts[2])


class Program:
    """A reader that runs a program on files in a directory of its own."""

    def call(self, *command, ok=(0,), env=None, stdin=b""):
        done = subprocess.run([str(c) for c in command], capture_output=True, env=env,
                              input=stdin, timeout=120)
        if done.returncode not in ok:
            lines = [l for l in done.stderr.decode(errors="replace").splitlines() if l.strip()]
            raise Unread(f"exit {done.returncode}: " + " | ".join(lines[-3:])[:300])
        return done


class OpenSsl(Program):
    """`openssl cms`, as a user would call it on the mail. -binary, so that nothing is converted
    on the way out, except for multipart/signed: there it would turn CRLF into LF on the way in."""

    name = "openssl cms"

    def __init__(self, recipient, root):
        self.recipient, self.root = recipient, root

    def verify(self, mail):
        return self.run(mail, "-verify", "-CAfile", self.root)

    def decrypt(self, mail):
        return self.run(mail, "-decrypt", "-recip", self.recipient.certificate,
                        "-inkey", self.recipient.key)

    def run(self, mail, *arguments):
        with tempfile.TemporaryDirectory() as directory:
            source, target = Path(directory, "in"), Path(directory, "out")
            source.write_bytes(mail)
            binary = [] if kind(mail) == "signed" else ["-binary"]
            self.call("openssl", "cms", *binary, "-inform", "SMIME", *arguments,
                      "-in", source, "-out", target)
            return target.read_bytes()
