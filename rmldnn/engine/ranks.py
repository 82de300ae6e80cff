"""Who this process is among how many, whatever launcher started it; the only reader of the environment.

=============================  ==================================================================================
launcher                       variables
=============================  ==================================================================================
rmldnn's own                   RMLDNN_JOB beside RANK, WORLD_SIZE, LOCAL_RANK and LOCAL_WORLD_SIZE
torchrun, deepspeed, by hand   RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT; LOCAL_RANK and LOCAL_WORLD_SIZE if set
Open MPI's mpirun              OMPI_COMM_WORLD_RANK, _SIZE, _LOCAL_RANK, _LOCAL_SIZE
MPICH's and Intel's mpirun     PMI_RANK, PMI_SIZE, MPI_LOCALRANKID, MPI_LOCALNRANKS
srun                           SLURM_PROCID, SLURM_STEP_NUM_TASKS, SLURM_LOCALID, SLURM_STEP_NUM_NODES
=============================  ==================================================================================

The first launcher of the table that left its mark counts; srun's processes may have PMI_RANK and PMIX_RANK too. mpi4py
is never needed. Launchers that give no address work on one node as they are; over several nodes MASTER_ADDR and
MASTER_PORT say where rank 0 listens, and in a job of SLURM its list of nodes does.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from rmldnn.errors import LaunchError, RmldnnError

_SILENCE = 3.0
"""Seconds that a process other than the first keeps an error to itself."""

_MARKS = {  # rank, world, local rank, local world, and what tells one job from another
    "OMPI_COMM_WORLD_": (
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_LOCAL_SIZE",
        ("PMIX_NAMESPACE", "PMIX_SERVER_URI2", "OMPI_MCA_orte_hnp_uri"),
    ),
    "PMI_": ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", ("PMI_PORT", "PMI_JOBID", "HYDRA_JOBID")),
    # Outside of a job step, in a batch script, SLURM_PROCID and SLURM_NTASKS are set too, and mean nothing.
    "SLURM_STEP_NUM_TASKS": (
        "SLURM_PROCID",
        "SLURM_STEP_NUM_TASKS",
        "SLURM_LOCALID",
        "",
        ("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT"),
    ),
}


@dataclass(frozen=True)
class Ranks:
    """This process among the processes of a run.

    Args:
        rank: Number of this process, from 0.
        world: Number of processes.
        local_rank: Number of this process on its node.
        local_world: Number of processes on its node, as far as the launcher says.
        address: Host name and port where rank 0 listens; None if the processes, all on one node, are to find each
            other by themselves.
        job: Text that is the same in all processes of this run and in no other.
        threads: Number of threads that the user wants in each process, None if that was left to us.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1
    address: tuple[str, int] | None = None
    job: str = ""
    threads: int | None = None
    ours: bool = False
    """Whether rmldnn started the processes itself, so that what rank 0 says reaches the user as it is."""
    everywhere: str = field(default="", compare=False)
    """Text like `job` that is the same on all machines of the run; empty where the launcher has none."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Ranks:
        """Reads what the launcher said.

        Args:
            environment: Variables by name; those of this process if absent.

        Raises:
            LaunchError: Only some of a launcher's variables are set, or they contradict each other.
        """
        have = {name: text for name, text in (surroundings() if environment is None else environment).items() if text}
        threads = _number(have, "OMP_NUM_THREADS", 1) if "," not in have.get("OMP_NUM_THREADS", ",") else None
        if "RANK" in have or "WORLD_SIZE" in have:
            world = _number(have, "WORLD_SIZE", 1)
            rank = _number(have, "RANK", 0, world)
            local_world = _number(have, "LOCAL_WORLD_SIZE", 1, world + 1) if "LOCAL_WORLD_SIZE" in have else None
            local_rank = _number(have, "LOCAL_RANK", 0, local_world or world) if "LOCAL_RANK" in have else 0
            local_world = local_world or 1
            job = have.get("RMLDNN_JOB", "")
            address = _address(have, required=world > (local_world if job else 1))
            return cls(rank, world, local_rank, local_world, address, job, threads, bool(job), job)
        by_srun = have.get("SLURM_STEP_NUM_TASKS") == have.get("PMI_SIZE") and "MPI_LOCALRANKID" not in have
        for mark, (rank_name, world_name, local_name, local_world_name, job_names) in _MARKS.items():
            if not any(name in have for name in (rank_name, world_name) if name.startswith(mark)):
                continue
            if mark == "PMI_" and by_srun:
                continue
            world = _number(have, world_name, 1)
            rank = _number(have, rank_name, 0, world)
            if local_world_name in have:
                local_world = below = _number(have, local_world_name, 1, world + 1)
            else:  # machines of a job step may have more tasks than others
                local_world = -(-world // _number(have, "SLURM_STEP_NUM_NODES", 1) if "SLURM" in mark else world)
                below = world
            local_rank = _number(have, local_name, 0, below) if local_name in have else rank % local_world
            several = local_world < world
            address = _address(_on_slurm(have, mark) if several else have, required=several)
            job = " ".join(have[name] for name in job_names if name in have) or f"child of {os.getppid()}"
            same = have.get(job_names[0], "") if mark == "OMPI_COMM_WORLD_" else job if "SLURM" in mark else ""
            return cls(rank, world, local_rank, local_world, address, job, threads, False, same)
        if "PMIX_RANK" in have:
            raise LaunchError(
                "the environment has PMIX_RANK, but not the number of processes; start with mpirun, srun or torchrun, "
                "which tell it, or unset PMIX_RANK to run one process"
            )
        return cls(threads=threads)

    @property
    def launched(self) -> bool:
        """Whether another launcher than ours started this process; Open MPI makes any output look like a terminal."""
        return not self.ours and (self.world > 1 or bool(self.job))

    @contextmanager
    def one_voice(self) -> Iterator[None]:
        """Lets the first process report what all processes find wrong alike, such as a faulty configuration.

        Launchers end the others as soon as the first has ended. They speak if it has not: the fault is theirs alone.
        """
        try:
            yield
        except RmldnnError:
            if self.rank > 0:
                time.sleep(_SILENCE)
            raise

    def variables(self) -> dict[str, str]:
        """What tells a process that it is this one, in torchrun's words and, of ours, one more."""
        told: dict[str, object] = {
            "RANK": self.rank,
            "WORLD_SIZE": self.world,
            "LOCAL_RANK": self.local_rank,
            "LOCAL_WORLD_SIZE": self.local_world,
        }
        if self.address is not None:
            told |= {"MASTER_ADDR": self.address[0], "MASTER_PORT": self.address[1]}
        if self.ours:
            told["RMLDNN_JOB"] = self.job
        return {name: str(value) for name, value in told.items()}

    def export(self, address: str, port: int) -> None:
        """Tells libraries that look at the environment themselves, where rank 0 listens too."""
        os.environ.update(replace(self, address=(address, port)).variables())

    @staticmethod
    def export_defaults(**variables: str) -> None:
        """Sets variables that are not set, or set to nothing."""
        for name, text in variables.items():
            os.environ[name] = os.environ.get(name) or text


def surroundings() -> dict[str, str]:
    """The environment of this process."""
    return dict(os.environ)


def _on_slurm(have: Mapping[str, str], mark: str) -> Mapping[str, str]:
    """Names the first node of a job of SLURM, or of srun's step, as the address, and a port that few other jobs have.

    What mpirun starts on other nodes may be in a step of its own that leaves the first node out: there the job counts.
    """
    names = ("SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST")
    nodes = next((have[name] for name in (names if "SLURM" in mark else reversed(names)) if name in have), None)
    if "MASTER_ADDR" in have or "MASTER_PORT" in have or not nodes:
        return have
    first = re.sub(r"\[([^\],-]*)[^\]]*\]", r"\1", nodes).split(",")[0]  # gpu[01-04,7],cpu1 -> gpu01
    number = int("0" + re.sub(r"\D", "", have.get("SLURM_JOB_ID", "")))
    return {**have, "MASTER_ADDR": first, "MASTER_PORT": str(20000 + number % 10000)}


def _address(have: Mapping[str, str], *, required: bool) -> tuple[str, int] | None:
    if "MASTER_ADDR" in have and "MASTER_PORT" in have:
        return have["MASTER_ADDR"], _number(have, "MASTER_PORT", 1, 65536)
    if not required:
        return None
    names = [name for name in ("MASTER_ADDR", "MASTER_PORT") if name not in have]
    missing = f"{' and '.join(names)} {'are' if len(names) > 1 else 'is'} missing"
    raise LaunchError(
        f"the environment is half set: {missing}; set MASTER_ADDR to the host name of rank 0 and MASTER_PORT "
        "to a free port there in all processes (mpirun: -x MASTER_ADDR=... -x MASTER_PORT=...), or start with torchrun"
    )


def _number(have: Mapping[str, str], name: str, low: int, below: int | None = None) -> int:
    text = have.get(name)
    if text is None:
        present = ", ".join(sorted(other for other in have if other.startswith(name.split("_")[0]) or "RANK" in other))
        raise LaunchError(
            f"the environment is half set: {name} is missing"
            + (f" beside {present}" if present else "")
            + "; start with "
            "mpirun, srun or torchrun, which set all of them, or unset the others to run one process"
        )
    try:
        number = int(text)
    except ValueError:
        raise LaunchError(f"the environment variable {name} must be an integer, got `{text}`") from None
    if number < low or (below is not None and number >= below):
        bounds = f"at least {low}" if below is None else f"from {low} to {below - 1}"
        raise LaunchError(f"the environment variable {name} must be {bounds}, got {number}")
    return number
