import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rmldnn.losses.reduction import alone
from rmldnn.metrics.measure import Metrics
from tests.metrics import parallel_metrics
from tests.metrics.kinds import KINDS

ROOT = Path(__file__).parent.parent.parent
LAUNCHED_BY = ("RANK", "WORLD_SIZE", "LOCAL_", "MASTER_", "OMPI_", "PMI", "SLURM_", "GLOO_", "OMP_NUM_THREADS", "DS_")


@pytest.mark.slow
def test_real_processes_give_the_numbers_of_one(tmp_path):
    """Three, of which one and then two have no samples in the smaller batches."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith(LAUNCHED_BY)}
    subprocess.run(
        [
            *[sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=3"],
            *["-m", "tests.metrics.parallel_metrics", str(tmp_path / "numbers.json")],
        ],
        env={**clean, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        check=True,
        timeout=300,
    )
    kind = KINDS["masks-2d"]
    metrics = Metrics(parallel_metrics.MAKERS, kind.loss)
    metrics.update(*kind.draw(0))
    whole = {name: value.item() for name, value in metrics.compute(alone).items()}
    assert json.loads((tmp_path / "numbers.json").read_text()) == pytest.approx(whole, rel=1e-12)
