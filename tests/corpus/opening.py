"""`waxseal open` and its kin, run within bounds, and what came of it.

A run may end with exit code 0, 1 or 65 (66 for a file that is not there), within seconds and
within a gigabyte of memory; anything else is a `crash`, whatever was expected.
"""

import json
import resource
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

MEMORY = 1 << 30     # octets of address space
SECONDS = 20         # of CPU
GOOD_CODES = (0, 1, 65, 66)
CRYPTOGRAPHIC_GOOD = ("valid", "weak")


@dataclass
class Done:
    """One run."""
    code: int
    report: dict = field(default_factory=dict)
    stdout: bytes = b""
    stderr: str = ""
    content: bytes = None      # what --out got
    crash: str = None
    seconds: float = 0.0

    @property
    def layers(self):
        return self.report.get("layers", [])

    @property
    def verdict(self):
        return self.report.get("verdict", f"exit {self.code}")

    @property
    def signatures(self):
        return [s for layer in self.layers for s in layer.get("signatures", [])]

    @property
    def why(self):
        """For people: verdict, the layers' states and the first problem."""
        said = [self.crash or self.verdict]
        for layer in self.layers:
            said.append(f"{layer['form']} {layer['state']}")
            for part in [layer, *layer.get("signatures", [])]:
                for problem in (part.get("problem"), part.get("chain")):
                    if isinstance(problem, dict) and problem.get("code"):
                        said.append(problem["code"])
        if not self.layers and self.stderr:
            said.append(self.stderr.strip().splitlines()[0][:120])
        return ", ".join(dict.fromkeys(said))


def bounded():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Waxseal:
    """The binary under test."""

    def __init__(self, binary, directory):
        self.binary, self.directory = binary, directory
        self.secrets = {}

    def passphrase(self, text):
        """A file that holds it."""
        if text not in self.secrets:
            file = self.directory / f"passphrase-{len(self.secrets)}"
            file.write_bytes(text.encode())
            file.chmod(0o600)
            self.secrets[text] = file
        return self.secrets[text]

    def run(self, *arguments):
        start = time.monotonic()
        try:
            done = subprocess.run([self.binary, *map(str, arguments)], capture_output=True,
                                  stdin=subprocess.DEVNULL, timeout=3 * SECONDS,
                                  preexec_fn=bounded)
        except subprocess.TimeoutExpired:
            return Done(-1, crash=f"no answer after {3 * SECONDS} s")
        stderr = done.stderr.decode(errors="replace")
        result = Done(done.returncode, stdout=done.stdout, stderr=stderr,
                      seconds=time.monotonic() - start)
        if done.returncode not in GOOD_CODES or "\nthread '" in f"\n{stderr}":
            result.crash = f"exit {done.returncode}: {stderr.strip()[-200:]}"
        try:
            result.report = json.loads(done.stdout)
        except ValueError:
            pass
        if not isinstance(result.report, dict):
            result.report = {"list": result.report}
        return result

    def open(self, file, *arguments, command="open"):
        """With --json and --out."""
        with tempfile.TemporaryDirectory(dir=self.directory) as directory:
            out = Path(directory, "out")
            done = self.run(command, "--json", "--out", out, *arguments, file)
            if out.is_file():
                done.content = out.read_bytes()
            return done

    def open_octets(self, octets, *arguments):
        """The same, of octets."""
        with tempfile.NamedTemporaryFile(dir=self.directory) as file:
            file.write(octets)
            file.flush()
            return self.open(file.name, *arguments)


# ---------------------------------------------------------------- judgements

def judged(good, done):
    """`ok`, `fail` or `crash`, with what the program said."""
    if done.crash:
        return "crash", done.why
    return ("ok" if good else "fail"), done.why


def verified(done, content=None):
    """All signatures are right, and everything else the command asked for too."""
    good = done.code == 0 and bool(done.signatures) and all(
        s["state"] == "valid" and s["cryptographic"] in CRYPTOGRAPHIC_GOOD
        for s in done.signatures)
    return with_content(good, done, content)


def decrypted(done, content=None):
    """Every encrypted layer is open, and holds this."""
    states = [l["state"] for l in done.layers if l["kind"] == "encrypted"]
    good = bool(states) and all(s.startswith("decrypted") for s in states)
    return with_content(good, done, content)


def parsed(done):
    """It is CMS and every layer's structure was understood."""
    kinds = [layer["kind"] for layer in done.layers]
    return judged(bool(kinds) and "malformed" not in kinds, done)


def with_content(good, done, content):
    result, why = judged(good, done)
    if result == "ok" and content is not None and canonical(done.content) != canonical(content):
        return "fail", f"{why}; another content: {len(done.content or b'')} octets"
    return result, why


def canonical(octets):
    return None if octets is None else octets.replace(b"\r\n", b"\n").rstrip(b"\n")
