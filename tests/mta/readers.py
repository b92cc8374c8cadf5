"""What came out, read by programs that share no code with Waxseal: OpenSSL, OpenDKIM, and
Python's email package; and what is put in, made by OpenSSL."""

import email
import email.policy
import re
import tempfile
from pathlib import Path

from machine import run


def parse(octets):
    return email.message_from_bytes(octets, policy=email.policy.default)


def leaves(octets):
    """The leaf parts: (type, file name, decoded octets). A text part's line ends are CRLF, and
    its charset is undone, for transfer encodings may differ."""
    found = []
    for part in parse(octets).walk():
        if part.is_multipart():
            continue
        content = part.get_payload(decode=True)
        if part.get_content_maintype() == "text":
            text = content.decode(part.get_content_charset("utf-8"))
            content = text.replace("\r\n", "\n").rstrip("\n").encode()
        found.append((part.get_content_type(), part.get_filename(), content))
    return found


def content_leaves(octets):
    """As `leaves`, without detached signatures."""
    return [leaf for leaf in leaves(octets)
            if leaf[0] not in ("application/pkcs7-signature", "application/x-pkcs7-signature")]


def _file(directory, octets):
    path = Path(directory) / "mail"
    path.write_bytes(octets)
    return path


def decrypt(octets, identity):
    """OpenSSL's decryption of a mail or an entity for this identity."""
    with tempfile.TemporaryDirectory() as directory:
        return run("openssl", "cms", "-decrypt", "-in", _file(directory, octets), "-recip",
                   identity.certificate, "-inkey", identity.key)


def verify(octets, root, signer=None):
    """OpenSSL's verification, with the path to `root`: (content, addresses of the signer). The
    signer's certificate goes to the file `signer`."""
    with tempfile.TemporaryDirectory() as directory:
        signer = signer or Path(directory) / "signer.pem"
        content = run("openssl", "cms", "-verify", "-in", _file(directory, octets), "-CAfile",
                      root, "-purpose", "smimesign", "-signer", signer)
        addresses = run("openssl", "x509", "-in", signer, "-noout", "-email").decode().split()
        return content, addresses


def recipients(octets):
    """What the envelope says of its recipients, as OpenSSL prints it."""
    with tempfile.TemporaryDirectory() as directory:
        return run("openssl", "cms", "-cmsout", "-print", "-noout", "-in",
                   _file(directory, octets)).decode(errors="replace")


def recipient_serials(octets):
    """The serial numbers of the certificates that the envelope is for."""
    text = recipients(octets)
    return [int(n, 0) for n in re.findall(r"serialNumber: (0x[0-9A-Fa-f]+|\d+)", text)]


def encrypted(octets):
    """The root entity is enveloped-data, by its type and by its content."""
    message = parse(octets)
    if message.get_content_type() not in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
        return False
    printed = recipients(octets)
    return "-envelopedData" in printed or "-authEnvelopedData" in printed


def serial_of(certificate):
    """The serial number, as OpenSSL prints it in recipient infos: a decimal number."""
    text = run("openssl", "x509", "-in", certificate, "-noout", "-serial").decode()
    return int(text.strip().split("=")[1], 16)


def openssl_mail(header, entity, signer=None, recipient=None, cipher="-aes-256-cbc"):
    """A mail as OpenSSL makes it: `entity` signed by `signer`, encrypted to the certificate
    `recipient`, below these header lines."""
    if signer:
        entity = run("openssl", "cms", "-sign", "-signer", signer.certificate, "-inkey",
                     signer.key, stdin=entity)
    if recipient:
        entity = run("openssl", "cms", "-encrypt", cipher, recipient, stdin=entity)
    mail = header.encode() + entity
    return mail.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
