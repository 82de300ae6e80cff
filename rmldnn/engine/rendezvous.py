"""How the processes of a run find each other when the launcher says who they are but not where.

Rank 0 listens on a port that the system chose and writes it into a file in the folder for temporary files, which the
others on the same node read. The file's name tells users and jobs apart, and nobody believes a file of another user.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from torch._C._distributed_c10d import PrefixStore, Store, TCPStore
from torch.distributed import DistError, DistStoreError
from torch.distributed.rendezvous import rendezvous

from rmldnn.engine.ranks import Ranks
from rmldnn.errors import LaunchError

LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def meet(ranks: Ranks, timeout: float) -> Iterator[tuple[Store, str, int]]:
    """The store through which the processes of a run introduce themselves, with its address and port.

    Args:
        ranks: Who this process is; with an address, it is used.
        timeout: Seconds to wait for the others, and later for any answer of theirs.

    Raises:
        LaunchError: The address cannot be used, or rank 0 did not appear in time.
    """
    try:
        if ranks.address is not None:
            address, port = ranks.address
            # Another run may have come to the same port.
            store: Store = PrefixStore(f"rmldnn {ranks.everywhere}", _listen_or_call(ranks, address, port, timeout))
            _assemble(store, ranks, timeout)
            yield store, address, port
        elif ranks.rank == 0:
            store = TCPStore(LOOPBACK, 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=timeout))
            with _published(_file(ranks.job), store.port):
                _assemble(store, ranks, timeout)
            yield store, LOOPBACK, store.port
        else:
            store = _call_published(_file(ranks.job), timeout)
            _assemble(store, ranks, timeout)
            yield store, LOOPBACK, store.port
    except (DistError, OSError) as error:
        raise _absent(ranks, timeout, error) from error


def _assemble(store: Store, ranks: Ranks, timeout: float) -> None:
    """Waits until every process has said that it is here."""
    store.set(f"rmldnn/{ranks.rank}", "here")
    store.wait([f"rmldnn/{rank}" for rank in range(ranks.world)], timedelta(seconds=timeout))


def _absent(ranks: Ranks, timeout: float, error: Exception) -> LaunchError:
    if ranks.address is not None and (fault := _unknown(ranks.address[0])):
        return LaunchError(
            f"process {ranks.rank} of {ranks.world} knows no machine by the name `{ranks.address[0]}` ({fault}), tried "
            f"for {timeout:g} s; MASTER_ADDR must be a host name or an address of rank 0 that all machines know"
        )
    where = f"at {ranks.address[0]}:{ranks.address[1]}" if ranks.address else "on this node"
    return LaunchError(
        f"process {ranks.rank} of {ranks.world} did not meet the others {where} within {timeout:g} s; check that all "
        f"{ranks.world} processes were started and are alive (the first error of any of them is the cause), that "
        "MASTER_ADDR and MASTER_PORT, if set, name rank 0's host and a port that is free there, and that no firewall "
        f"is between ({str(error).splitlines()[0]})"
    )


def _unknown(host: str) -> str:
    """What is wrong with the name of a machine; empty if nothing is."""
    try:
        socket.getaddrinfo(host, None)
    except OSError as error:  # what it is called when nobody knows the name, too
        return error.strerror or str(error)
    return ""


def _listen_or_call(ranks: Ranks, host: str, port: int, timeout: float) -> Store:
    # torch's own way, because under torchrun the launcher itself already holds a store at that port
    url = f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"
    patience = timedelta(seconds=timeout)
    store, _, _ = next(rendezvous(url, ranks.rank, ranks.world, timeout=patience))
    return store  # type: ignore[no-any-return]


def _file(job: str) -> Path:
    digest = hashlib.sha256(job.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"rmldnn-{os.getuid()}-{digest}"


@contextlib.contextmanager
def _published(file: Path, port: int) -> Iterator[None]:
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=file.name)
    with os.fdopen(handle, "w") as stream:
        stream.write(str(port))
    Path(name).replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _call_published(file: Path, timeout: float) -> TCPStore:
    end = time.monotonic() + timeout
    while (left := end - time.monotonic()) > 0:
        with contextlib.suppress(OSError, ValueError, DistStoreError):
            if file.lstat().st_uid == os.getuid():
                port = int(file.read_text(encoding="ascii"))
                # A file left by a job that was killed leads nowhere: ask briefly, then look at the file again.
                socket.create_connection((LOOPBACK, port), timeout=min(left, 1.0)).close()
                store = TCPStore(LOOPBACK, port, is_master=False, timeout=timedelta(seconds=min(left, 5.0)))
                store.set_timeout(timedelta(seconds=timeout))
                return store
        time.sleep(0.02)
    raise DistStoreError("rank 0 has published no port")
