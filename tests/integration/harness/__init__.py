"""What the integration tests stand on: the real binary, an upstream under the test's control, raw clients.

Nothing but the standard library, and h2 for HTTP/2, so that every byte on the wire is the test's own.
"""
