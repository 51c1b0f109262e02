"""Work that goes on while a test does something else."""

import threading
import time


class Load:
    """Threads that ask until they are told to stop; every failure is kept."""

    def __init__(self):
        self.stopping = threading.Event()
        self.failures = []
        self.count = 0
        self._threads = []

    def start(self, work, *arguments):
        def run():
            try:
                work(*arguments)
            except Exception as failure:  # pylint: disable=broad-except
                self.failures.append(repr(failure))

        self._threads.append(threading.Thread(target=run, daemon=True))
        self._threads[-1].start()

    def keep_echoing(self, websockets):
        """Work for start(): what each WebSocket says comes back, until the end."""
        while not self.stopping.is_set():
            for websocket in websockets:
                websocket.echo(b"still there?" * 100)
                self.count += 1
            time.sleep(0.01)

    def stop(self):
        self.stopping.set()
        for thread in self._threads:
            thread.join(20)
