"""Three ways through one Postfix and one `waxseal serve`, for the tests that count messages:

    milter   client → smtpd (milter) ──────────────────────────────▶ Postfix's queue → sink
                           └─ copies that differ → wire ─▶ smtpd (again) ┘
    smtp     client → smtpd → queue → waxseal (SMTP) → wire → smtpd (again) → queue → sink
    lmtp     client → smtpd → queue → waxseal (LMTP) → LMTP sink

`wire` is hop.Hop, the sinks are recorder.Sink: all of them can fail on purpose. The policy is a
symbolic link that is flipped between whole directories.
"""

import json
import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import reading
from hop import Hop
from machine import run, wait_until
from pki import Authority
from postfix import Postfix
from recorder import Record, Schedule, Sink
from waxseal import Server, write_policy

WAYS = ("milter", "smtp", "lmtp")
SENDERS = ("alice@" + reading.DOMAIN, "robert@" + reading.DOMAIN)  # P-256, RSA
SECRET = [f"e{n}@{reading.SECRET_DOMAIN}" for n in range(8)]  # the last two have RSA keys
OPEN = [f"o{n}@{reading.OPEN_DOMAIN}" for n in range(8)]
MISBEHAVE = Path(__file__).resolve().parents[1] / "fixtures" / "misbehave.wasm"

# Seconds; more than twice the next hop's time-out, for that is how long a final dot may take.
HANG = 14

# Retries come soon, and one failure does not stop a whole destination.
POSTFIX = {
    "enable_long_queue_ids": "yes",
    "minimal_backoff_time": "1s",
    "maximal_backoff_time": "3s",
    "queue_run_delay": "1s",
    "default_destination_concurrency_failed_cohort_limit": "100000",
    "initial_destination_concurrency": "20",
    "default_destination_concurrency_limit": "20",
    "in_flow_delay": "0",
    "queue_minfree": "0",
    # smtpd wants half as much again to be free.
    "message_size_limit": "1000000",
    "smtpd_error_sleep_time": "0",
    "smtpd_soft_error_limit": "100000",
    "smtpd_hard_error_limit": "100000",
    "smtpd_client_connection_count_limit": "0",
    "smtpd_discard_ehlo_keywords": "chunking",
    # What came to be encrypted does not come back in clear.
    "bounce_size_limit": "1",
    "notify_classes": "",
}

# The gate lets most messages by; the others meet a filter that traps.
FLAKY = '''
[[filter]]
name = "gate"
component = "filters/rules.wasm"
grant = ["actions", "inspect", "profiles", "accept"]
settings = {{ rules = [{{ when = {{ not = {{ subject = {subjects} }} }}, then = {{ verdict = "accept" }} }}] }}

[[filter]]
name = "flaky"
component = "filters/misbehave.wasm"
grant = ["actions", "profiles:signed"]
on-error = "{on_error}"
settings = {{ behave = "{behave}" }}
'''


def flaky(subjects, on_error="defer", behave="trap"):
    """A policy's end: messages with such subjects meet a filter that misbehaves."""
    return FLAKY.format(subjects=json.dumps(subjects), on_error=on_error, behave=behave)


class People:
    """Their keys: P-256 for most of them, because RSA takes forty times as long."""

    def __init__(self, directory):
        self.authority = Authority(directory)
        self.senders = [self.authority.issue(address, algorithm)
                        for address, algorithm in zip(SENDERS, ("p256", "rsa"))]
        self.readers = {address: self.authority.issue(address, "rsa" if n >= 6 else "p256")
                        for n, address in enumerate(SECRET)}


class Policies:
    """Whole directories, and a link to the one that is meant to be active."""

    def __init__(self, directory, people):
        self.directory, self.people = Path(directory), people
        self.directory.mkdir(parents=True, exist_ok=True)
        self.link = self.directory / "current"
        self.flips = 0

    def add(self, name, extra=""):
        people = self.people
        place = write_policy(
            self.directory / name, people.senders,
            [reader.certificate for reader in people.readers.values()], people.authority.root,
            domain=reading.DOMAIN, must_encrypt=[reading.SECRET_DOMAIN],
            origin='listeners = ["milter", "smtp", "lmtp"]', extra=f"# {name}\n{extra}")
        if "misbehave" in extra:
            (place / "filters" / "misbehave.wasm").write_bytes(MISBEHAVE.read_bytes())
        return name

    def flip(self, name):
        """The link changes in one step."""
        fresh = self.directory / f".next-{self.flips}"
        self.flips += 1
        os.symlink(name, fresh)
        os.replace(fresh, self.link)


@dataclass
class Flow:
    """All of it, running."""

    people: People
    policies: Policies
    record: Record
    sinks: dict
    hop: Hop
    postfix: Postfix
    server: Server
    ports: dict

    @classmethod
    async def start(cls, workshop, *, seed=1, rates=None, workers=0, extra="", reload="",
                    hop_timeout="5s", versions=None, milter_port=None, queue_first=None,
                    settings=None, client_options=()):
        """`queue_first` prepares the directories of Postfix's queue and Waxseal's state before
        anything is made in them; `milter_port` gives the port that smtpd is told, from the
        milter's own (a proxy); `settings` are Postfix's, `client_options` those of its clients of
        Waxseal."""
        people = People(workshop.dir("pki"))
        policies = Policies(workshop.dir("policies"), people)
        for name, text in (versions or {"a": ""}).items():
            policies.add(name, text)
        policies.flip(next(iter(versions or {"a": ""})))
        record = Record()
        schedules = {name: Schedule(seed, rates or {}) for name in ("smtp", "lmtp", "hop")}
        sinks = {protocol: Sink(protocol, record, schedules[protocol], hang=HANG,
                                name=f"{protocol}-sink") for protocol in ("smtp", "lmtp")}
        for sink in sinks.values():
            await sink.start()
        if queue_first:
            queue_first(workshop.dir("gate/queue"), workshop.dir("waxseal/state"))
        postfix = Postfix(workshop.directory, "gate", "gate.ours.example", POSTFIX | {
            "relayhost": f"[127.0.0.1]:{sinks['smtp'].port}"} | (settings or {}))
        again = postfix.smtpd("smtpd_milters=", "content_filter=")
        hop = Hop("hop", ("127.0.0.1", again), record, schedules["hop"], hang=HANG)
        await hop.start()
        server = Server(workshop.directory, policies.link, extra=(
            f'[limits]\nworkers = {workers}\n\n[reload]\nwatch = true\n{reload}\n{extra}'))
        server.next_hop("again", f"127.0.0.1:{hop.port}", timeout=hop_timeout)
        server.next_hop("mailbox", f"127.0.0.1:{sinks['lmtp'].port}", "lmtp", timeout=hop_timeout)
        inner = {way: server.listener(way, way, "mailbox" if way == "lmtp" else "again")
                 for way in WAYS}
        milter = await milter_port(inner["milter"]) if milter_port else inner["milter"]
        ports = {
            "milter": postfix.smtpd(f"smtpd_milters=inet:127.0.0.1:{milter}",
                                    "milter_default_action=tempfail"),
            "smtp": postfix.smtpd(f"content_filter=to-smtp:[127.0.0.1]:{inner['smtp']}"),
            "lmtp": postfix.smtpd(f"content_filter=to-lmtp:[127.0.0.1]:{inner['lmtp']}"),
            "plain": postfix.smtpd("smtpd_milters=", "content_filter="),
        }
        for protocol in ("smtp", "lmtp"):
            options = [f"{protocol}_send_xforward_command=yes", *client_options]
            postfix.services.append("\n  -o ".join(
                [f"to-{protocol} unix - - n - 20 {protocol}", *options]) + "\n")
        flow = cls(people, policies, record, sinks, hop, postfix, server, ports)
        try:
            serve(server)
            postfix.start()
        except BaseException:
            flow.stop()
            raise
        return flow

    def stop(self):
        self.postfix.stop()
        self.server.stop()
        for server in (self.hop, *self.sinks.values()):
            server.close()

    def faults(self, active):
        for part in (self.hop, *self.sinks.values()):
            part.schedule.active = active

    def queued(self):
        """Pairs of id and recipient that are still in Postfix's queue; without a recipient where
        it is a report."""
        pairs = set()
        for message in self.postfix.queue():
            for recipient in message["recipients"]:
                address = recipient["address"]
                pairs.add((reading.id_of_sender(message["sender"]), address.lower()))
                pairs.add((reading.id_of_sender(address), None))
        return pairs

    def open_kept(self):
        """Opens what the record kept with OpenSSL; returns (how many, what was wrong)."""
        kept = [d for d in self.record.deliveries if d.octets and d.read.form != "report"]
        wrong = [(d.id, problem) for d in kept if (problem := self._opened(d))]
        return len(kept), wrong

    def _opened(self, delivery):
        """What is wrong with one copy; nothing when it is as it had to be."""
        content = delivery.octets
        if reading.must_encrypt(delivery.recipient):
            reader = self.people.readers[delivery.recipient]
            content, said = openssl(content, "cms", "-decrypt", "-recip", reader.certificate,
                                    "-inkey", reader.key)
            if content is None:
                return f"does not decrypt for {delivery.recipient}: {said}"
        content, said = openssl(content, "cms", "-verify", "-CAfile", self.people.authority.root)
        if content is None:
            return f"does not verify: {said}"
        return None if reading.secret(delivery.id).encode() in content else "another's content"


def serve(server):
    """Starts Waxseal, and waits for it: a debug build compiles the filters for seconds, and on a
    busy machine for minutes."""
    server.start(wait=False)

    def ready():
        if not server.running():
            raise RuntimeError(f"waxseal serve ended:\n{server.said()[-4000:]}")
        return server.get("/readyz")[0] == 200

    wait_until(ready, lambda: f"waxseal serve to be ready:\n{server.said()[-4000:]}", 300, 0.2)
    server.process.wait_listening(*server.ports)


def openssl(octets, *arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], input=octets, capture_output=True)
    return (done.stdout if done.returncode == 0 else None), done.stderr.decode(errors="replace")


LOG_TIME = re.compile(r"^(\w{3} [ \d]\d \d\d:\d\d:\d\d) ")
FROM = re.compile(r" (\w+): from=<from\+([^@>]+)@")
DEFERRED = re.compile(r"postfix/(\S+)\[\d+\]: (\w+): to=<([^>]*)>.*"
                      r" delay=([\d.]+),.* status=deferred \((.*)\)$")
# Postfix's own words for an acknowledgement that was cut off.
CUT = "message may be sent more than once"
AT_END = "(in reply to end of DATA command)"


@dataclass
class Deferral:
    """One line of Postfix's log about a delivery that will be tried again."""

    id: str
    recipient: str
    at: float
    service: str
    why: str


def deferrals(log):
    """All of a Postfix log, in order. Its times are whole seconds of this year. With its disk full
    Postfix writes late, so what counts is when the message came and how long it took since."""
    ids, came, found = {}, {}, []
    for line in log.splitlines():
        if match := FROM.search(line):
            ids[match.group(1)] = match.group(2)
            came.setdefault(match.group(1), log_time(line))
        elif match := DEFERRED.search(line):
            service, queue_id, recipient, delay, why = match.groups()
            at = log_time(line)
            if queue_id in came:
                at = min(at, came[queue_id] + float(delay))
            found.append(Deferral(ids.get(queue_id), recipient.lower(), at, service, why))
    return found


def log_time(line):
    year = time.localtime().tm_year
    return time.mktime(time.strptime(
        f"{year} {LOG_TIME.match(line).group(1)}", "%Y %b %d %H:%M:%S"))


def mount_tmpfs(place, mib):
    run("mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0755", "tmpfs", place)


def unmount(place):
    run("umount", "-l", place, codes=None)
