"""Private Postfix instances: configuration, queue, data and log below one directory, on ports of
their own. They ask no DNS, and know nothing of the Postfix that the machine may run.

    postfix = Postfix(directory, "gateway", "gw.example.org",
                      {"relayhost": f"[127.0.0.1]:{sink.port}"})
    mx = postfix.smtpd("smtpd_milters=inet:127.0.0.1:8891")     # a port
    postfix.start()
    …
    postfix.flush(); postfix.queue(); postfix.said(); postfix.stop()

`postfix` and `postdrop`, the user and the group of Debian's package, must be there; who runs this
is root.
"""

import json
import os
import re
import shutil
import signal
from pathlib import Path

from machine import BOUND, free_port, listening, run, wait_until

MASTER = "/usr/lib/postfix/sbin/master"

# The services that every instance has. Nothing is chrooted.
SERVICES = """\
pickup    unix  n - n 1 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
local     unix  - n n - - local
virtual   unix  - n n - - virtual
lmtp      unix  - - n - - lmtp
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""

# What makes an instance private, quick and quiet. The settings of the test stand after these.
SETTINGS = {
    "compatibility_level": "3.6",
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "smtp_dns_support_level": "disabled",
    "smtp_host_lookup": "native",
    "smtpd_peername_lookup": "no",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "mynetworks": "127.0.0.1/32",
    "mydestination": "",
    "local_recipient_maps": "",
    "local_transport": "error:no local mail",
    "alias_maps": "",
    "alias_database": "",
    "append_dot_mydomain": "no",
    "biff": "no",
    "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
    # Without it a stall of the disk for ten seconds ends postlogd, and all of Postfix with it.
    "postlogd_watchdog_timeout": "300s",
    # A test asks for the next try itself.
    "minimal_backoff_time": "60s",
    "queue_run_delay": "60s",
}

# The queue directory, as `postfix check` makes it, which takes seconds: owner, group, mode.
QUEUES = {
    ("root", "root", 0o755): "pid",
    ("postfix", "postdrop", 0o710): "public",
    ("postfix", "postdrop", 0o730): "maildrop",
    ("postfix", "root", 0o700): "active bounce corrupt defer deferred flush hold incoming private "
                                "saved trace",
}


class Postfix:
    """One instance. `settings` go into main.cf, `services` are lines of master.cf."""

    def __init__(self, directory, name, hostname, settings=None, services=""):
        self.name = name
        self.directory = Path(directory) / name
        self.config, self.queue_directory, self.data = (
            self.directory / part for part in ("etc", "queue", "data"))
        for part in (self.directory, self.config, self.queue_directory, self.data):
            part.mkdir(parents=True, exist_ok=True)
            part.chmod(0o755)
        shutil.chown(self.data, "postfix")
        self._make_queues()
        self.log = self.directory / "mail.log"
        self.settings = SETTINGS | {
            "myhostname": hostname,
            "queue_directory": self.queue_directory,
            "data_directory": self.data,
            "maillog_file": self.log,
            "maillog_file_prefixes": self.directory,
        } | (settings or {})
        self.services = [SERVICES, services]
        self.ports = []

    def smtpd(self, *options, port=None, service="smtpd", processes="-"):
        """Adds a listener with these `-o` options; returns its port."""
        port = port or free_port()
        over = "".join(f"\n  -o {{ {option} }}" for option in options)
        self.services.append(f"127.0.0.1:{port} inet n - n - {processes} {service}{over}\n")
        self.ports.append(port)
        return port

    def sample(self, main, master):
        """Takes the operator's lines of main.cf and master.cf. A service of the same name and
        type as one of ours takes its place, as it does by hand."""
        self.settings |= dict(_settings(main))
        named = {tuple(entry.split()[:2]) for entry in _services(master)}
        kept = [e for e in _services("".join(self.services)) if tuple(e.split()[:2]) not in named]
        self.services = ["\n".join(kept), "\n", master]

    def option(self, name, kind, option):
        """Gives the service `name` of this type one more `-o` option."""
        entries = _services("".join(self.services))
        place = next(i for i, e in enumerate(entries) if e.split()[:2] == [name, kind])
        entries[place] += f"\n  -o {{ {option} }}"
        self.services = ["\n".join(entries), "\n"]

    def write(self):
        """Writes main.cf and master.cf."""
        lines = [f"{key} = {value}\n" for key, value in self.settings.items()]
        (self.config / "main.cf").write_text("".join(lines))
        (self.config / "master.cf").write_text("".join(self.services))

    def start(self):
        """Starts the master, and waits until every listener answers."""
        self.write()
        run(MASTER, "-w", "-c", self.config, env=os.environ | {"MAIL_CONFIG": str(self.config)})
        for port in self.ports:
            wait_until(lambda: listening(port),
                       lambda: f"{self.name} to listen on {port}:\n{self.said()}")
        return self

    def stop(self):
        """Stops it at once, as `postfix abort` does: sessions with peers that hang are cut."""
        self._end(signal.SIGTERM)

    def kill(self):
        """Kills the master and all its processes, as a crash would."""
        self._end(signal.SIGKILL)

    def reload(self):
        self.write()
        run("postfix", "-c", self.config, "reload")

    def flush(self):
        """Tries everything that is deferred, now."""
        run("postqueue", "-c", self.config, "-f")

    def queue(self):
        """Everything queued: the objects of `postqueue -j` (queue_name, queue_id, sender,
        recipients: [{address, delay_reason}], message_size)."""
        listed = run("postqueue", "-c", self.config, "-j")
        return [json.loads(line) for line in listed.splitlines()]

    def wait_queue(self, condition, what, bound=BOUND):
        """Waits until `condition(queue)`; returns the queue."""
        found = []

        def holds():
            found[:] = self.queue()
            return condition(found)

        wait_until(holds, lambda: f"{what}; queued: {found}\n{self.said()[-4000:]}", bound)
        return found

    def wait_empty(self, bound=BOUND):
        """Waits until nothing is queued."""
        self.wait_queue(lambda queue: not queue, f"{self.name}'s queue to be empty", bound)

    def wait_deferred(self, count=1, bound=BOUND):
        """Waits until `count` messages are deferred and nothing else is queued."""
        return self.wait_queue(
            lambda q: len(q) == count and all(m["queue_name"] == "deferred" for m in q),
            f"{count} deferred in {self.name}", bound)

    def postsuper(self, *arguments):
        """`postsuper -h ALL`, `-H ID`, …"""
        run("postsuper", "-c", self.config, *arguments)

    def content(self, queue_id):
        """A queued message with its envelope, as `postcat` prints it."""
        return run("postcat", "-c", self.config, "-q", queue_id)

    def sendmail(self, sender, recipients, message):
        """A message by the sendmail command: through pickup, not smtpd."""
        run("sendmail", "-C", self.config, "-i", "-f", sender, "--", *recipients, stdin=message,
            env=os.environ | {"MAIL_CONFIG": str(self.config)})

    def said(self):
        """The log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def lines(self, pattern):
        """The lines of the log in which the pattern is found."""
        return [line for line in self.said().splitlines() if re.search(pattern, line)]

    def wait_line(self, pattern, bound=BOUND):
        """Waits for a line of the log; returns all of them."""
        return wait_until(lambda: self.lines(pattern),
                          lambda: f"/{pattern}/ in the log of {self.name}:\n{self.said()[-4000:]}",
                          bound)

    def _make_queues(self):
        for (owner, group, mode), names in QUEUES.items():
            for name in names.split():
                queue = self.queue_directory / name
                queue.mkdir(exist_ok=True)
                shutil.chown(queue, owner, group)
                queue.chmod(mode)

    def _end(self, number):
        """To the master's process group: it leads one of its own."""
        master = self._master()
        if master and _alive(master):
            os.killpg(master, number)
            wait_until(lambda: not _alive(master), f"{self.name} to end")

    def _master(self):
        try:
            return int((self.queue_directory / "pid" / "master.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None


def _settings(main):
    """The settings of a main.cf, continued lines joined."""
    text = re.sub(r"\n[ \t]+", " ", re.sub(r"(?m)^\s*#.*\n", "", main))
    for line in text.splitlines():
        if "=" in line:
            name, value = line.split("=", 1)
            yield name.strip(), value.strip()


def _services(master):
    """The entries of a master.cf, with their options."""
    text = re.sub(r"(?m)^\s*(#.*)?\n", "", master)
    return re.split(r"\n(?![ \t])", text.strip("\n"))


def _alive(pid):
    try:
        os.kill(pid, 0)
        # A zombie of somebody who does not wait is dead enough.
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except (ProcessLookupError, FileNotFoundError, IndexError):
        return False
