"""Commands that several checks of `rdns-milter doctor` give as a remedy.

Text only: runs nothing.

systemd.unit(5) (drop-in files).
"""

from __future__ import annotations

# Also starts a service that is down.
RELOAD = "systemctl reload-or-restart rdns-milter"
RESTART = "systemctl restart rdns-milter"
_DROP_INS = "/etc/systemd/system/rdns-milter.service.d"


def drop_in(name: str, *settings: str) -> tuple[str, ...]:
    """Return the commands that change the unit. They write a drop-in file that prevails over override.conf (of `systemctl edit`),
    because its name comes after it."""
    lines = r"\n".join(("[Service]", *settings, ""))
    return (
        f"mkdir -p {_DROP_INS}",
        f"printf '{lines}' > {_DROP_INS}/zz-{name}.conf",
        "systemctl daemon-reload",
        RESTART,
    )
