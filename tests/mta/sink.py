"""A next hop that keeps what it is given: SMTP and LMTP, as small as that can be.

    sink = Sink()                      # sink.port
    sink.wait(1); sink.messages[0].recipients, .octets

What is in `messages` was answered with 250 after its final dot. `answer(stage, argument)` may be
set to give other replies: `stage` is MAIL, RCPT, DATA or DOT, `argument` the address or the
message.
"""

import socketserver
import threading
from dataclasses import dataclass

from machine import BOUND, HOST, wait_until


@dataclass
class Message:
    sender: str
    parameters: str         # of MAIL
    recipients: list        # addresses
    rcpt_parameters: list   # of RCPT, in the same order
    octets: bytes           # with CRLF, dots unstuffed

    @property
    def text(self):
        return self.octets.decode(errors="replace")


class Sink:
    def __init__(self, lmtp=False, answer=None, port=0):
        self.lmtp, self.answer = lmtp, answer or (lambda stage, argument: None)
        self.messages, self._lock = [], threading.Lock()
        sink = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    sink._serve(self.rfile, self.wfile)
                except (ConnectionError, BrokenPipeError):
                    pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads = True, True
            request_queue_size = 128

        self._server = Server((HOST, port), Session)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def wait(self, count, bound=BOUND):
        """Waits for `count` messages; returns all that are there."""
        wait_until(lambda: len(self.messages) >= count,
                   lambda: f"{count} messages; there are {len(self.messages)}", bound)
        return list(self.messages)

    def take(self, count=1, bound=BOUND):
        """Waits for exactly the next `count` messages and forgets them."""
        self.wait(count, bound)
        with self._lock:
            taken, self.messages[:count] = self.messages[:count], []
        return taken

    def to(self, address, bound=BOUND):
        """Waits for a message to this recipient; returns it."""
        def found():
            return next((m for m in list(self.messages) if address in m.recipients), None)
        return wait_until(found, lambda: f"a message to {address}; there are "
                          f"{[m.recipients for m in self.messages]}", bound)

    def clear(self):
        with self._lock:
            self.messages.clear()

    def _serve(self, lines, out):
        def say(text):
            out.write(text.encode() + b"\r\n")
            out.flush()

        sender, recipients = None, []
        say("220 sink.example ESMTP")
        while line := lines.readline():
            command = line.decode(errors="replace").strip()
            verb = command.split(" ")[0].split(":")[0].upper()
            if verb in ("EHLO", "LHLO", "HELO"):
                for keyword in ("sink.example", "PIPELINING", "8BITMIME", "SMTPUTF8", "DSN",
                                "ENHANCEDSTATUSCODES", "SIZE 100000000"):
                    say(f"250{' ' if keyword.startswith('SIZE') else '-'}{keyword}")
            elif verb == "MAIL":
                address, parameters = _path(command)
                reply = self.answer("MAIL", address) or "250 2.1.0 ok"
                if reply.startswith("2"):
                    sender, recipients = (address, parameters), []
                say(reply)
            elif verb == "RCPT":
                address, parameters = _path(command)
                reply = self.answer("RCPT", address) or "250 2.1.5 ok"
                if sender is None:
                    reply = "503 5.5.1 MAIL first"
                if reply.startswith("2"):
                    recipients.append((address, parameters))
                say(reply)
            elif verb == "DATA":
                reply = self.answer("DATA", None) or "354 go on"
                if not recipients:
                    reply = "554 5.5.1 no recipients"
                say(reply)
                if reply.startswith("354"):
                    self._data(lines, say, sender, recipients)
                    sender, recipients = None, []
            elif verb == "RSET":
                sender, recipients = None, []
                say("250 2.0.0 ok")
            elif verb == "QUIT":
                say("221 2.0.0 bye")
                return
            else:
                say("250 2.0.0 ok" if verb == "NOOP" else "502 5.5.1 what?")

    def _data(self, lines, say, sender, recipients):
        octets = bytearray()
        while (line := lines.readline()) != b".\r\n":
            if not line:
                return          # cut off before the dot: not a message
            octets += line[1:] if line.startswith(b".") else line
        message = Message(*sender, [a for a, _ in recipients], [p for _, p in recipients],
                          bytes(octets))
        if not self.lmtp:
            reply = self.answer("DOT", message) or "250 2.0.0 taken"
            if reply.startswith("2"):
                self._keep(message)
            return say(reply)
        for address, parameters in recipients:
            one = Message(*sender, [address], [parameters], message.octets)
            reply = self.answer("DOT", one) or "250 2.0.0 taken"
            if reply.startswith("2"):
                self._keep(one)
            say(reply)

    def _keep(self, message):
        with self._lock:
            self.messages.append(message)


def _path(command):
    """The address and the parameters of MAIL FROM:<…> … and RCPT TO:<…> …"""
    address, _, parameters = command.split(":", 1)[1].strip().partition(">")
    return address.removeprefix("<"), parameters.strip()
