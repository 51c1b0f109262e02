"""How long and how much: every wait of the suite is bounded by one of these."""

import os

# A sanitizer build, or a busy machine, may need more: SLUICE_TIME_FACTOR=3.
FACTOR = float(os.environ.get("SLUICE_TIME_FACTOR", "1"))
# The long variants: 1 GiB bodies, 200 reloads.
FULL = os.environ.get("SLUICE_FULL", "") not in ("", "0")

IO_SECONDS = 10 * FACTOR  # one receive or send of a test
START_SECONDS = 10 * FACTOR  # until the gateway is ready
STOP_SECONDS = 15 * FACTOR  # until it has ended after SIGTERM
RELOAD_SECONDS = 10 * FACTOR
QUIET_SECONDS = 0.3 * FACTOR  # how long "nothing more comes" is watched

MIB = 1024 * 1024
