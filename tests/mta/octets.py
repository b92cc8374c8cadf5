"""What Postfix delivers after a milter's changes, octet for octet: fields that nobody asked to
change keep their spaces, folds and 8-bit octets, new ones stand where they belong, and a
signature still verifies. The outcomes that a milter has, as an SMTP client and the queue see them.

    tests/run mta octets
"""

import os
import re
import smtplib
import sys

from machine import HOST, Workshop, run
from pki import Authority
from postfix import Postfix
from sink import Sink
from waxseal import Server, write_policy

ALICE, BOB, CAROL = "alice@example.org", "bob@example.net", "carol@example.net"


def when(word, **more):
    return {"header": {"name": "X-Do", "value": word}} | more


RULES = {"rules": [
    {"when": when("edit"), "then": {"headers": {
        "remove": ["X-Gone"], "replace": {"Subject": "changed"},
        "add": {"X-New": "on top"}}}},
    {"when": when("sign"), "then": {"apply": {"profile": "signed"}}},
    {"when": when("reject"), "then": {"verdict": {"reject": {
        "code": 554, "enhanced": "5.7.1", "text": "100% no, %s"}}}},
    {"when": when("defer"), "then": {"verdict": {"defer": {
        "code": 450, "enhanced": "4.7.1", "text": "not now"}}}},
    {"when": when("quarantine"), "then": {"verdict": {"quarantine": "look at it"}}},
    {"when": when("route", recipient=BOB), "then": {"route": {"add": {"X-For": "bob"}}}},
    {"when": when("refuse", recipient=BOB), "then": {"refuse": {"text": "not to bob"}}},
]}

HEADER = [
    b"Received: from a\r\n\tby b; Mon, 1 Jan 2024 00:00:00 +0000\r\n",
    b"Received: from b by c\r\n",
    b"From: Alice <alice@example.org>\r\n",
    b"To: bob@example.net,\r\n carol@example.net\r\n",
    b"Subject:  two spaces\r\n",
    b"X-Gone:no space\r\n",
    b"X-Tab:\tx\r\n",
    b"X-Empty:\r\n",
    b"X-Blank:  \r\n",
    b"X-8bit: Gr\xc3\xbc\xc3\x9fe \xff\r\n",
    b"X-Long: " + b"x" * 5000 + b"\r\n",
    b"X-Fold:\r\n folded\r\n \t more\r\n",
    b"Message-ID: <1@example.org>\r\n",
    b"Date: Mon, 1 Jan 2024 00:00:00 +0000\r\n",
]
BODY = b"\r\nHello,\r\n.dot\r\n\r\nend.\r\n"


def message(what, body=BODY):
    return [*HEADER[:5], b"X-Do: %s\r\n" % what.encode(), *HEADER[5:], body]


class Gate:
    """Client → Postfix (milter) → sink, with re-injection through a second smtpd."""

    def __init__(self, workshop):
        authority = Authority(workshop.dir("pki"))
        self.root = authority.root
        policy = write_policy(workshop.dir("policy"), [authority.issue(ALICE, "p256")], [],
                              authority.root, rules=RULES)
        self.sink = workshop.started(Sink())
        self.postfix = Postfix(workshop.directory, "gateway", "gw.example.org", {
            "relayhost": f"[{HOST}]:{self.sink.port}",
            # The client folds long lines otherwise.
            "smtp_line_length_limit": "0",
            "message_size_limit": "100000000",
            "milter_default_action": "tempfail",
        })
        again = self.postfix.smtpd()
        server = Server(workshop.directory, policy)
        hop = server.next_hop("postfix", f"{HOST}:{again}")
        milter = server.listener("submission", "milter", hop)
        self.port = self.postfix.smtpd(f"smtpd_milters=inet:{HOST}:{milter}")
        workshop.started(server).start()
        workshop.started(self.postfix).start()

    def send(self, octets, recipients=(BOB, CAROL)):
        """The reply to the final dot."""
        with smtplib.SMTP(HOST, self.port, timeout=120) as client:
            client.ehlo("laptop")
            client.mail(ALICE)
            for recipient in recipients:
                client.rcpt(recipient)
            code, text = client.data(octets)
            return code, text.decode()

    def through(self, pieces):
        """What arrives of the message, without the Received of this Postfix."""
        code, text = self.send(b"".join(pieces))
        assert code == 250, (code, text)
        [arrived] = self.sink.take()
        assert arrived.recipients == [BOB, CAROL], arrived.recipients
        return without_received(arrived.octets)


def without_received(octets):
    at = octets.index(b"Received: from laptop ")
    assert at == 0 or octets[at - 2:at] == b"\r\n"
    end = octets.index(b"\r\n", at)
    while octets[end + 2:end + 3] in (b" ", b"\t"):
        end = octets.index(b"\r\n", end + 2)
    return octets[:at] + octets[end + 2:]


def same(found, expected):
    if found != expected:
        found, expected = found.split(b"\r\n"), expected.split(b"\r\n")
        for line, (one, other) in enumerate(zip(found, expected)):
            assert one == other, f"line {line}: {one[:200]}, not {other[:200]}"
        raise AssertionError(f"{len(found)} lines, not {len(expected)}")


def untouched(gate):
    """A message that the policy leaves alone arrives as it was sent."""
    sent = message("nothing")
    same(gate.through(sent), b"".join(sent))


def edited(gate):
    """One field changed, one gone, one on top; all others octet for octet."""
    sent = message("edit")
    expected = [b"X-New: on top\r\n", *sent]
    expected[expected.index(b"Subject:  two spaces\r\n")] = b"Subject: changed\r\n"
    expected.remove(b"X-Gone:no space\r\n")
    same(gate.through(sent), b"".join(expected))


def signed(gate, body=BODY):
    """The signature verifies, and every field but Content-* and MIME-Version is as it was."""
    sent = message("sign", body)
    arrived = gate.through(sent)
    header, _ = arrived.split(b"\r\n\r\n", 1)
    kept = [field for field in fields(header + b"\r\n")
            if not field.lower().startswith((b"content-", b"mime-version:"))]
    same(b"".join(kept), b"".join(sent[:-1]))
    verified = run("openssl", "cms", "-verify", "-CAfile", gate.root, "-purpose", "any",
                   stdin=arrived)
    assert verified.endswith(body[2:]), verified[-200:]


def fields(header):
    found = []
    for line in header.splitlines(keepends=True):
        if line[:1] in b" \t" and found:
            found[-1] += line
        else:
            found.append(line)
    return found


def signed_large(gate):
    """25 MB of body, replaced in pieces."""
    line = b"0123456789 abcdefghijklmnopqrstuvwxyz 0123456789 abcdef\r\n"
    signed(gate, b"\r\n" + line * ((25 << 20) // len(line)))


def refused(gate):
    """The client hears the policy's words, percent signs included, and nothing is queued."""
    code, text = gate.send(b"".join(message("reject")))
    assert code == 554 and re.fullmatch(r"5\.7\.1 id=\S+ 100% no, %s", text), (code, text)
    code, text = gate.send(b"".join(message("defer")))
    assert code == 450 and re.fullmatch(r"4\.7\.1 id=\S+ not now", text), (code, text)
    gate.postfix.wait_empty()
    assert not gate.sink.messages


def held(gate):
    """Quarantine without an address: Postfix holds the message as it came."""
    sent = message("quarantine")
    code, text = gate.send(b"".join(sent))
    assert code == 250, (code, text)
    [queued] = gate.postfix.wait_queue(len, "a message held")
    assert queued["queue_name"] == "hold", queued
    gate.postfix.postsuper("-H", "ALL")
    gate.postfix.flush()
    [arrived] = gate.sink.take()
    same(without_received(arrived.octets), b"".join(sent))


def routed(gate):
    """Copies that differ are re-injected; Postfix discards its own."""
    code, text = gate.send(b"".join(message("route")))
    assert code == 250, (code, text)
    copies = {tuple(m.recipients): m.octets for m in gate.sink.take(2)}
    assert set(copies) == {(BOB,), (CAROL,)}, set(copies)
    assert b"X-For: bob\r\n" in copies[(BOB,)] and b"X-For" not in copies[(CAROL,)]
    gate.postfix.wait_empty()


def refused_alone(gate):
    """One recipient is refused: the others get theirs, and the sender a report."""
    code, text = gate.send(b"".join(message("refuse")))
    assert code == 250, (code, text)
    arrived = {m.recipients[0]: m for m in gate.sink.take(2)}
    assert set(arrived) == {CAROL, ALICE}, set(arrived)
    report = arrived[ALICE]
    assert report.sender == "" and b"not to bob" in report.octets
    assert b"end." not in report.octets


CASES = [untouched, edited, signed, signed_large, refused, held, routed, refused_alone]


def main():
    if os.geteuid() != 0:
        sys.exit("error: Postfix needs root\nhint: sudo tests/run mta octets")
    with Workshop("octets") as workshop:
        gate = Gate(workshop)
        for case in CASES:
            print(f"{case.__name__}: {case.__doc__}", flush=True)
            case(gate)
        warned = [line for line in gate.postfix.lines("warning: .*milter")]
        assert not warned, warned


if __name__ == "__main__":
    main()
