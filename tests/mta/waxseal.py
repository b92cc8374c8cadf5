"""Policy directories, and `waxseal serve`.

    policy = write_policy(directory, [alice], [erin.certificate], authority.root)
    server = Server(directory, policy)
    hop = server.next_hop("postfix", f"127.0.0.1:{port}")
    port = server.listener("submission", "milter", hop)     # a port
    server.start()                                          # ready: /readyz said so
    …
    server.metrics(); server.said(); server.kill(); server.start(); server.stop()
"""

import json
import os
import shutil
import signal
import urllib.error
import urllib.request
from pathlib import Path

from machine import HOST, Process, free_port, run, wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
FILTERS = REPOSITORY / "filters" / "dist"


def binary():
    """The program under test: $WAXSEAL_BIN."""
    path = Path(os.environ.get("WAXSEAL_BIN", REPOSITORY / "target" / "debug" / "waxseal"))
    if not path.exists():
        raise SystemExit(f"error: no such program: {path}\n"
                         "hint: build it, or set WAXSEAL_BIN")
    return path.resolve()


# Received mail is opened and judged. Of ours, whatever goes to a listed recipient or says so in its
# subject is signed and encrypted, and everything else is signed. Two filters, for compiling them
# is what a start costs.
RULES = {"rules": [
    {"name": "our mail is signed",
     "when": {"direction": ["outbound", "internal"]},
     "then": {"apply": {"profile": "signed", "to": "all"}}},
    {"name": "in clear to nobody here",
     "when": {"direction": ["outbound", "internal"], "recipient": "list:must-encrypt"},
     "then": {"require-encryption": "matching", "apply": {"profile": "confidential"}}},
    {"name": "asked for in the subject",
     "when": {"direction": ["outbound", "internal"], "subject": "[secure]*"},
     "then": {"require-encryption": "matching", "apply": {"profile": "confidential"}}},
]}

CHAIN = """\
[[filter]]
name = "inbound"
component = "filters/inbound.wasm"
grant = ["open", "harvest", "inspect", "actions", "quarantine"]
settings = {}

[[filter]]
name = "rules"
component = "filters/rules.wasm"
grant = ["actions", "inspect", "profiles", "quarantine", "list:must-encrypt"]
settings = "rules.json"

[profile.signed]
mode = "sign"
missing-identity = "unsigned"
"""


def write_policy(directory, identities, certificates, root, *, domain="example.org",
                 missing_certificate="bounce", must_encrypt=(), rules=None, extra="",
                 profile="", origin='listeners = ["submission"]', authserv="gw.example.org"):
    """A gateway's policy. `identities` are pki.Identity of ours, `certificates` files of those
    whom we encrypt to, `must_encrypt` domains or addresses. Mail through the listener `submission` is ours, all other is received.
    `profile` is added to [profile.confidential], `extra` to waxseal.toml (other sections)."""
    directory = Path(directory)
    for part in ("filters", "identities", "certificates", "anchors", "lists"):
        (directory / part).mkdir(parents=True, exist_ok=True)
    for component in FILTERS.glob("*.wasm"):
        shutil.copyfile(component, directory / "filters" / component.name)
    shutil.copyfile(root, directory / "anchors" / "root.pem")
    sections = []
    for number, identity in enumerate(identities):
        own = directory / "identities" / f"{number}.pem"
        shutil.copyfile(identity.both, own)
        own.chmod(0o600)
        sections.append(f'[identity.id{number}]\nfile = "identities/{number}.pem"\n')
    for number, certificate in enumerate(certificates):
        shutil.copyfile(certificate, directory / "certificates" / f"{number}.pem")
    (directory / "lists" / "must-encrypt.txt").write_text("".join(f"{a}\n" for a in must_encrypt))
    (directory / "rules.json").write_text(json.dumps(rules or RULES, indent=1))
    (directory / "waxseal.toml").write_text("\n".join([CHAIN, f'''\
[profile.confidential]
mode = "sign-encrypt"
missing-certificate = "{missing_certificate}"
missing-identity = "unsigned"
{profile}

[origin]
{origin}
domains = ["{domain}"]
authserv-id = "{authserv}"
''', *sections, extra]))
    return directory


class Server:
    """One `waxseal serve`, with its serve.toml, state and control socket below `directory`."""

    def __init__(self, directory, policy, *, name="waxseal", hostname="gw.example.org", extra="",
                 env=None):
        self.directory = Path(directory) / name
        self.directory.mkdir(parents=True, exist_ok=True)
        self.policy, self.name, self.hostname = Path(policy), name, hostname
        self.config = self.directory / "serve.toml"
        self.log = self.directory / "waxseal.log"
        self.control = self.directory / "control.sock"
        self.http = free_port()
        self.extra, self.env = extra, env
        self.ports, self._listeners, self._hops = [], [], []
        self.process, self._sample = None, None

    def next_hop(self, name, address, protocol="smtp", **keys):
        """Adds [next-hop.NAME]; returns the name."""
        self._hops.append((name, {"protocol": protocol, "address": address} | keys))
        return name

    def listener(self, name, protocol, next_hop=None, *, port=None, **keys):
        """Adds a [[listener]]; returns its port. `name` is what [origin] listeners knows."""
        port = port or free_port()
        settings = {"name": name, "protocol": protocol, "address": f"{HOST}:{port}"}
        if next_hop:
            settings["next-hop"] = next_hop
        self._listeners.append(settings | keys)
        self.ports.append(port)
        return port

    def sample(self, text):
        """Takes a whole serve.toml instead of listeners and next hops. It names our `control`
        and `http`, and its listeners must be in `ports`."""
        self._sample = text

    def write(self):
        if self._sample:
            self.config.write_text(self._sample)
            return
        lines = [f'hostname = "{self.hostname}"', f'state = "{self.directory / "state"}"']
        for settings in self._listeners:
            lines += ["", "[[listener]]", *_toml(settings)]
        for name, settings in self._hops:
            lines += ["", f"[next-hop.{name}]", *_toml(settings)]
        lines += ["", "[control]", f'socket = "{self.control}"',
                  "", "[http]", f'address = "{HOST}:{self.http}"', "", self.extra]
        self.config.write_text("\n".join(lines) + "\n")

    def start(self, wait=True):
        """Writes serve.toml and starts; returns when /readyz says 200 and listeners answer."""
        self.write()
        return self.run_with(self.config, wait)

    def run_with(self, config, wait=True):
        """Starts with this serve.toml, as it stands."""
        arguments = [binary(), "serve", "--policy", self.policy, "--config", config]
        self.process = Process(self.name, arguments, self.log, env=self.env)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        def ready():
            if not self.process.running():
                raise RuntimeError(f"waxseal serve ended with {self.process.child.returncode}:\n"
                                   f"{self.said()}")
            return self.get("/readyz")[0] == 200
        wait_until(ready, lambda: f"waxseal serve to be ready:\n{self.said()}")
        self.process.wait_listening(*self.ports)

    def get(self, path):
        """(status, text) of the HTTP listener; status 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.http}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")
        except OSError:
            return 0, ""

    def metrics(self):
        """{series: value} of /metrics; series with their labels, as they are printed."""
        _, text = self.get("/metrics")
        pairs = (line.rsplit(" ", 1) for line in text.splitlines()
                 if line and not line.startswith("#"))
        return {series: float(value) for series, value in pairs}

    def command(self, *arguments, codes=(0,)):
        """`waxseal status`, `reload`, `rollback` of this server; its standard output."""
        return run(binary(), *arguments, "--socket", self.control, codes=codes)

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.running()

    def signal(self, number):
        self.process.signal(number)

    def freeze(self):
        """Hangs it: connections are taken by the kernel, and nobody answers."""
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        """kill -9."""
        if self.process:
            self.process.kill()

    def stop(self):
        if self.process:
            self.process.stop()

    def said(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def _toml(settings):
    # JSON's texts, numbers and lists are TOML's too.
    return [f"{key.replace('_', '-')} = {json.dumps(value)}" for key, value in settings.items()]
