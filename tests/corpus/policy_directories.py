"""Policy directories for the harness: the stock filter `rules` applies one profile to everything.

The identity is a gateway's, since the corpus has as many senders as mails.
"""

import json
import shutil

from producers import POLICIES


def make(directory, dist, sender, recipients):
    """A policy directory for each policy; returns the directory that holds them."""
    for name, (_, settings) in POLICIES.items():
        write(directory / "policies" / name, dist, settings, sender, recipients)
    return directory / "policies"


def write(policy, dist, settings, sender, recipients, chain=()):
    for part in ("filters", "identities", "certificates", "anchors"):
        (policy / part).mkdir(parents=True)
    shutil.copy(dist / "rules.wasm", policy / "filters")
    rules = {"rules": [{"name": "everything", "then": {"apply": {"profile": "corpus"}}}]}
    (policy / "rules.json").write_text(json.dumps(rules))
    own = [sender.certificate, *chain, sender.key]
    identity = policy / "identities" / "gateway.pem"
    identity.write_text("".join(f.read_text() for f in own))
    identity.chmod(0o600)
    for number, recipient in enumerate(recipients):
        shutil.copy(recipient.certificate, policy / "certificates" / f"{number}.pem")
        shutil.copy(recipient.root, policy / "anchors" / f"{number}.pem")
    profile = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    (policy / "waxseal.toml").write_text(f'''\
[[filter]]
name = "rules"
component = "filters/rules.wasm"
grant = ["actions", "inspect", "profiles:corpus"]
settings = "rules.json"

[origin]
networks = ["10.0.0.0/8"]

[identity.gateway]
file = "identities/gateway.pem"
addresses = ["{sender.address}"]
use = ["sign"]

[profile.corpus]
identity = "gateway"
{profile}''')
