"""Waiting for sockets."""

import select


def wait_for_socket(waited, seconds, *, writes=False, also=None):
    """Until `waited` can be read (with `writes` also written), or `also` be read. Any descriptor will do, not as with
    select(), which knows only the first 1024."""
    poll = select.poll()
    poll.register(waited, select.POLLIN | (select.POLLOUT if writes else 0))
    if also is not None:
        poll.register(also, select.POLLIN)
    poll.poll(max(seconds, 0) * 1000)
