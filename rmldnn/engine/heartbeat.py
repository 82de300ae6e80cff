"""How the processes of a run notice that one of them is gone or hangs, while they wait for it or do anything else.

Every process keeps a line to process 0, and both ends send a sign of life each second, from a thread of its own: a
process that reads or writes for minutes is alive. Whoever dies closes its line at once; a machine that is cut off, or a
process that was stopped, is silent. Process 0 tells all others, and who has not ended by itself soon is ended: what
waits inside a library for somebody who is gone could wait for ever.
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from torch._C._distributed_c10d import Store

from rmldnn.engine.ranks import Ranks

ALIVE, DONE, OVER = b".", b"d", b"!"
"""Signs on a line: alive; done, all is well; over, with the reason behind it."""
_PACE = 1.0
_GRACE = 10.0
"""Seconds in which a process may end by itself."""
_FILES = 16
"""Files and lines for each process of the run: those of the store, of Gloo, of this module, and some to spare."""
_KEY = "rmldnn/heartbeat"
UNREACHABLE = (
    "processes that have found each other could not be joined: each machine has to reach each other one, on all ports"
)


class Heartbeat:
    """The lines of one process to the others.

    Args:
        ranks: Who this process is.
        store: How the processes find each other.
        address: Where process 0 is.
        timeout: Seconds of silence after which a process counts as gone.
        voice: A descriptor by which this process can always be heard.
        wake: Lets whatever waits for the others inside a library fail; called when the run is over for all.

    Raises:
        OSError: There is no way to process 0.
        DistError: Process 0 does not answer.
    """

    def __init__(
        self,
        ranks: Ranks,
        store: Store,
        address: str,
        timeout: float,
        voice: int = 2,
        wake: Callable[[], object] = lambda: None,
    ) -> None:
        self._ranks = ranks
        self._wake = wake
        _allow_files(_FILES * ranks.world)
        self._voice = os.dup(voice)
        self._deadline = math.inf
        self._timeout = timeout
        self._lines: dict[int, socket.socket] = {}
        self._heard: dict[int, float] = {}
        self._hosts: dict[int, str] = {}
        self._done: set[int] = set()
        self._ended = threading.Event()
        self._over = threading.Event()
        self._leaving = False
        self._reason = ""
        if ranks.rank == 0:
            self._answer(store, address)
        else:
            self._call(store, address)
        self.local_address = _outward(list(self._lines.values()))
        """The address of this machine by which it talks to the others."""
        os.register_at_fork(after_in_child=self._hang_up)  # a worker must not keep up the line of a dead process
        self._thread = threading.Thread(target=self._listen, name="rmldnn heartbeat", daemon=True)
        self._thread.start()

    def reason(self, patience: float = 2.0) -> str:
        """Why the run cannot go on, as far as it becomes known in some seconds; else empty."""
        self._over.wait(patience)
        return self._reason

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """Ends this process, with a word about the network, if what is inside takes much longer than the timeout."""
        self._deadline = time.monotonic() + self._timeout + _GRACE
        yield
        self._deadline = math.inf

    def close(self, *, well: bool, last: bool = False) -> None:
        """Lets go of the others.

        Args:
            well: Whether they may do without this process from now on.
            last: Wait until process 0 has let go, since launchers end all processes as soon as one ends with an error.
        """
        self._leaving = well
        if well:
            for line in list(self._lines.values()):
                _say(line, DONE)
            if last and self._ranks.rank:
                self._thread.join()
        self._ended.set()
        if self._thread is not threading.current_thread():
            self._thread.join()
        self._hang_up()

    def _answer(self, store: Store, address: str) -> None:
        word = secrets.token_hex(16)  # no other program is to take a place
        with _server(address, self._ranks.world) as server:
            store.set(_KEY, f"{server.getsockname()[1]} {word} {socket.gethostname()}")
            end = time.monotonic() + self._timeout
            while len(self._lines) < self._ranks.world - 1 and time.monotonic() < end:
                if not _ready([server], _PACE):
                    continue
                line, _ = server.accept()
                if not self._welcome(line, word):
                    line.close()
        for rank in range(1, self._ranks.world):
            if rank not in self._lines:
                raise ConnectionError(f"process {rank} did not call")

    def _welcome(self, line: socket.socket, word: str) -> bool:
        line.settimeout(5)
        try:
            with line.makefile("rb") as stream:
                said, number, host = stream.readline(300).decode("ascii").split()
        except (OSError, ValueError):
            return False
        if known := secrets.compare_digest(said, word):
            self._add(int(number), line, host)
        return known

    def _call(self, store: Store, address: str) -> None:
        port, word, host = store.get(_KEY).decode().split()
        line = socket.create_connection((address, int(port)), self._timeout)
        line.sendall(f"{word} {self._ranks.rank} {socket.gethostname()}\n".encode())
        self._add(0, line, host)

    def _add(self, rank: int, line: socket.socket, host: str) -> None:
        line.setblocking(False)
        self._lines[rank], self._hosts[rank], self._heard[rank] = line, host, time.monotonic()

    def _listen(self) -> None:
        last = turn = time.monotonic()
        while self._lines and not self._ended.is_set() and 0 not in self._done:
            ranks = {line: rank for rank, line in self._lines.items()}
            for line in _ready(ranks, _PACE / 4):
                self._hear(ranks[line], line)
            now = time.monotonic()
            if now - turn > 2 * _PACE:  # this process was stopped, maybe the others with it
                self._heard = dict.fromkeys(self._heard, now)
            turn = now
            if now - last >= _PACE:
                last = now
                for line in self._lines.values():
                    _say(line, ALIVE)
            for rank in list(self._lines):
                if now - self._heard[rank] > self._timeout:
                    self._lose(rank, f"has given no sign of life for {self._timeout:g} s: it hangs, or was cut off")
            if now > self._deadline:
                self._stop(UNREACHABLE)
            if self._over.is_set():
                if not self._leaving:
                    self._end()
                return

    def _hear(self, rank: int, line: socket.socket) -> None:
        try:
            signs = line.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            signs = b""
        self._heard[rank] = time.monotonic()
        if OVER in signs:
            self._stop(signs.partition(OVER)[2].decode(errors="replace"))
        elif DONE in signs:
            self._done.add(rank)  # its line stays: it may wait for the first process to be done
        elif not signs:
            self._lose(rank, "has ended")

    def _lose(self, rank: int, what: str) -> None:
        self._lines.pop(rank).close()
        if rank not in self._done:
            self._stop(f"process {rank} on {self._hosts[rank]} {what}")

    def _stop(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._over.set()
        if self._ranks.rank == 0:
            for line in self._lines.values():
                _say(line, OVER + reason.encode())

    def _end(self) -> None:
        """Ends this process if it does not end by itself."""
        self._wake()
        if not self._ended.wait(_GRACE):
            os.write(self._voice, f"rmldnn: error: {farewell(self._ranks, self._reason)}\n".encode())
            os._exit(1)

    def _hang_up(self) -> None:
        for line in self._lines.values():
            line.close()


def farewell(ranks: Ranks, reason: str) -> str:
    """What a process says that ends because of another one."""
    return (
        f"process {ranks.rank} of {ranks.world} stops because {reason or 'another process has ended or hangs'}; the "
        "first message of that process says why (none: it was killed, for want of memory perhaps, or its machine is "
        "gone); a training goes on from its newest state by --resume"
    )


def _allow_files(count: int) -> None:
    """Lets this process open so many files more than usual, as far as the system admits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1024 + count
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )


def _ready(lines: Iterable[socket.socket], seconds: float) -> list[socket.socket]:
    """Those of some sockets from which something can be read, once there is one; any number of them."""
    known = {line.fileno(): line for line in lines}
    poll = select.poll()
    for number in known:
        poll.register(number, select.POLLIN)
    return [known[number] for number, _ in poll.poll(seconds * 1000)]


def _say(line: socket.socket, signs: bytes) -> None:
    with contextlib.suppress(OSError):  # whoever cannot take it is found by its silence
        line.send(signs)


def _server(address: str, count: int) -> socket.socket:
    """Listens where an address of this machine can be reached: on all its interfaces, unless nobody else is meant."""
    if address.startswith("127.") or address == "localhost":
        return socket.create_server((address, 0), backlog=count)
    if not socket.has_dualstack_ipv6():
        return socket.create_server(("", 0), backlog=count)
    return socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=count)


def _outward(lines: list[socket.socket]) -> str:
    """The local end of the lines: one that leads to another machine, if any does."""
    ends = [str(line.getsockname()[0]).removeprefix("::ffff:") for line in lines]
    return next((end for end in ends if not end.startswith("127.") and end != "::1"), ends[0] if ends else "127.0.0.1")
