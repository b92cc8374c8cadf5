"""What the way through Waxseal costs, by Postfix's own load generator. Printed, and compared with
no limit.

    tests/run mta bench [--count 1000]

    throughput   messages per second from the first MAIL to the last arrival, `smtp-source` with 10
                 sessions, `smtp-sink` at the end; a fifth is sent first and not counted
    latency      from the end of the message to Postfix's reply, with and without the milter in
                 turns, one connection each; what it adds is the difference of each pair
    memory       resident, with idle and with half-sent messages on so many connections of the SMTP
                 listener
    reload       `waxseal reload`, a new generation each time
    shadow       throughput with a candidate beside the active generation
"""

import argparse
import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import reading
from flow import OPEN, POSTFIX, SECRET, SENDERS, People, Policies, serve
from machine import Workshop, free_port, run, wait_until
from postfix import Postfix
from waxseal import Server, binary

P256, RSA = SENDERS
# What is done to a message, and the envelope that leads to it.
JOBS = {
    "pass through": ("nobody@elsewhere.example", OPEN[0]),
    "sign, P-256": (P256, OPEN[0]),
    "sign, RSA-2048": (RSA, OPEN[0]),
    "sign and encrypt, P-256": (P256, SECRET[0]),
    "sign and encrypt, RSA-2048": (RSA, SECRET[7]),
}


class Gate:
    """Postfix with and without Waxseal, and smtp-sink behind."""

    def __init__(self, workshop):
        self.workshop = workshop
        people = People(workshop.dir("pki"))
        self.policies = Policies(workshop.dir("policies"), people)
        for name in "ab":
            self.policies.add(name)
        self.policies.flip("a")
        self.sink_port = free_port()
        self.sink_log = workshop.directory / "sink.log"
        self.sink = subprocess.Popen(
            ["smtp-sink", "-u", "postfix", "-c", f"127.0.0.1:{self.sink_port}", "1000"],
            stdout=open(self.sink_log, "wb"), stderr=subprocess.STDOUT)
        self.postfix = Postfix(workshop.directory, "gate", "gate.ours.example", POSTFIX | {
            "relayhost": f"[127.0.0.1]:{self.sink_port}"})
        self.ports = {"none": self.postfix.smtpd()}
        self.ports["again"] = self.postfix.smtpd("content_filter=")
        # Only when it is told: a flip is for `reload --shadow` too.
        self.server = Server(workshop.directory, self.policies.link,
                             extra="[reload]\nwatch = false\n")
        self.server.next_hop("again", f"127.0.0.1:{self.ports['again']}")
        self.server.next_hop("sink", f"127.0.0.1:{self.sink_port}")
        self.inner = {
            "milter": self.server.listener("milter", "milter", "again", max_connections=1100),
            "smtp": self.server.listener("smtp", "smtp", "again", max_connections=1100),
        }
        self.ports["milter"] = self.postfix.smtpd(
            f"smtpd_milters=inet:127.0.0.1:{self.inner['milter']}",
            "milter_default_action=tempfail")
        self.ports["smtp"] = self.postfix.smtpd(
            f"content_filter=to-smtp:[127.0.0.1]:{self.inner['smtp']}")
        self.postfix.services.append(
            "to-smtp unix - - n - 20 smtp\n  -o smtp_send_xforward_command=yes\n")

    def start(self):
        serve(self.server)
        self.postfix.start()

    def stop(self):
        self.postfix.stop()
        self.server.stop()
        self.sink.kill()
        self.sink.wait()

    def throughput(self, way, job, count):
        sender, recipient = JOBS[job]
        said = len(self.server.said())
        self.send(way, sender, recipient, count // 5)
        rate = self.send(way, sender, recipient, count)
        if way != "none":
            prove(self.server.said()[said:], job, count + count // 5)
        return rate

    def send(self, way, sender, recipient, count):
        began = time.monotonic()
        run("smtp-source", "-c", "-s", "10", "-m", count, "-l", "4000", "-f", sender, "-t",
            recipient, f"127.0.0.1:{self.ports[way]}")
        wait_until(lambda: not queue_files(self.postfix), "the queue to be empty", 600, 0.01)
        return count / (time.monotonic() - began)

    def latencies(self, job, count):
        """Without Waxseal and through its milter, in turns: [(without, with)]."""
        said = len(self.server.said())
        with contextlib.ExitStack() as stack:
            files = []
            for way in ("none", "milter"):
                line = socket.create_connection(("127.0.0.1", self.ports[way]))
                # Or the dot waits for the acknowledgement of what came before it.
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                files.append(stack.enter_context(line).makefile("rwb"))
                replies(files[-1], None, "EHLO bench.example")
            pairs = [tuple(one(file, *JOBS[job], number) for file in files)
                     for number in range(count)]
        prove(self.server.said()[said:], job, count)
        return pairs


def prove(log, job, count):
    """Waxseal did with each message what the row says, by the lines of its log."""
    wanted = {"signed": "sign" in job, "encrypted": "encrypt" in job}
    plans = re.findall(r'INFO waxseal::message: .*?plan="([^"]*)".*?result="delivered"', log)
    done = sum(all((word in plan) == is_wanted for word, is_wanted in wanted.items())
               for plan in plans)
    if done != count:
        raise RuntimeError(f"{job}: done with {done} of {count} messages\n{log[-2000:]}")


def queue_files(postfix):
    """Messages that are not delivered yet; cheaper than to ask Postfix."""
    for queue in ("maildrop", "incoming", "active", "deferred"):
        for _, _, files in os.walk(postfix.queue_directory / queue):
            if files:
                return True
    return False


def replies(file, *commands):
    """Says them one by one; gives the last reply."""
    for command in commands:
        if command is not None:
            file.write(command.encode() + b"\r\n")
            file.flush()
        while (line := file.readline())[3:4] == b"-":
            pass
    if not line or line[:1] not in b"23":
        raise RuntimeError(f"{commands[-1]}: {line.decode()}")
    return line


def one(file, sender, recipient, number):
    """Seconds from the final dot to the reply."""
    replies(file, f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA")
    mail = reading.compose(f"bench{number}", sender, [recipient], 4000)
    file.write(mail.replace(b"\r\n.", b"\r\n.."))
    file.flush()
    # Waxseal gets header and body at the end: what it does is done between dot and reply.
    began = time.perf_counter()
    file.write(b".\r\n")
    file.flush()
    replies(file, None)
    return time.perf_counter() - began


def percentiles(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]


def table(title, heads, rows):
    print(f"\n{title}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |", flush=True)


def throughput(gate, count):
    yield ("without Waxseal", f"{gate.throughput('none', 'pass through', count):.0f}", "")
    for job in JOBS:
        yield (job, *(f"{gate.throughput(way, job, count):.0f}" for way in ("milter", "smtp")))


def latency(gate, count):
    for job in JOBS:
        pairs = gate.latencies(job, count)
        without, with_it, added = (percentiles(values) for values in (
            [pair[0] for pair in pairs], [pair[1] for pair in pairs],
            [after - before for before, after in pairs]))
        yield (job, *(f"{value * 1000:.1f}" for value in (*without, *with_it, *added)))


def resident(pid):
    """MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) / 1024


def memory(gate):
    """A fresh server for each number of connections."""
    for count in (1, 100, 1000):
        gate.server.stop()
        serve(gate.server)
        fresh = resident(gate.server.pid)
        lines = [socket.create_connection(("127.0.0.1", gate.inner["smtp"])) for _ in range(count)]
        try:
            files = [line.makefile("rwb") for line in lines]
            for file in files:
                replies(file, None, "EHLO bench.example")
            idle = resident(gate.server.pid)
            for file in files:
                replies(file, f"MAIL FROM:<{P256}>", f"RCPT TO:<{OPEN[0]}>", "DATA")
                file.write(b"Subject: half\r\n\r\n" + b"0123456789\r\n" * 5000)
                file.flush()
            time.sleep(1)
            half = resident(gate.server.pid)
        finally:
            for line in lines:
                line.close()
        yield (count, f"{fresh:.0f}", f"{idle:.0f}", f"{half:.0f}")


def reload_times(gate, count):
    gate.policies.flip("a")
    times = []
    for number in range(count):
        comment = gate.policies.directory / "a" / "waxseal.toml"
        comment.write_text(comment.read_text() + f"# {number}\n")
        began = time.perf_counter()
        run(binary(), "reload", "--socket", gate.server.control)
        times.append((time.perf_counter() - began) * 1000)
    p50, worst = percentiles(times)
    yield ("`waxseal reload`, 4 filters", f"{p50:.0f}", f"{worst:.0f}")


def shadow(gate, count):
    job = "sign and encrypt, P-256"
    without = gate.throughput("milter", job, count)
    gate.policies.flip("b")
    run(binary(), "reload", "--shadow", "--socket", gate.server.control)
    with_it = gate.throughput("milter", job, count)
    yield (job, f"{without:.0f}", f"{with_it:.0f}", f"{(without / with_it - 1) * 100:+.0f} %")


def main():
    parser = argparse.ArgumentParser(description="Benches through Postfix.")
    parser.add_argument("--count", type=int, default=1000)
    given = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("error: Postfix needs root\nhint: sudo tests/run mta bench")
    kind = "release" if "release" in str(binary()) else "debug"
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    print(f"{kind} build, {os.cpu_count()} cores ({model.group(1) if model else '?'}), load "
          f"{os.getloadavg()[0]:.1f} at the beginning; {given.count} messages of 4 kB each")
    with Workshop("bench") as workshop:
        gate = workshop.started(Gate(workshop))
        gate.start()
        table("Messages per second", ("", "milter", "after-queue SMTP"),
              throughput(gate, given.count))
        table("Milliseconds from the final dot to the reply", (
            "", "without, p50", "p99", "with, p50", "p99", "added, p50", "p99"), latency(gate, max(100, given.count // 2)))
        table("Messages per second with a candidate in shadow mode", (
            "", "without", "with", "cost"), shadow(gate, given.count))
        table("Milliseconds", ("", "p50", "worst"), reload_times(gate, 10))
        table("Resident memory, MiB", ("connections", "fresh", "idle", "60 kB of a message each"),
              memory(gate))


if __name__ == "__main__":
    main()
