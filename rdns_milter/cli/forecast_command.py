"""The command `rdns-milter forecast`: judge past mail from the MTA's own log.

Reads arguments and calls analysis/; counts and judges nothing.

packaging/doc/tuning.md.
"""

from __future__ import annotations

import argparse
import json
from datetime import date

from ..config.load import load
from ..logs.files import Logs
from ..text.exit_status import EX_OK
from .common import (
    Commands,
    add_config_option,
    add_dns_option,
    add_enforce_option,
    add_logs,
    asked_nameservers,
    count,
    title_of,
)

DEFAULT_LIMIT = 10_000


def add_command(commands: Commands) -> None:
    """Add `forecast` to the command line."""
    forecast = commands.add_parser(
        "forecast", help="judge past mail from the MTA's own log, before the milter is attached; makes DNS queries"
    )
    add_config_option(forecast)
    add_enforce_option(forecast)
    forecast.add_argument(
        "--limit",
        metavar="N",
        type=count,
        default=DEFAULT_LIMIT,
        help=f"judge the last N deliveries (default: {DEFAULT_LIMIT}; 0: all)",
    )
    add_dns_option(forecast)
    forecast.add_argument("--json", action="store_true", help="write JSON")
    add_logs(forecast, "MAILLOG")
    forecast.set_defaults(command=_forecast)


def _forecast(options: argparse.Namespace) -> int:
    from rich.console import Console

    from ..analysis.forecast import Forecast, Forecaster, as_dict, grouped, warnings
    from ..analysis.forecast_text import show
    from ..analysis.progress import counting, reading
    from ..logs.mta_deliveries import MailLog, deliveries

    config, logs, progress = load(options.config), Logs(options.logs), Console(stderr=True)
    servers = asked_nameservers(options, config)
    mail_log = MailLog()
    found = grouped(deliveries(reading(logs, progress), mail_log), options.limit)
    with Forecaster(config, servers, date.today(), options.enforce) as forecaster:
        forecast = Forecast(forecaster.policy)
        judged = counting(forecaster.judge_all(found), len(found), "asking DNS", progress)
        for outlooks, count in zip(judged, found.values(), strict=True):
            forecast.add(outlooks, count)
    notes = (*warnings(forecast, config, options.limit, mail_log.prefixes), *logs.troubles)
    if options.json:
        print(json.dumps(as_dict(forecast, options.top, notes), indent=2))
    else:
        show(forecast, title_of(config, forecast.policy), options.top, notes, Console(highlight=False))
    return EX_OK
