"""A wire with faults between an SMTP client and its server: what the network does to the way
from Waxseal to the Postfix behind it. It changes nothing; it refuses, cuts, or is slow.

    refuse    the connection is closed at once
    drop      it is cut while the message is on its way
    cut-ack   the server has taken the message, and the connection is cut before its reply comes
    stall     the reply is held for `stall` seconds
    hang      the reply is held until nobody waits any more, then the connection is cut

And, drawn by nobody, `gave-up`: the client closed the connection before the reply came.

BDAT is not understood: the server must not offer CHUNKING; nor TLS.
"""

import asyncio
import contextlib
import re

import reading

SENDER = re.compile(rb"^MAIL FROM:\s*<([^>]*)>", re.I)
RECIPIENT = re.compile(rb"^RCPT TO:\s*<([^>]*)>", re.I)


class Hop:
    """Listens on `port`, and hands on to `target`, an address and a port."""

    def __init__(self, name, target, record, schedule, stall=0.3, hang=30.0):
        self.name, self.target, self.record, self.schedule = name, target, record, schedule
        self.stall, self.hang = stall, hang
        self.port = None
        self._server = None

    async def start(self, port=0):
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", port, limit=64 << 20, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    def close(self):
        self._server.close()

    async def _serve(self, reader, writer):
        if self.schedule.draw(self.name + "-greeting") == "refuse":
            self.record.fault("refuse", detail=f"at {self.name}")
            writer.close()
            return
        try:
            server = await asyncio.open_connection(*self.target, limit=64 << 20)
        except (OSError, asyncio.CancelledError):
            writer.close()
            return
        with contextlib.suppress(asyncio.CancelledError):
            await Wire(self, (reader, writer), server).run()


class Wire:
    """One connection, line by line."""

    def __init__(self, hop, client, server):
        self.hop = hop
        self.client_reader, self.client_writer = client
        self.server_reader, self.server_writer = server
        self.id, self.recipients, self.fault = None, [], None
        self.in_data = self.at_end = False

    async def run(self):
        both = [asyncio.ensure_future(self.upstream()), asyncio.ensure_future(self.downstream())]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if both[0].done() and self.at_end:
            # The client had enough of waiting, and the server has the message.
            self.noted("gave-up")
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        for writer in (self.client_writer, self.server_writer):
            with contextlib.suppress(Exception):
                writer.close()

    async def upstream(self):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while line := await self.client_reader.readline():
                if self.in_data:
                    if not await self.pass_data(line):
                        return
                    continue
                self.note(line)
                self.server_writer.write(line)
                await self.server_writer.drain()

    def note(self, line):
        if found := SENDER.match(line):
            self.id = reading.id_of_sender(found.group(1).decode())
            self.recipients = []
            self.fault = self.hop.schedule.draw(self.hop.name) if self.id else None
        elif found := RECIPIENT.match(line):
            self.recipients.append(found.group(1).decode())

    async def pass_data(self, line):
        """The message, of which this is the first line."""
        if self.fault == "drop":
            self.noted("drop")
            return False
        self.server_writer.write(line)
        if line != b".\r\n":
            self.server_writer.write(await self.client_reader.readuntil(b"\r\n.\r\n"))
        self.in_data, self.at_end = False, True
        await self.server_writer.drain()
        return True

    async def downstream(self):
        with contextlib.suppress(ConnectionError):
            while line := await self.server_reader.readline():
                if line.startswith(b"354"):
                    self.in_data = True
                elif self.at_end and not await self.pass_end(line):
                    return
                self.client_writer.write(line)
                await self.client_writer.drain()

    async def pass_end(self, line):
        """The reply to the final dot."""
        self.at_end = False
        taken = line.startswith(b"2")
        if not taken:
            # The server's own refusal is a fault that the copies taken before may suffer from.
            self.noted("dot")
            return True
        if self.fault in ("cut-ack", "stall", "hang"):
            self.noted(self.fault)
        if self.fault in ("stall", "hang"):
            await asyncio.sleep(getattr(self.hop, self.fault))
        return self.fault not in ("cut-ack", "hang")

    def noted(self, kind):
        self.hop.record.fault(kind, [self.id], self.recipients, "smtp", f"at {self.hop.name}")
