#!/usr/bin/env python3
"""Is this the same MIME content? Python's email package, which shares no code with Waxseal,
reads the mail as it came and the mail as an S/MIME program recovered it; their decoded leaf
parts must be equal.

    compare.py ORIGINAL RESULT      prints the differences; exit 1 if there are any

Equal means: the same tree of the same types, with the same leaves in the same order, each with
the same content type, file name, Content-ID and decoded content. Line ends of text and of parts without base64 do not count (canonical form
changes them, RFC 8551 section 3.1.1); the charset of text does not count where the characters
are the same. Octets that came in base64 must come back exactly. The header fields of a message
inside a message are compared too. What surrounds the parts (preamble, epilogue, boundaries,
transfer encodings) is not content.
"""

import email
import email.errors
import email.policy
import re
import sys

LINE_END = re.compile(rb"\r\n|\r|\n")
# What the receiver of a protected mail still sees outside must be what the sender wrote.
OUTSIDE = ["from", "to", "cc", "reply-to", "subject", "date", "message-id", "in-reply-to",
           "references"]


# RFC 5322 section 4.5.8: old mail may have white space before the colon of a field; Python's
# parser takes such a line for the beginning of the body.
OLD_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]+:", re.M)


def parse(octets):
    end = re.search(rb"\r?\n\r?\n", octets)
    head, rest = (octets[:end.start()], octets[end.start():]) if end else (octets, b"")
    return email.message_from_bytes(OLD_FIELD.sub(rb"\1:", head) + rest,
                                    policy=email.policy.compat32)


def leaves(message, path="1"):
    """Each leaf as (path, what, value); a container's type and a nested message's header are
    leaves of their own."""
    if message.is_multipart():
        yield path, "container", unfold(message.get_content_type())
        for number, part in enumerate(message.get_payload(), 1):
            below = f"{path}.{number}"
            if message.get_content_maintype() == "message":
                yield below, "header", nested_header(part)
            yield from leaves(part, below)
    else:
        yield path, "leaf", Leaf(message)


def nested_header(message):
    return [(name.lower(), unfold(value)) for name, value in message.raw_items()
            if not name.lower().startswith("content-")]


def unfold(value):
    return re.sub(r"\s+", " ", str(value)).strip()


class Leaf:
    def __init__(self, part):
        self.type = unfold(part.get_content_type())
        self.filename = filename(part)
        self.id = unfold(part.get("content-id", ""))
        self.encoding = str(part.get("content-transfer-encoding", "")).strip().lower()
        if self.encoding:
            # Python does not decode where white space follows the name of the encoding.
            part.replace_header("content-transfer-encoding", self.encoding)
        self.charset = str(part.get_param("charset", "") or "").lower()
        try:
            self.octets = dropped(part) + (part.get_payload(decode=True) or b"")
        except (ValueError, LookupError) as error:
            self.octets = f"undecodable: {error}".encode()

    def lines(self):
        return LINE_END.sub(b"\n", self.octets)

    def text(self):
        try:
            return self.lines().decode(self.charset or "ascii")
        except (LookupError, UnicodeDecodeError):
            return None

    def differs(self, other):
        """Why this leaf, as it came, is not the other, as it was recovered; or None."""
        if self.type != other.type:
            return f"content type {self.type} became {other.type}"
        if self.filename != other.filename:
            return f"file name {self.filename!r} became {other.filename!r}"
        if self.id != other.id:
            return f"Content-ID {self.id!r} became {other.id!r}"
        if self.encoding == "base64" and self.octets != other.octets:
            return f"octets of base64: {first_difference(self.octets, other.octets)}"
        if self.lines() == other.lines():
            return None
        if self.type.startswith("text/") and self.text() is not None and self.text() == other.text():
            return None
        return f"content: {first_difference(self.lines(), other.lines())}"


def dropped(part):
    """A part that begins with a continuation line has no header; Python leaves the line out."""
    lines = [d.line for d in part.defects
             if isinstance(d, email.errors.FirstHeaderLineIsContinuationDefect)]
    return "".join(lines).encode("ascii", "surrogateescape")


def container_differs(a, b):
    return None if a == b else f"{a} became {b}"


def filename(part):
    """The name in any of its spellings, as characters."""
    try:
        name = part.get_filename()
    except (ValueError, LookupError, TypeError) as error:
        return f"unreadable: {type(error).__name__}"
    return None if name is None else unfold(name)


def header_differs(a, b):
    if a == b:
        return None
    odd = [f"{n}: {v}" for n, v in a + b if ((n, v) in a) != ((n, v) in b)]
    return "header of the message inside: " + ("; ".join(odd[:3])[:160] or "order changed")


DIFFERS = {"leaf": Leaf.differs, "container": container_differs, "header": header_differs}


def first_difference(a, b):
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return (f"{len(a)} octets became {len(b)}, first difference at {at}: "
            f"{a[at:at + 24]!r} became {b[at:at + 24]!r}")


def content_differences(original, result):
    """Differences between the contents of two mails (octets); empty when they are the same."""
    before, after = list(leaves(parse(original))), list(leaves(parse(result)))
    found = []
    for (path, kind, a), (path_after, kind_after, b) in zip(before, after):
        if (path, kind) != (path_after, kind_after):
            found.append(f"part {path} ({kind}) became part {path_after} ({kind_after})")
            break
        why = DIFFERS[kind](a, b)
        if why:
            found.append(f"part {path}: {why}")
    if len(before) != len(after):
        found.append(f"{len(before)} parts became {len(after)}")
    return found


def outside_differences(original, result):
    """Differences between the header fields outside the protection."""
    before, after = parse(original), parse(result)
    found = []
    for name in OUTSIDE:
        a = [unfold(v) for v in before.get_all(name, [])]
        b = [unfold(v) for v in after.get_all(name, [])]
        if a != b:
            found.append(f"field {name}: {a!r} became {b!r}"[:240])
    return found


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    octets = []
    for path in sys.argv[1:]:
        with open(path, "rb") as file:
            octets.append(file.read())
    found = content_differences(*octets)
    print("\n".join(found) if found else "same")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
