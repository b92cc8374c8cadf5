"""What every program of these tests needs: a free port, a process that ends with the test, and
waiting for a condition instead of for a time.

Nothing here passes or fails by time: a bound that is reached is an error that says what was
awaited.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

HOST = "127.0.0.1"
BOUND = 300         # seconds; generous, for a loaded machine

# Given out already, though nobody may listen there yet.
_ports = set()


def free_port():
    """A port of this machine where nobody listens, and which nobody else here was given."""
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = probe.getsockname()[1]
        # Below the range from which the kernel takes the ports of clients it would be safer
        # still; a set is enough for what runs here.
        if port not in _ports:
            _ports.add(port)
            return port


def wait_until(condition, what, bound=BOUND, pause=0.05):
    """Returns the first true value of `condition()`. `what` is said when the bound is reached;
    it may be a function, called only then."""
    end = time.monotonic() + bound
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"waited {bound} s for {what() if callable(what) else what}")
        time.sleep(pause)


def listening(port, host=HOST):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def run(*arguments, stdin=None, env=None, cwd=None, codes=(0,)):
    """Runs a program to its end; returns its standard output as octets."""
    done = subprocess.run([str(a) for a in arguments], input=stdin, capture_output=True,
                          env=env, cwd=cwd)
    if codes is not None and done.returncode not in codes:
        said = (done.stdout + done.stderr).decode(errors="replace")
        raise RuntimeError(f"{arguments[0]} ended with {done.returncode}: {said.strip()}")
    return done.stdout


class Process:
    """A program in the foreground, with what it says in a file."""

    def __init__(self, name, arguments, log, env=None, cwd=None):
        self.name, self.log = name, Path(log)
        with open(self.log, "ab") as out:
            self.child = subprocess.Popen(
                [str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=env, cwd=cwd, start_new_session=True)

    @property
    def pid(self):
        return self.child.pid

    def running(self):
        return self.child.poll() is None

    def said(self):
        return self.log.read_text(errors="replace")

    def wait_listening(self, *ports):
        for port in ports:
            wait_until(lambda: listening(port) or self._gone(),
                       lambda: f"{self.name} to listen on {port}:\n{self.said()}")

    def _gone(self):
        if not self.running():
            raise RuntimeError(f"{self.name} ended with {self.child.returncode}:\n{self.said()}")

    def signal(self, number):
        os.kill(self.pid, number)

    def stop(self, bound=BOUND):
        """Asks it to end, and waits; then kills the whole session."""
        if self.running():
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            try:
                self.child.wait(bound)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def kill(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()


class Workshop:
    """A temporary directory and what was started in it. Everything is stopped at the end, in
    reverse; the directory stays when the test failed, and its place is printed."""

    def __init__(self, name, keep=None):
        self.name, self.keep, self._stack = name, keep, ExitStack()

    def __enter__(self):
        if self.keep:
            self.directory = Path(self.keep) / self.name
            self.directory.mkdir(parents=True)
        else:
            self.directory = Path(tempfile.mkdtemp(prefix=f"waxseal-{self.name}-"))
        # Postfix, Dovecot and OpenDKIM are not root in there.
        self.directory.chmod(0o755)
        return self

    def dir(self, name):
        path = self.directory / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def started(self, what):
        """Stops `what` at the end."""
        self._stack.callback(what.stop)
        return what

    def __exit__(self, kind, error, trace):
        try:
            self._stack.close()
        finally:
            if kind is not None:
                print(f"what ran is in {self.directory}", flush=True)
            elif not self.keep:
                shutil.rmtree(self.directory, ignore_errors=True)
