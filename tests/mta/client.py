"""Whoever hands mail in: an SMTP client with a queue of its own, as every MTA has one.

It tries again what was deferred or cut off, takes a 5yz for an answer, and writes every attempt
down. Messages wait while more than `most` are on their way.
"""

import asyncio
import contextlib
import heapq
import itertools
import time
from collections import deque
from dataclasses import dataclass, field

import reading


@dataclass
class Attempt:
    """One try to hand a message in."""

    at: float
    reply: str  # or what was lost
    # The whole message was sent: whoever got it may keep it, whatever was heard.
    whole: bool = False


@dataclass
class Sent:
    """One message, and what became of handing it in."""

    id: str
    recipients: list
    share: str  # which way it takes: milter, smtp, lmtp
    phase: str
    padding: int = 0
    attempts: list = field(default_factory=list)
    accepted: bool = False
    refused: str | None = None

    @property
    def settled(self):
        return self.accepted or self.refused is not None


class Lost(ConnectionError):
    """The connection went, or was of no use: the reply, or what happened, in words."""


class Client:
    """Hands messages in at the port of their share."""

    def __init__(self, ports, sender, connections=8, most=1000, retry=0.7):
        self.ports, self.retry = ports, retry
        # The From address of a message, by its id.
        self.sender_of = sender if callable(sender) else lambda id: sender
        self.connections, self.most = connections, most
        self.on_the_way, self.refused = set(), 0
        self._order = itertools.count()

    def arrived(self, id):
        self.on_the_way.discard(id)

    async def hand_in(self, messages):
        """Until each of them was accepted or refused."""
        fresh, again = deque(messages), []
        left = {sent.id for sent in messages}
        await asyncio.gather(*(self._work(fresh, again, left) for _ in range(self.connections)))

    async def _work(self, fresh, again, left):
        lines = {}
        while left:
            sent = self._next(fresh, again)
            if sent is None:
                await asyncio.sleep(0.05)
                continue
            await self._try(lines, sent)
            if sent.settled:
                left.discard(sent.id)
            else:
                heapq.heappush(again, (time.time() + self._pause(sent), next(self._order), sent))
                # A peer that is in trouble is not helped by a storm.
                await asyncio.sleep(0.05)
        for line in lines.values():
            line.close()

    def _pause(self, sent):
        """Seconds until the next try: longer each time, as with every MTA."""
        return min(self.retry * 2 ** (len(sent.attempts) - 1), 4)

    def _next(self, fresh, again):
        """What is due again goes first."""
        if len(self.on_the_way) >= self.most:
            return None
        if again and again[0][0] <= time.time():
            return heapq.heappop(again)[2]
        return fresh.popleft() if fresh else None

    async def _try(self, lines, sent):
        self.on_the_way.add(sent.id)
        attempt = await try_once(lines, self.ports[sent.share], sent, self.sender_of(sent.id))
        if not attempt.reply.startswith("2"):
            self.arrived(sent.id)
        self.refused = self.refused + 1 if "ConnectionRefusedError" in attempt.reply else 0
        if self.refused > 100:
            # Nothing here stops Postfix.
            raise RuntimeError(f"nobody listens at {self.ports[sent.share]} any more")


async def try_once(lines, port, sent, sender, head=b""):
    """One attempt over the open line of `lines` to this port, or a new one; writes it down."""
    attempt = Attempt(0.0, "")
    sent.attempts.append(attempt)
    try:
        if port not in lines:
            lines[port] = await Line.open(port)
        attempt.reply = await asyncio.wait_for(
            lines[port].send(sent, sender, attempt, head), 300)
    except (OSError, asyncio.IncompleteReadError, ValueError, TimeoutError) as error:
        if (line := lines.pop(port, None)) is not None:
            line.close()
        attempt.reply = str(error) if isinstance(error, Lost) else f"lost: {error!r}"
    attempt.at = time.time()
    if attempt.reply.startswith("4") and (line := lines.pop(port, None)) is not None:
        # Postfix gives a milter that failed up for the rest of the session: no use to stay.
        line.close()
    if attempt.reply.startswith("2"):
        sent.accepted = True
    elif attempt.reply.startswith("5"):
        sent.refused = attempt.reply
    return attempt


class Line:
    """One connection."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port):
        line = cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 20))
        for command in (None, "EHLO client.example"):
            if not (reply := await line.say(command)).startswith("2"):
                line.close()
                raise Lost(reply)
        return line

    def close(self):
        with contextlib.suppress(Exception):
            self.writer.close()

    async def say(self, command):
        if command is not None:
            self.writer.write(command.encode() + b"\r\n")
        return await self.reply()

    async def reply(self):
        while True:
            line = await self.reader.readline()
            if not line:
                raise Lost("lost: closed")
            if line[3:4] != b"-":
                return line.decode("utf-8", "replace").strip()

    async def send(self, sent, sender, attempt, head=b""):
        """Pipelined (RFC 2920); gives the reply that decided. `head` stands above the message."""
        commands = [f"MAIL FROM:<{reading.reverse_path(sent.id)}>"]
        commands += [f"RCPT TO:<{recipient}>" for recipient in sent.recipients]
        self.writer.write("".join(f"{command}\r\n" for command in commands + ["DATA"]).encode())
        replies = [await self.reply() for _ in range(len(commands) + 1)]
        bad = [reply for reply in replies[:-1] if not reply.startswith("2")]
        if not replies[-1].startswith("354"):
            await self.say("RSET")
            return (bad or replies[-1:])[0]
        if bad:
            # Somebody was refused for now, so all of it comes again. Whatever was sent after 354
            # would be a message for the others: the connection goes instead (RFC 5321 §4.1.1.5).
            raise Lost(bad[0])
        octets = head + reading.compose(sent.id, sender, sent.recipients, sent.padding)
        self.writer.write(octets.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        attempt.whole = True
        return await self.reply()
