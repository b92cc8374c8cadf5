"""The last hop: takes mail over SMTP or LMTP, writes down what it took, and fails on purpose.

Which fault meets which transaction is drawn from a seed and the transaction's number. Every fault
names the message that it met, because only a fault that cut off an acknowledgement, or came after
another copy was taken, excuses a duplicate.

    refuse      421 instead of a greeting
    rcpt        451 to the first RCPT
    dot         451 after the final dot; nothing is taken
    some        LMTP: 451 for one recipient, 250 for the others; SMTP: as dot
    drop        the connection is cut in the midst of the message; nothing is taken
    cut-ack     everything is taken, and the connection cut before the reply
    cut-some    LMTP: the same after the reply for the first recipient; SMTP: as cut-ack
    stall       everything is taken, and the reply comes after `stall` seconds
    hang        everything is taken, and the reply after `hang` seconds, when nobody waits any more
    hold        everything is taken, and the reply comes when the test sets `release`

And, drawn by nobody, `gave-up`: whoever sent a message had closed the connection when the reply to
it came.
"""

import asyncio
import contextlib
import random
import re
import time
from dataclasses import dataclass, field

import reading

@dataclass
class Delivery:
    """One message taken for one recipient."""

    id: str | None
    envelope_id: str | None
    recipient: str
    via: str
    read: reading.Read
    at: float
    fault: str | None
    octets: bytes | None = None


@dataclass
class Fault:
    """What was done to which message, and when."""

    kind: str
    at: float
    ids: frozenset
    # At an SMTP or LMTP server: whom the transaction was for. Empty: not known.
    recipients: frozenset = frozenset()
    protocol: str = ""
    detail: str = ""


@dataclass
class Schedule:
    """Draws faults: the same seed and the same order give the same ones."""

    seed: int
    rates: dict
    active: bool = False
    count: int = 0

    def draw(self, who):
        self.count += 1
        if not self.active:
            return None
        dice = random.Random(f"{self.seed}/{who}/{self.count}").random()
        for kind, rate in self.rates.items():
            if dice < rate:
                return kind
            dice -= rate
        return None


@dataclass
class Record:
    """What all sinks of a test took and did."""

    deliveries: list = field(default_factory=list)
    faults: list = field(default_factory=list)
    # Octets of one message in so many are kept, to be opened by another program.
    keep_one_in: int = 0
    # Called with each Delivery.
    watcher: object = None

    def take(self, delivery):
        self.deliveries.append(delivery)
        if self.watcher:
            self.watcher(delivery)

    def fault(self, kind, ids=(), recipients=(), protocol="", detail="", at=None):
        self.faults.append(Fault(kind, at or time.time(), frozenset(i for i in ids if i),
                                 frozenset(r.lower() for r in recipients), protocol, detail))


class Sink:
    """A server for one protocol, "smtp" or "lmtp"."""

    def __init__(self, protocol, record, schedule, stall=0.3, hang=30.0, name=None):
        self.protocol, self.record, self.schedule = protocol, record, schedule
        self.stall, self.hang, self.release = stall, hang, asyncio.Event()
        self.name = name or protocol
        self.port = None
        self.connections = 0
        self._server = None

    async def start(self, port=0):
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", port, limit=64 << 20, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    def close(self):
        self._server.close()

    async def _serve(self, reader, writer):
        self.connections += 1
        # Cancelled: the loop ends while the connection is open.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await Session(self, reader, writer).run()
        with contextlib.suppress(Exception):
            writer.close()


class Cut(ConnectionError):
    """We close the connection on purpose."""


class Session:
    """One connection."""

    def __init__(self, sink, reader, writer):
        self.sink, self.reader, self.writer = sink, reader, writer
        self.reset()

    def reset(self):
        self.sender, self.recipients, self.fault = None, [], None

    async def say(self, text):
        self.writer.write(text.encode() + b"\r\n")
        await self.writer.drain()

    async def run(self):
        # Only a connection's greeting can be refused; the other faults meet transactions.
        if self.sink.schedule.draw(self.sink.name + "-greeting") == "refuse":
            self.sink.record.fault("refuse", detail=f"at {self.sink.name}")
            await self.say("421 4.3.2 on purpose: not now")
            return
        await self.say("220 sink.example ESMTP")
        while line := await self.reader.readline():
            verb, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            if verb.upper() == "QUIT":
                await self.say("221 2.0.0 bye")
                return
            await self.answer(verb.upper(), rest)

    async def answer(self, verb, rest):
        match verb:
            case "EHLO" | "LHLO":
                offers = ("PIPELINING", "SIZE 60000000", "8BITMIME", "SMTPUTF8", "DSN",
                          "ENHANCEDSTATUSCODES")
                await self.say("\r\n".join(["250-sink.example"]
                               + [f"250-{offer}" for offer in offers[:-1]]
                               + [f"250 {offers[-1]}"]))
            case "HELO":
                await self.say("250 sink.example")
            case "MAIL":
                await self.mail(rest)
            case "RCPT":
                await self.rcpt(rest)
            case "DATA":
                await self.data()
            case "RSET":
                self.reset()
                await self.say("250 2.0.0 reset")
            case "NOOP":
                await self.say("250 2.0.0 fine")
            case _:
                await self.say("502 5.5.1 what")

    async def mail(self, rest):
        self.reset()
        found = re.match(r"FROM:\s*<([^>]*)>", rest, re.I)
        self.sender = found.group(1) if found else ""
        # Reports always get through: a lost report is not the subject here.
        if self.sender:
            self.fault = self.sink.schedule.draw(self.sink.name)
        await self.say("250 2.1.0 sender")

    async def rcpt(self, rest):
        found = re.match(r"TO:\s*<([^>]*)>", rest, re.I)
        if self.fault == "rcpt":
            self.noted("rcpt", self.envelope_id())
            self.fault = None
            await self.say("451 4.2.1 on purpose: recipient not now")
            return
        self.recipients.append(found.group(1))
        await self.say("250 2.1.5 recipient")

    async def data(self):
        if not self.recipients:
            await self.say("554 5.5.1 no valid recipients")
            return
        await self.say("354 go ahead")
        if self.fault == "drop":
            await self.reader.readline()
            self.noted("drop", self.envelope_id())
            raise Cut
        octets = await self.body()
        read = reading.read(octets)
        await self.conclude(read, octets)
        self.reset()

    async def body(self):
        """Up to CRLF.CRLF, without dot-stuffing (RFC 5321 §4.5.2)."""
        raw = await self.reader.readuntil(b"\r\n.\r\n")
        raw = raw[:-3]
        return raw[1:].replace(b"\r\n.", b"\r\n") if raw[:1] == b"." else raw.replace(
            b"\r\n.", b"\r\n")

    async def conclude(self, read, octets):
        fault = self.fault
        if fault == "some" and (self.sink.protocol == "smtp" or len(self.recipients) < 2):
            fault = "dot"
        if fault == "dot":
            self.noted("dot", read.id)
            await self.reply_each(["451 4.3.0 on purpose: not taken"] * len(self.recipients))
            return
        if fault == "some":
            self.noted("some", read.id)
            taken = self.recipients[1:]
            self.take(taken, read, octets, fault)
            await self.reply_each(["451 4.3.0 on purpose: this one not"]
                                  + ["250 2.0.0 taken"] * len(taken))
            return
        self.take(self.recipients, read, octets, fault)
        if fault == "cut-some" and (self.sink.protocol == "smtp" or len(self.recipients) < 2):
            fault = "cut-ack"
        if fault == "cut-some":
            heard, *self.recipients = self.recipients
            self.noted(fault, read.id)
            await self.reply_each([f"250 2.0.0 taken for {heard}"])
            raise Cut
        if fault in ("cut-ack", "stall", "hang", "hold"):
            self.noted(fault, read.id)
        if fault == "cut-ack":
            raise Cut
        if fault == "hold":
            await self.sink.release.wait()
        if fault in ("stall", "hang"):
            await asyncio.sleep(getattr(self.sink, fault))
        if self.reader.at_eof():
            self.noted("gave-up", read.id)
        await self.reply_each(["250 2.0.0 taken"] * len(self.recipients))

    async def reply_each(self, replies):
        """LMTP: one for each recipient (RFC 2033 §4.2); SMTP: one."""
        await self.say("\r\n".join(replies if self.sink.protocol == "lmtp" else replies[:1]))

    def take(self, recipients, read, octets, fault):
        record, at = self.sink.record, time.time()
        keep = None
        if record.keep_one_in and len(record.deliveries) % record.keep_one_in == 0:
            keep = octets
        for recipient in recipients:
            record.take(Delivery(read.id, self.envelope_id(), recipient.lower(), self.sink.name,
                                 read, at, fault, keep))

    def envelope_id(self):
        return reading.id_of_sender(self.sender or "")

    def noted(self, kind, id):
        self.sink.record.fault(kind, [id], self.recipients, self.sink.protocol,
                               f"at {self.sink.name}")
