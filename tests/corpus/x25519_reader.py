"""Reads an envelope for an X25519 recipient (RFC 8418) by its single steps, since no program of
Debian 12 does it whole: X25519 and AES by OpenSSL, HKDF by Python's hmac, DER by hand.

Only what such an envelope needs: DER, one content cipher in CBC, AES key wrap.
"""

import hashlib
import hmac
import subprocess
import tempfile
from pathlib import Path

from identities import openssl
from layers import Unread, der_of

X25519 = bytes.fromhex("2b656e")
HKDF = {   # dhSinglePass-stdDH-hkdf-*-scheme, RFC 8418 section 4
    bytes.fromhex("2a864886f70d0109100313"): hashlib.sha256,
    bytes.fromhex("2a864886f70d0109100314"): hashlib.sha384,
    bytes.fromhex("2a864886f70d0109100315"): hashlib.sha512,
}
WRAP = {   # id-aes*-wrap, RFC 3565
    bytes.fromhex("608648016503040105"): 16,
    bytes.fromhex("608648016503040119"): 24,
    bytes.fromhex("60864801650304012d"): 32,
}
CBC = {bytes.fromhex("608648016503040102"): 128, bytes.fromhex("608648016503040116"): 192,
       bytes.fromhex("60864801650304012a"): 256}


class Der:
    """One DER value: tag, content, and the values inside."""

    def __init__(self, octets):
        self.tag, self.content, self.raw, self.rest = split(octets)

    def __iter__(self):
        left = self.content
        while left:
            value = Der(left)
            left = value.rest
            yield value


def split(octets):
    length, at = octets[1], 2
    if length & 0x80:
        at += length & 0x7F
        length = int.from_bytes(octets[2:at], "big")
    if len(octets) < at + length:
        raise Unread("DER is cut short")
    return octets[0], octets[at:at + length], octets[:at + length], octets[at + length:]


def encode(tag, *contents):
    content = b"".join(contents)
    size = len(content)
    length = bytes([size]) if size < 128 else (
        bytes([0x80 | (size.bit_length() + 7) // 8])
        + size.to_bytes((size.bit_length() + 7) // 8, "big"))
    return bytes([tag]) + length + content


class X25519Reader:
    name = "RFC 8418 by steps"

    def __init__(self, key):
        self.key = key

    def verify(self, mail):
        raise Unread("reads envelopes only", capability=True)

    def decrypt(self, mail):
        _, explicit = Der(der_of(mail))                     # ContentInfo
        parts = [p for p in next(iter(explicit)) if p.tag not in (0xA0, 0xA1)]
        _, recipients, encrypted = parts                    # version, recipientInfos, content
        for recipient in recipients:
            if recipient.tag == 0xA1:                       # KeyAgreeRecipientInfo
                return decrypt_content(encrypted, self.content_key(recipient))
        raise Unread("no KeyAgreeRecipientInfo", capability=True)

    def content_key(self, recipient):
        fields = {field.tag: field for field in recipient}
        algorithm, keys = [f for f in recipient if f.tag == 0x30]
        scheme, wrap = algorithm
        originator = next(iter(fields[0xA0]))               # [1] OriginatorPublicKey
        public_algorithm, public = originator
        if next(iter(public_algorithm)).content != X25519 or scheme.content not in HKDF:
            raise Unread("not X25519 with HKDF", capability=True)
        ukm = next(iter(fields[0xA1])).content if 0xA1 in fields else None
        size = WRAP[next(iter(wrap)).content]
        secret = derive(self.key, public.content[1:])
        kek = hkdf(HKDF[scheme.content], ukm, secret, shared_info(wrap.raw, ukm, size), size)
        for key in keys:
            _, wrapped = key
            try:
                return unwrap(kek, wrapped.content)
            except ValueError:
                continue
        raise Unread("the key does not unwrap")


def derive(key, public):
    """X25519 with OpenSSL; the peer's key as SubjectPublicKeyInfo (RFC 8410)."""
    spki = encode(0x30, encode(0x30, encode(0x06, X25519)), encode(0x03, b"\0", public))
    with tempfile.TemporaryDirectory() as directory:
        peer = Path(directory, "peer")
        peer.write_bytes(spki)
        return openssl("pkeyutl", "-derive", "-inkey", key, "-peerkey", peer,
                       "-peerform", "DER")


def shared_info(wrap, ukm, size):
    """ECC-CMS-SharedInfo of RFC 5753 section 7.2."""
    party = encode(0xA0, encode(0x04, ukm)) if ukm is not None else b""
    return encode(0x30, wrap, party,
                  encode(0xA2, encode(0x04, (size * 8).to_bytes(4, "big"))))


def hkdf(digest, salt, secret, info, size):
    """RFC 5869; RFC 8418 section 2.2: the ukm is the salt."""
    extracted = hmac.new(salt or bytes(digest().digest_size), secret, digest).digest()
    block, out = b"", b""
    for counter in range(1, 256):
        block = hmac.new(extracted, block + info + bytes([counter]), digest).digest()
        out += block
        if len(out) >= size:
            return out[:size]
    raise ValueError("too long")


def unwrap(kek, wrapped):
    """RFC 3394 section 2.2.2."""
    a, r = wrapped[:8], [wrapped[i:i + 8] for i in range(8, len(wrapped), 8)]
    for j in reversed(range(6)):
        for i in reversed(range(len(r))):
            t = (len(r) * j + i + 1).to_bytes(8, "big")
            plain = aes_block(kek, bytes(x ^ y for x, y in zip(a, t)) + r[i])
            a, r[i] = plain[:8], plain[8:]
    if a != b"\xa6" * 8:
        raise ValueError("wrong key")
    return b"".join(r)


def aes_block(key, block):
    return openssl("enc", "-d", f"-aes-{len(key) * 8}-ecb", "-nopad", "-K", key.hex(),
                   stdin=block)


def decrypt_content(encrypted, key):
    _, algorithm, content = encrypted
    cipher, iv = algorithm
    if cipher.content not in CBC:
        raise Unread("not AES in CBC", capability=True)
    octets = content.content if content.tag == 0x80 else b"".join(p.content for p in content)
    done = subprocess.run(["openssl", "enc", "-d", f"-aes-{CBC[cipher.content]}-cbc",
                           "-K", key.hex(), "-iv", iv.content.hex()],
                          input=octets, capture_output=True)
    if done.returncode:
        raise Unread("the content does not decrypt")
    return done.stdout
