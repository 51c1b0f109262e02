"""What the project promises: each row's figure of sluice divided by that of another side is at most this.

The sides are those of rows.py: nginx13 and haproxy13 are Debian 13's; "one host" and the like are sluice's own figure in
another setup. A row without a bar is shown all the same.
"""

BARS: dict[str, dict[str, float]] = {
    "http/small": {"nginx13": 0.85, "haproxy13": 0.65, "floor": 1.15},
    "https/small": {"nginx13": 0.75, "haproxy13": 0.65},
    "http/10k": {"nginx13": 0.85, "haproxy13": 0.70},
    "https/10k": {"nginx13": 0.70, "haproxy13": 0.62},
    "http/1m": {"nginx13": 0.62, "haproxy13": 0.70},
    "https/1m": {"nginx13": 0.70, "haproxy13": 0.78},
    "new-connection": {"nginx13": 0.85, "haproxy13": 0.75},
    **{f"handshake/tls{version}-{bits}": {"nginx13": bar, "haproxy13": bar}
       for bits, bar in ((2048, 0.33), (4096, 0.25)) for version in ("1.2", "1.3")},
    "h2c/small": {"nginx13": 0.65, "haproxy13": 0.60},
    "h2/small": {"nginx13": 0.65, "haproxy13": 0.60},
    **{f"tunnel/{kind}-{direction}": {"haproxy13": 0.90} for kind in ("tcp", "passthrough", "connect")
       for direction in ("download", "upload")},
    "memory/tls1.2": {"nginx13": 0.35, "haproxy13": 0.33},
    "memory/tls1.3": {"nginx13": 0.35, "haproxy13": 0.33},
    "latency/http": {"nginx13": 1.0, "haproxy13": 1.0},
    "latency/https": {"nginx13": 1.0, "haproxy13": 1.0},
    "storm/tls1.2": {"no storm": 3.0},
    "storm/tls1.3": {"no storm": 3.0},
    "hosts/100": {"one host": 1.05},
    "hosts/10000": {"one host": 1.05},
    "shards/2": {"one shard": 1.05},
}
