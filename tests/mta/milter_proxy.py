"""Between an MTA and a milter: cuts, hangs or calls somebody at a chosen packet, so that a message
is caught half-changed.

    python3 tests/mta/milter_proxy.py --listen inet:8899 --to unix:/run/waxseal/milter.sock \\
        --at m:1 --then cut

`--at` names a packet by its sender and order: a command of the MTA (`>B:1`, its first body chunk;
`>E:1`, the end of the message) or a reply of the milter (`m:2`, its second header change; `b:1`,
its first piece of a new body). Counting starts anew with each message. What comes before the packet
is passed on, the packet itself is not.

    cut     both connections are closed
    hang    nothing is passed on any more, in either direction
    drop    the MTA's connection is closed, and the milter's stays open
    pass    only writes down (the default)

With `--shut FILE` the fault is on only while FILE exists. Prints one line for each fault.

Packets are a length (four octets, network order), a letter and data; the letters are those of
libmilter's mfdef.h.
"""

import argparse
import asyncio
import contextlib
import os
import sys
from collections import Counter

# Of these the MTA's count starts anew: MAIL, and an abort.
NEW_MESSAGE = {">M", ">A"}


class MilterProxy:
    """`at` as on the command line; `then` is one of the words above, or a function that is called
    (and may be a coroutine) before both connections are cut. `active` may be changed at any time."""

    def __init__(self, target, at="", then="pass", active=True, shut=None):
        self.target, self.then, self.active, self.shut = target, then, active, shut
        self.kind, _, number = at.partition(":")
        self.number = int(number or 1)
        # What was passed on, by kind, of all connections; and how often the fault struck.
        self.passed, self.struck = Counter(), 0
        self.tell = lambda line: None
        self.address = None
        self._server = None
        self._open = set()

    async def start(self, listen="inet:0"):
        kind, place = listen.split(":", 1)
        if kind == "unix":
            with contextlib.suppress(FileNotFoundError):
                os.unlink(place)
            self._server = await asyncio.start_unix_server(self._serve, place)
            os.chmod(place, 0o777)
            self.address = listen
        else:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", int(place))
            self.address = f"inet:{self._server.sockets[0].getsockname()[1]}"
        return self.address

    @property
    def port(self):
        return int(self.address.split(":")[1])

    def close(self):
        self._server.close()
        for writer in list(self._open):
            writer.close()

    def release(self):
        """Ends the connections that hang."""
        for writer in list(self._open):
            writer.close()

    async def _connect(self):
        kind, place = self.target.split(":", 1)
        if kind == "unix":
            return await asyncio.open_unix_connection(place, limit=1 << 21)
        return await asyncio.open_connection("127.0.0.1", int(place), limit=1 << 21)

    async def _serve(self, reader, writer):
        try:
            milter_reader, milter_writer = await self._connect()
        except OSError:
            writer.close()
            return
        session = Session(self)
        self._open |= {writer, milter_writer}
        both = [
            asyncio.ensure_future(session.pass_on(">", reader, milter_writer)),
            asyncio.ensure_future(session.pass_on("", milter_reader, writer)),
        ]
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if session.struck and self.then == "drop":
                writer.close()
                await asyncio.wait(both[1:])
                with contextlib.suppress(OSError):
                    await milter_reader.read(-1)
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        for end in (writer, milter_writer):
            end.close()
        self._open -= {writer, milter_writer}

    def is_on(self):
        return self.active and (self.shut is None or os.path.exists(self.shut))

    async def strike(self, kind, number):
        self.struck += 1
        self.tell(f"{kind}:{number} {self.then}")
        if callable(self.then):
            called = self.then()
            if asyncio.iscoroutine(called):
                await called


class Session:
    """One connection between an MTA and its milter."""

    def __init__(self, proxy):
        self.proxy, self.counts, self.struck = proxy, Counter(), False

    async def pass_on(self, side, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while not self.struck:
                length = await reader.readexactly(4)
                packet = await reader.readexactly(int.from_bytes(length, "big"))
                kind = side + packet[:1].decode("latin-1")
                if await self.counted(kind):
                    break
                writer.write(length + packet)
                await writer.drain()
                self.proxy.passed[kind] += 1
            # Hanging is to read and to say nothing, until somebody closes.
            while self.struck and self.proxy.then == "hang" and await reader.read(65536):
                pass

    async def counted(self, kind):
        """Counts a packet; true when it is the one."""
        if self.struck:
            return True
        if kind in NEW_MESSAGE:
            self.counts.clear()
        self.counts[kind] += 1
        proxy = self.proxy
        if kind != proxy.kind or self.counts[kind] != proxy.number or proxy.then == "pass":
            return False
        if not proxy.is_on():
            return False
        self.struck = True
        await proxy.strike(kind, proxy.number)
        return True


async def main():
    parser = argparse.ArgumentParser(description="Cuts between an MTA and its milter.")
    parser.add_argument("--listen", required=True, metavar="inet:PORT|unix:PATH")
    parser.add_argument("--to", required=True, metavar="inet:PORT|unix:PATH")
    parser.add_argument("--at", default="", metavar="[>]LETTER:N")
    parser.add_argument("--then", default="pass", choices=["cut", "hang", "drop", "pass"])
    parser.add_argument("--shut", metavar="FILE")
    given = parser.parse_args()
    proxy = MilterProxy(given.to, given.at, given.then, shut=given.shut)
    proxy.tell = lambda line: print(line, flush=True)
    print(await proxy.start(given.listen), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(asyncio.run(main()))
