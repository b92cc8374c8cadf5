"""Whoever hands mail in: an SMTP client with a queue of its own, as every MTA has one.

It tries again what was deferred or cut off, takes a 5yz for an answer, and writes every attempt
down. Messages wait while more than `most` are on their way.
"""

import asyncio
import contextlib
import heapq
import itertools
import time
from dataclasses import dataclass, field

import reading


@dataclass
class Sent:
    """One message, and what became of handing it in."""

    id: str
    recipients: list
    share: str  # which way it takes: milter, smtp, lmtp
    phase: str
    padding: int = 0
    # (when, reply or what was lost)
    attempts: list = field(default_factory=list)
    accepted: bool = False
    refused: str | None = None

    @property
    def settled(self):
        return self.accepted or self.refused is not None


class Lost(ConnectionError):
    """The connection went, or never came."""


class Client:
    """Hands messages in at the port of their share."""

    def __init__(self, ports, sender, connections=8, most=1000, retry=0.7):
        self.ports, self.retry = ports, retry
        # The From address of a message, by its id.
        self.sender_of = sender if callable(sender) else lambda id: sender
        self.connections, self.most = connections, most
        self.on_the_way = set()
        self._order = itertools.count()
        self.started = self.finished = 0.0

    def arrived(self, id):
        self.on_the_way.discard(id)

    async def hand_in(self, messages):
        """Until each of them was accepted or refused."""
        waiting = [(0.0, next(self._order), sent) for sent in messages]
        heapq.heapify(waiting)
        left = {sent.id for sent in messages}
        workers = [self._work(waiting, left) for _ in range(self.connections)]
        await asyncio.gather(*workers)

    async def _work(self, waiting, left):
        lines = {}
        while left:
            now = time.time()
            if not waiting or waiting[0][0] > now or len(self.on_the_way) >= self.most:
                await asyncio.sleep(0.02)
                continue
            _, _, sent = heapq.heappop(waiting)
            await self._try(lines, sent)
            if sent.settled:
                left.discard(sent.id)
            else:
                heapq.heappush(waiting, (time.time() + self.retry, next(self._order), sent))
        for line in lines.values():
            line.close()

    async def _try(self, lines, sent):
        self.on_the_way.add(sent.id)
        try:
            if sent.share not in lines:
                lines[sent.share] = await Line.open(self.ports[sent.share])
            reply = await asyncio.wait_for(lines[sent.share].send(sent, self.sender_of(sent.id)), 300)
        except (OSError, asyncio.IncompleteReadError, ValueError, TimeoutError) as error:
            if (line := lines.pop(sent.share, None)) is not None:
                line.close()
            sent.attempts.append((time.time(), f"lost: {error!r}"))
            return
        sent.attempts.append((time.time(), reply))
        if reply.startswith("2"):
            sent.accepted = True
        elif reply.startswith("5"):
            sent.refused = reply
            self.arrived(sent.id)


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
                raise Lost("closed")
            if line[3:4] != b"-":
                return line.decode("utf-8", "replace").strip()

    async def send(self, sent, sender, head=b""):
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
            # Somebody was refused: the whole message comes again. An empty message would be
            # taken for the others, so the connection goes instead.
            raise Lost(bad[0])
        octets = head + reading.compose(sent.id, sender, sent.recipients, sent.padding)
        self.writer.write(octets.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        return await self.reply()
