import os

import pytest

from rmldnn.engine.ranks import Ranks
from rmldnn.errors import LaunchError

TORCHRUN = {
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "node7",
    "MASTER_PORT": "29500",
}
OPEN_MPI = {
    "OMPI_COMM_WORLD_RANK": "1",
    "OMPI_COMM_WORLD_SIZE": "2",
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
    "PMIX_NAMESPACE": "123",
}
MPICH = {"PMI_RANK": "1", "PMI_SIZE": "2", "MPI_LOCALRANKID": "1", "MPI_LOCALNRANKS": "2", "PMI_PORT": "host:1"}
SRUN = {
    "SLURM_PROCID": "1",
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_NUM_NODES": "1",
    "SLURM_JOB_ID": "99",
    "SLURM_STEP_ID": "0",
}
SRUN_2_NODES = SRUN | {"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_NUM_NODES": "2"}
OURS = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "RMLDNN_JOB": "ab"}
SRUN_PMI = {"PMI_RANK": "3", "PMI_SIZE": "4", "PMI_JOBID": "99.0"}
PMIX = {"PMIX_RANK": "1", "PMIX_NAMESPACE": "slurm.pmix.99.0"}
MPICH_2_NODES = MPICH | {"MPI_LOCALRANKID": "0", "MPI_LOCALNRANKS": "1"}
OPEN_MPI_2_NODES = OPEN_MPI | {"OMPI_COMM_WORLD_LOCAL_RANK": "0", "OMPI_COMM_WORLD_LOCAL_SIZE": "1"}
IN_A_JOB = {"SLURM_JOB_ID": "99", "SLURM_JOB_NODELIST": "gpu[01-02]"}
OF_DAEMONS = {"SLURM_STEP_NODELIST": "gpu02", "SLURM_STEP_NUM_NODES": "1", "SLURM_STEP_NUM_TASKS": "1"}
ADDRESS = {"MASTER_ADDR": "node7", "MASTER_PORT": "29500"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Ranks()),
        ({"OMP_NUM_THREADS": "6"}, Ranks(threads=6)),
        ({"OMP_NUM_THREADS": "4,2"}, Ranks()),
        ({"MASTER_ADDR": "left over"}, Ranks()),
        ({"RANK": "0", "WORLD_SIZE": "1"}, Ranks()),
        (TORCHRUN, Ranks(3, 4, 1, 2, ("node7", 29500))),
        (TORCHRUN | OPEN_MPI, Ranks(3, 4, 1, 2, ("node7", 29500))),
        (OPEN_MPI, Ranks(1, 2, 1, 2, None, "123")),
        (OPEN_MPI_2_NODES | ADDRESS, Ranks(1, 2, 0, 1, ("node7", 29500), "123")),
        (OPEN_MPI | IN_A_JOB | OF_DAEMONS, Ranks(1, 2, 1, 2, None, "123")),
        (OPEN_MPI_2_NODES | IN_A_JOB, Ranks(1, 2, 0, 1, ("gpu01", 20099), "123")),
        (OPEN_MPI_2_NODES | IN_A_JOB | OF_DAEMONS, Ranks(1, 2, 0, 1, ("gpu01", 20099), "123")),
        (OPEN_MPI_2_NODES | IN_A_JOB | ADDRESS, Ranks(1, 2, 0, 1, ("node7", 29500), "123")),
        (MPICH, Ranks(1, 2, 1, 2, None, "host:1")),
        (MPICH_2_NODES | IN_A_JOB | OF_DAEMONS, Ranks(1, 2, 0, 1, ("gpu01", 20099), "host:1")),
        (SRUN, Ranks(1, 2, 1, 2, None, "99 0")),
        (SRUN_2_NODES | ADDRESS, Ranks(3, 4, 1, 2, ("node7", 29500), "99 0")),
        (
            SRUN_2_NODES | {"SLURM_STEP_NODELIST": "gpu[01-04,7],cpu1"},
            Ranks(3, 4, 1, 2, ("gpu01", 20099), "99 0"),
        ),
        (
            SRUN_2_NODES | {"SLURM_STEP_NODELIST": "gpu[03-04]", "SLURM_JOB_NODELIST": "gpu[01-04]"},
            Ranks(3, 4, 1, 2, ("gpu03", 20099), "99 0"),
        ),
        (SRUN_2_NODES | SRUN_PMI | ADDRESS, Ranks(3, 4, 1, 2, ("node7", 29500), "99 0")),
        (SRUN | PMIX, Ranks(1, 2, 1, 2, None, "99 0")),
        (MPICH | {"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "2"}, Ranks(1, 2, 1, 2, None, "host:1")),  # under salloc
        (OURS, Ranks(1, 2, 1, 2, None, "ab", ours=True)),
        (
            OURS | {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", **ADDRESS},
            Ranks(1, 2, 0, 1, ("node7", 29500), "ab", ours=True),
        ),
        (OURS | OPEN_MPI, Ranks(1, 2, 1, 2, None, "ab", ours=True)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_JOB_ID": "99"}, Ranks()),  # a batch script, no job step
    ],
)
def test_ranks_of_a_launcher(environment, expected):
    assert Ranks.from_environment(environment) == expected


def without(environment, name):
    return {key: text for key, text in environment.items() if key != name}


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (without(TORCHRUN, "RANK"), "half set: RANK is missing beside"),
        (without(TORCHRUN, "WORLD_SIZE"), "half set: WORLD_SIZE is missing"),
        (without(TORCHRUN, "MASTER_ADDR"), "half set: MASTER_ADDR is missing; set"),
        (TORCHRUN | {"MASTER_PORT": ""}, "half set: MASTER_PORT is missing; set"),
        (TORCHRUN | {"RANK": "4"}, "RANK must be from 0 to 3, got 4"),
        (TORCHRUN | {"LOCAL_RANK": "2"}, "LOCAL_RANK must be from 0 to 1, got 2"),
        (without(TORCHRUN, "LOCAL_WORLD_SIZE") | {"LOCAL_RANK": "4"}, "LOCAL_RANK must be from 0 to 3, got 4"),
        (TORCHRUN | {"LOCAL_WORLD_SIZE": "5"}, "LOCAL_WORLD_SIZE must be from 1 to 4, got 5"),
        (OPEN_MPI | {"OMPI_COMM_WORLD_LOCAL_SIZE": "1"}, "LOCAL_RANK must be from 0 to 0, got 1"),
        (TORCHRUN | {"WORLD_SIZE": "four"}, "WORLD_SIZE must be an integer, got `four`"),
        (TORCHRUN | {"MASTER_PORT": "70000"}, "MASTER_PORT must be from 1 to 65535"),
        (without(OPEN_MPI, "OMPI_COMM_WORLD_SIZE"), "half set: OMPI_COMM_WORLD_SIZE is missing"),
        (OPEN_MPI_2_NODES, "half set: MASTER_ADDR and MASTER_PORT are missing; set"),
        (without(MPICH, "PMI_RANK"), "half set: PMI_RANK is missing beside .*PMI_SIZE"),
        (without(SRUN, "SLURM_PROCID"), "half set: SLURM_PROCID is missing"),
        (SRUN_2_NODES, "half set: MASTER_ADDR and MASTER_PORT are missing; set"),
        (OURS | {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}, "half set: MASTER_ADDR and MASTER_PORT are missing; set"),
        (PMIX, "has PMIX_RANK, but not the number of processes; start with mpirun"),
    ],
)
def test_half_set_environment(environment, message):
    with pytest.raises(LaunchError, match=message):
        Ranks.from_environment(environment)


def test_own_environment_is_the_default(monkeypatch):
    for name in (*TORCHRUN, *OPEN_MPI, *MPICH, *SRUN, "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert Ranks.from_environment() == Ranks(threads=3)


def test_export_speaks_as_torchrun(monkeypatch):
    for name in (*TORCHRUN, "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "")
    Ranks(1, 2, 1, 2).export("127.0.0.1", 4321)
    assert Ranks.from_environment() == Ranks(1, 2, 1, 2, ("127.0.0.1", 4321))


@pytest.mark.parametrize("ranks", [Ranks(1, 2, 1, 2, None, "ab", ours=True), Ranks(3, 4, 1, 2, ("node7", 29500))])
def test_what_a_process_is_told_it_understands(ranks):
    assert Ranks.from_environment(ranks.variables()) == ranks


@pytest.mark.parametrize(
    ("nodes", "first"), [("n1", "n1"), ("n1,n2", "n1"), ("rack[2-3]n[08,10]-ib", "rack2n08-ib"), ("c[5],d", "c5")]
)
def test_first_node_of_a_job_step(nodes, first):
    ranks = Ranks.from_environment(SRUN_2_NODES | {"SLURM_STEP_NODELIST": nodes})
    assert ranks.address == (first, 20099)


def test_defaults_do_not_overrule(monkeypatch):
    monkeypatch.setenv("SET", "mine")
    monkeypatch.setenv("EMPTY", "")
    Ranks.export_defaults(SET="default", EMPTY="default")
    assert (os.environ["SET"], os.environ["EMPTY"]) == ("mine", "default")
