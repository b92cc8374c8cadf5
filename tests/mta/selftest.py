"""Proves the account of nothing-lost: each planted loss, duplicate, leak and mix-up is found, and
what is in order is called so. A filter that loses, doubles and leaks stands in the place of
Waxseal, between the real client and the real recorder. And the milter proxy: what it passes on
before it strikes, and what not.
"""

import asyncio
import base64
import contextlib
import copy
import re
import sys
import time

import reading
from client import Client, Line, Sent
from flow import CUT, deferrals
from hop import Hop
from ledger import AT_HOP, Ledger
from milter_proxy import MilterProxy
from recorder import Delivery, Fault, Record, Schedule, Session, Sink

SECRET, OPEN = "eve@" + reading.SECRET_DOMAIN, "omar@" + reading.OPEN_DOMAIN
ENVELOPE = base64.encodebytes(
    b"\x30\x82\x01\x00" + reading.ENVELOPED + bytes(range(200))).replace(b"\n", b"\r\n")


def protect(octets, recipient, encrypted):
    """What the policy would make of a mail."""
    head, _, body = octets.partition(b"\r\n\r\n")
    head = re.sub(rb"\r\nContent-Type:[^\r]*", b"", head)
    if encrypted:
        kind = b"application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m"
        return (head + b"\r\nContent-Type: " + kind
                + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + ENVELOPE)
    return head + b"\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n" + body


class Filter(Sink):
    """An SMTP content filter of a kind: takes mail, and hands on what it makes of it."""

    def __init__(self, port, misdeed=None, every=7):
        super().__init__("smtp", Record(), Schedule(0, {}), name="filter")
        self.next_port, self.misdeed, self.every, self.taken = port, misdeed, every, 0

    async def hand_on(self, octets, recipients):
        self.taken += 1
        misdeed = self.misdeed if self.taken % self.every == 0 else None
        id = reading.read(octets).id
        for recipient in recipients:
            if misdeed == "lose":
                continue
            clear = misdeed == "leak"
            mail = octets if clear else protect(octets, recipient, reading.must_encrypt(recipient))
            to = "mallory@" + reading.OPEN_DOMAIN if misdeed == "misdirect" else recipient
            for _ in range(2 if misdeed == "double" else 1):
                await self.send(id, to, mail)

    async def send(self, id, recipient, mail):
        line = await Line.open(self.next_port)
        for command in (f"MAIL FROM:<{reading.reverse_path(id)}>", f"RCPT TO:<{recipient}>"):
            await self.expect(line, command, "250")
        await self.expect(line, "DATA", "354")
        line.writer.write(mail.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        reply = await line.reply()
        line.close()
        if not reply.startswith("250"):
            raise ConnectionError(reply)

    @staticmethod
    async def expect(line, command, code):
        reply = await line.say(command)
        if not reply.startswith(code):
            line.close()
            raise ConnectionError(reply)

    async def _serve(self, reader, writer):
        filter = self

        class Passing(Session):
            async def conclude(self, read, octets):
                try:
                    await filter.hand_on(octets, self.recipients)
                except (OSError, asyncio.IncompleteReadError):
                    await self.say("451 4.4.0 not now")
                    return
                await self.say("250 2.0.0 handed on")

        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await Passing(self, reader, writer).run()
        writer.close()


async def flow(count, misdeed=None, rates=None, hop_rates=None, phase="faults", both=True):
    """`count` messages through the filter, some for two recipients if `both`."""
    record = Record()
    sink = Sink("smtp", record, Schedule(1, rates or {}, active=bool(rates)), stall=0.01, hang=0.2)
    hop = Hop("hop", ("127.0.0.1", await sink.start()), record,
              Schedule(2, hop_rates or {}, active=bool(hop_rates)), stall=0.01, hang=0.2)
    filter = Filter(await hop.start(), misdeed)
    client = Client({"smtp": await filter.start()}, "alice@" + reading.DOMAIN, retry=0.02)
    record.watcher = lambda delivery: client.arrived(delivery.read.id)
    groups = [[SECRET], [OPEN], [SECRET, OPEN]] if both else [[SECRET], [OPEN]]
    sent = [Sent(f"s{n:05d}", groups[n % len(groups)], "smtp", phase) for n in range(count)]
    await client.hand_in(sent)
    for server in (filter, hop, sink):
        server.close()
    return sent, record


def violations(sent, record, queued=()):
    return [str(line) for line in Ledger(sent, record, queued).settle().violations]


def check(what, found, word):
    """`word` is None where nothing may be found."""
    right = not found if word is None else any(word in line for line in found)
    print(f"{'ok ' if right else 'NOT'}  {what}" + ("" if right else f": {found[:3]}"))
    return right


def planted(sent, record):
    """One change of a good account at a time."""
    def changed(change):
        copied = Record([copy.copy(d) for d in record.deliveries], list(record.faults))
        messages = [copy.copy(m) for m in sent]
        change(messages, copied)
        return violations(messages, copied)

    def last_of(messages, at):
        return next(m for m in messages if m.id == at.id)

    def lose(_, r):
        r.deliveries.pop(5)

    def double(_, r):
        r.deliveries.append(r.deliveries[5])

    def excuse(kind, after, recipients=(), share="smtp", detail="", times=1):
        """Duplicates, and a fault of their message so many seconds after the first copy."""
        def change(messages, r):
            first = r.deliveries[5]
            last_of(messages, first).share = share
            for number in range(times):
                again = copy.copy(first)
                again.at += 10 * (number + 1)
                r.deliveries.append(again)
            r.faults.append(Fault(kind, first.at + after, frozenset([first.id]),
                                  frozenset(recipients), detail=detail))
        return change

    def cut_at_both(messages, r):
        excuse("cut-ack", -5, times=2, detail=AT_HOP)(messages, r)
        first = r.deliveries[5]
        r.faults.append(Fault("cut-ack", first.at + 1, frozenset([first.id]), frozenset()))

    def other_fault(messages, r):
        excuse("cut-ack", 1)(messages, r)
        r.faults[-1].ids = frozenset(["another"])

    def mix(_, r):
        r.deliveries[4].envelope_id = "s00000"

    def report_clear(_, r):
        first = next(d for d in r.deliveries if reading.must_encrypt(d.recipient))
        r.deliveries.append(Delivery(first.id, None, reading.reverse_path(first.id), "smtp",
                                     reading.Read(first.id, "report", True), time.time(), None))

    met = {record.deliveries[5].recipient}
    return [
        ("a copy missing", changed(lose), "LOST"),
        ("a copy twice", changed(double), "twice"),
        ("twice, its acknowledgement cut", changed(excuse("cut-ack", 1)), None),
        ("twice, cut before the first copy", changed(excuse("cut-ack", -5)), "twice"),
        ("twice, cut before the first copy left Postfix's queue",
         changed(excuse("cut-ack", -5, detail=AT_HOP)), None),
        ("twice over LMTP, where no queue is, cut before the first copy",
         changed(excuse("cut-ack", -5, share="lmtp", detail=AT_HOP)), "twice"),
        ("three times, and one acknowledgement cut",
         changed(excuse("cut-ack", 1, times=2, detail=AT_HOP)), "twice"),
        ("three times, cut before Postfix's queue and behind it", changed(cut_at_both), None),
        ("twice, cut after the second copy", changed(excuse("cut-ack", 15)), "twice"),
        ("twice, another message's acknowledgement cut", changed(other_fault), "twice"),
        ("twice, only slow", changed(excuse("stall", 1)), "twice"),
        ("twice, refused at RCPT", changed(excuse("rcpt", 1)), "twice"),
        ("twice over SMTP, its own dot refused", changed(excuse("dot", 1, met)), "twice"),
        ("twice over SMTP, another copy's dot refused",
         changed(excuse("dot", 1, {"else@x"})), None),
        ("twice over SMTP, its own connection gone", changed(excuse("drop", 1, met)), "twice"),
        ("twice over SMTP, another copy's connection gone",
         changed(excuse("drop", 1, {"else@x"})), None),
        ("twice over LMTP, another copy's acknowledgement cut",
         changed(excuse("cut-ack", 1, {"else@x"}, "lmtp")), "twice"),
        ("a message in another's envelope", changed(mix), "none of ours"),
        ("a report with the content", changed(report_clear), "shows its content"),
    ]


def readings():
    """Does it read what Waxseal could send?"""
    mail = reading.compose("s1", "a@ours.example", [SECRET])
    fake = mail.replace(b"text/plain; charset=us-ascii", b"application/pkcs7-mime")
    hidden = protect(mail, SECRET, True) + b"\r\n" + base64.encodebytes(mail).replace(
        b"\n", b"\r\n")
    cases = [
        (mail, "clear", True), (protect(mail, SECRET, True), "envelope", False),
        (protect(mail, OPEN, False), "signed", True), (fake, "clear", True),
    ]
    right = [check(f"reads {form}", [] if (reading.read(octets).form, reading.read(octets).reveals)
                   == (form, reveals) else [str(reading.read(octets))], None)
             for octets, form, reveals in cases]
    found = reading.read(hidden)
    right.append(check("finds a secret behind an envelope, in base64",
                       [] if found.reveals else [str(found)], None))
    return all(right)


def packet(kind, data=b""):
    return (len(data) + 1).to_bytes(4, "big") + kind.encode() + data


async def read_kinds(reader):
    """The letters of the packets that come within half a second, and a dot for the end."""
    kinds = ""
    with contextlib.suppress(asyncio.IncompleteReadError, TimeoutError):
        while True:
            length = await asyncio.wait_for(reader.readexactly(4), 0.5)
            kinds += (await reader.readexactly(int.from_bytes(length, "big")))[:1].decode()
    return kinds + ("." if reader.at_eof() else "")


async def through_proxy(at, then, messages=1, **more):
    """What an MTA gets of a milter that answers the end of a message with two header changes, two
    pieces of a body, and an acceptance."""
    async def milter(reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                length = await reader.readexactly(4)
                kind = (await reader.readexactly(int.from_bytes(length, "big")))[:1]
                answer = {b"E": "mmbba", b"M": "c"}.get(kind, "")
                writer.write(b"".join(packet(letter, b"data") for letter in answer))
        writer.close()

    server = await asyncio.start_server(milter, "127.0.0.1", 0)
    proxy = MilterProxy(f"inet:{server.sockets[0].getsockname()[1]}", at, then, **more)
    await proxy.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    found = ""
    for _ in range(messages):
        for sent in (packet("M"), packet("B", b"body") + packet("E")):
            writer.write(sent)
            found += await read_kinds(reader)
    proxy.release()
    proxy.close()
    server.close()
    return found, proxy.struck


async def proxying():
    """What the MTA must have got; a dot is the end of the connection."""
    called = []
    cases = [
        ("", "pass", {}, "cmmbba", 0), ("m:2", "cut", {}, "cm.", 1), ("b:1", "cut", {}, "cmm.", 1),
        ("b:2", "hang", {}, "cmmb", 1), ("a:1", "drop", {}, "cmmbb.", 1),
        (">E:1", "cut", {}, "c.", 1), ("b:2", lambda: called.append(1), {}, "cmmb.", 1),
        ("m:3", "cut", {"messages": 2}, "cmmbbacmmbba", 0),
        ("m:1", "cut", {"shut": "/no/such/file"}, "cmmbba", 0),
    ]
    good = True
    for at, then, more, expected, struck in cases:
        found = await through_proxy(at, then, **more)
        good &= check(f"the proxy at {at or 'rest'}: {expected}",
                      [] if found == (expected, struck) else [str(found)], None)
    return check("the proxy calls", [] if called == [1] else [str(called)], None) and good


# What Postfix 3.7 writes: a delivery that was deferred, after the envelope of its message.
LOG = """\
Nov 29 00:50:32 gate postfix/qmgr[24466]: 4jcT8m5j9Mzyx: from=<from+m00001@ours.example>, size=9, nrcpt=1
Nov 29 00:50:33 gate postfix/to-lmtp/lmtp[9]: 4jcT8m5j9Mzyx: to=<E1@secret.example>, relay=127.0.0.1[127.0.0.1]:3, \
delay=1, delays=1/0/0/0, dsn=4.4.2, status=deferred (lost connection with 127.0.0.1[127.0.0.1] \
while sending end of data -- message may be sent more than once)
Nov 29 00:50:34 gate postfix/smtp[7]: 4jcT8m5j9Mzyx: to=<e1@secret.example>, status=sent (250 ok)
"""


def logs():
    """Who was deferred, by Postfix's log."""
    found = [(d.id, d.recipient, d.service, CUT in d.why, time.localtime(d.at).tm_sec)
             for d in deferrals(LOG)]
    expected = [("m00001", "e1@secret.example", "to-lmtp/lmtp", True, 33)]
    return check("reads Postfix's log", [] if found == expected else [str(found)], None)


async def main():
    good = readings() & logs()
    good &= await proxying()
    good &= check("all arrives", violations(*await flow(60, phase="calm")), None)
    good &= check("twice without faults",
                  violations(*await flow(60, "double", phase="calm")), "without faults")
    sent, record = await flow(60)
    for what, found, word in planted(sent, record):
        good &= check(what, found, word)
    for misdeed, word in (("lose", "LOST"), ("double", "twice"), ("leak", "clear"),
                          ("misdirect", "stranger")):
        good &= check(f"a filter that would {misdeed}", violations(*await flow(60, misdeed)), word)
    # Faults alone lose nothing, and their duplicates are excused.
    rates = {"refuse": 0.05, "rcpt": 0.05, "dot": 0.05, "drop": 0.05, "cut-ack": 0.05,
             "cut-some": 0.02, "stall": 0.05, "hang": 0.02}
    sent, record = await flow(400, rates=rates, hop_rates=rates, both=False)
    good &= check("faults at the sink and on the way", violations(sent, record), None)
    doubled = Ledger(sent, record).settle().duplicates
    good &= check(f"{len(doubled)} duplicates, each with its fault",
                  [] if doubled else ["no duplicate: the faults did nothing"], None)
    naive = violations(*await flow(150, rates=rates, hop_rates=rates))
    good &= check("a filter that commits one copy before it sends the next", naive, "twice")
    print("the account is proven" if good else "THE ACCOUNT IS WRONG")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
