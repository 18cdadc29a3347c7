"""What holds for all tests: no example of hypothesis fails by the clock, for the machine may have other things to do."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")
