"""Runs `rmldnn` as processes forked from one that has the large libraries: each is spared seconds of imports.

Reads one request a line, `{"arguments", "environment", "folder", "out", "err"}`, and answers each with the exit code.
rmldnn itself is imported by each process anew. All share Python's hash seed: what must not depend on it wants processes
of its own.
"""

import gc
import json
import os
import runpy
import signal
import sys

import cv2  # noqa: F401
import h5py  # noqa: F401
import hydra.compose  # noqa: F401
import numpy as np
import torch  # noqa: F401

TIMEOUT = 180


def next_request():
    """Comes back in a process for each request, and never in the server."""
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            return json.loads(line)
        _, status = os.waitpid(process, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
    sys.exit()


gc.freeze()  # no process needs to look through it again
request = next_request()
signal.alarm(TIMEOUT)  # ends what hangs
os.environ.clear()
os.environ.update(request["environment"])
os.chdir(request["folder"])
for number, path in enumerate((os.devnull, request["out"], request["err"])):
    os.dup2(os.open(path, os.O_RDWR), number)
np.random.seed()  # by chance, as when it is imported
sys.path[0] = request["folder"]  # as `python -m` does
sys.argv[1:] = request["arguments"]
runpy.run_module("rmldnn", run_name="__main__", alter_sys=True)
