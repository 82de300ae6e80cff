"""Images, the files for clouds, and what their pages tell people to type.

No image is built here. Linters, which the extra `dev` brings, look at the files, and what these say about rmldnn is
compared with rmldnn.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from rmldnn.cli import main, parse
from rmldnn.config.check import check
from rmldnn.config.reader import read_text
from rmldnn.engine.ranks import Ranks
from rmldnn.verbs import VERBS

if sys.version_info >= (3, 11):
    import tomllib
else:  # which pytest brings along
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
HERE = ROOT / "containers"
DOCKERFILE = (HERE / "Dockerfile").read_text(encoding="utf-8")
DEFINITION = (HERE / "rmldnn.def").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SCRIPTS = [HERE / "install_apptainer.sh"]
MANIFESTS = list(yaml.safe_load_all((HERE / "pytorchjob.yaml").read_text(encoding="utf-8")))
CONFIG_MAP, CLAIM, JOB = MANIFESTS
REPLICAS = JOB["spec"]["pytorchReplicaSpecs"]
POD = REPLICAS["Master"]["template"]["spec"]
BLOCKS = [
    block
    for name in ("containers.md", "clouds.md")
    for kind, block in re.findall(
        r"^```(\w*)\n(.*?)^```", (ROOT / "docs" / name).read_text(encoding="utf-8"), re.M | re.S
    )
    if not kind
]
LINES = [line for block in BLOCKS for line in block.splitlines()]


def lint(program, *arguments):
    """Runs a linter of this environment; it must find nothing."""
    path = shutil.which(program, path=Path(sys.executable).parent) or shutil.which(program)
    if path is None:
        pytest.skip(f"needs {program}: pip install -e '.[dev]'")
    done = subprocess.run([path, *arguments], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def installs(text, python):
    """What is installed: Debian's packages, and the lines for pip, with arguments written alike."""
    text = re.sub(r"\$\{(\w+)\}", r"{{ \1 }}", text)
    packages = re.findall(r"--no-install-recommends (.*?)(?: \\)?\n", text)
    return {word for line in packages for word in line.split()}, re.findall(rf"{python}(.*)\n", text)


def defaults(text):
    """Build arguments by name."""
    return dict(re.findall(r"^(?:ARG|   ) (\w+)=(\S+)$", text, re.MULTILINE))


def test_hadolint_finds_nothing():
    lint("hadolint", str(HERE / "Dockerfile"))


def test_shellcheck_finds_nothing():
    lint("shellcheck", *map(str, SCRIPTS))


def test_yamllint_finds_nothing():
    rules = "{extends: default, rules: {line-length: {max: 120}, document-start: disable}}"
    lint("yamllint", "--strict", "--config-data", rules, *map(str, HERE.glob("*.yaml")))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_bash_understands(script):
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_both_images_are_made_alike():
    docker, apptainer = defaults(DOCKERFILE), defaults(DEFINITION)
    assert installs(DOCKERFILE, "/opt/rmldnn/bin/pip") == installs(DEFINITION, "/opt/rmldnn/bin/pip")
    assert docker["EXTRAS"] == apptainer["EXTRAS"]
    assert f"FROM {apptainer['BASE']} AS {apptainer['DEVICE']}\n" in DOCKERFILE
    assert f"FROM ubuntu:24.04 AS {docker['DEVICE']}\n" in DOCKERFILE


def test_images_hold_no_compiler_and_run_without_root():
    packages, lines = installs(DOCKERFILE, "/opt/rmldnn/bin/pip")
    assert packages >= {"openmpi-bin", "openssh-client", "ca-certificates"}
    assert len(lines) == 2
    assert not [name for name in packages if re.match(r"build-essential|gcc|g\+\+|clang|make$|.*-dev$", name)]
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert 'ENTRYPOINT ["rmldnn"]\n' in last
    assert f"USER {POD['securityContext']['runAsUser']}\n" in last


def test_extras_of_images_are_those_of_the_project():
    pages = "\n".join(LINES) + (ROOT / "docs/containers.md").read_text(encoding="utf-8")
    named = [*re.findall(r"EXTRAS=([\w,]+)", DOCKERFILE + pages)]
    assert len(named) == 2
    assert {extra for names in named for extra in names.split(",")} <= set(PROJECT["optional-dependencies"])


def test_torch_of_images_is_the_one_that_is_tested_with():
    (command,) = re.findall(r"\$\((grep .*?)\)", DOCKERFILE)
    pins = subprocess.run(shlex.split(command), capture_output=True, text=True, cwd=ROOT, check=True).stdout.split()
    assert len(pins) == 1
    (wanted,) = [Requirement(text) for text in PROJECT["dependencies"] if Requirement(text).name == "torch"]
    assert pins[0].removeprefix("torch==") in wanted.specifier


def test_files_of_images_are_there_and_not_ignored():
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    assert names == {source for source, _ in re.findall(r"^    (\S+) (/source/\S+)$", DEFINITION, re.MULTILINE)}
    ignore = (HERE / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    for name in names:
        assert (ROOT / name).exists(), name
        assert any(fnmatch(name, rule[1:]) for rule in ignore if rule.startswith("!")), name
    assert PROJECT["readme"] in names
    assert set(PROJECT["license-files"]) <= names


def test_kubernetes_takes_the_manifests():
    validator = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate: pip install -e '.[dev]'")
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, **spec["template"]}
        for spec in REPLICAS.values()
    ]
    for document in (CONFIG_MAP, CLAIM, *pods):
        validator.validate(document, "1.33", strict=True)


def test_the_operator_takes_the_job():
    # by kubeflow.org_pytorchjobs.yaml, the resource's definition
    assert (JOB["apiVersion"], JOB["kind"]) == ("kubeflow.org/v1", "PyTorchJob")
    assert set(JOB["spec"]) == {"runPolicy", "pytorchReplicaSpecs"}
    assert set(JOB["spec"]["runPolicy"]) <= {
        "cleanPodPolicy",
        "backoffLimit",
        "activeDeadlineSeconds",
        "ttlSecondsAfterFinished",
    }
    assert set(REPLICAS) == {"Master", "Worker"}
    assert REPLICAS["Master"]["replicas"] == 1
    for spec in REPLICAS.values():
        assert set(spec) == {"replicas", "restartPolicy", "template"}
        assert spec["restartPolicy"] == "OnFailure"
        assert [container["name"] for container in spec["template"]["spec"]["containers"]] == ["pytorch"]


def test_each_pod_is_one_process_with_one_gpu():
    world = sum(spec["replicas"] for spec in REPLICAS.values())
    operator = {"MASTER_ADDR": "rmldnn-master-0", "MASTER_PORT": "23456", "WORLD_SIZE": str(world), "PET_NNODES": "4"}
    ranks = [Ranks.from_environment({**operator, "RANK": str(rank)}) for rank in range(world)]
    assert {(rank.world, rank.local_rank, rank.address) for rank in ranks} == {(world, 0, ("rmldnn-master-0", 23456))}
    assert POD["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1


def test_pods_run_a_configuration_that_is_right():
    container = POD["containers"][0]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert set(mounts) == {volume["name"] for volume in POD["volumes"]}
    options = parse(container["args"])
    assert options.resume
    folder, file = options.file.rsplit("/", 1)
    assert folder == mounts["config"]
    assert container["workingDir"] == mounts["runs"]
    document = read_text(CONFIG_MAP["data"][file], file)
    assert list(check(document.value["neural_network"])) == []
    assert document.value["neural_network"]["data"]["input_path"].startswith(mounts["data"])


def test_nodes_of_clouds_get_apptainer():
    cluster = yaml.safe_load((HERE / "parallelcluster.yaml").read_text(encoding="utf-8"))
    nodes = [cluster["HeadNode"], *cluster["Scheduling"]["SlurmQueues"]]
    for node in nodes:
        script = node["CustomActions"]["OnNodeConfigured"]["Script"]
        assert any(line.startswith("aws s3 cp containers/") and line.endswith(f" {script}") for line in LINES)
        assert [bucket["BucketName"] for bucket in node["Iam"]["S3Access"]] == [script.split("/")[2]]
    azure = json.loads((HERE / "cyclecloud.json").read_text(encoding="utf-8"))
    for node in ("Scheduler", "GPU"):
        (project,) = azure[f"{node}ClusterInitSpecs"].values()
        assert f"cyclecloud project init {project['Project']}" in LINES
        assert any(line.endswith(f"cyclecloud project upload {project['Locker']} && cd ..") for line in LINES)


STARTS = [line for line in LINES if re.match(r"(docker|apptainer|mpirun|srun) ", line) and "config.json" in line]


@pytest.mark.parametrize("line", STARTS)
def test_command_is_one_that_rmldnn_takes(line):
    words = line.split()
    images = ("rmldnn", "rmldnn:cuda", "rmldnn.sif")
    arguments = words[max(index for index, word in enumerate(words) if word in images) + 1 :]
    assert arguments[0] in VERBS or parse(arguments).file == "config.json"


@pytest.mark.parametrize("line", [line for line in STARTS if " submit " in line])
def test_a_job_in_an_image(pictures, config, capsys, line):
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    (pictures / "rmldnn.sif").touch()
    words = line.partition(" > ")[0].split()
    assert main(words[words.index("submit") :]) == 0
    script = capsys.readouterr().out
    assert f"    apptainer exec --nv --bind {pictures} rmldnn.sif rmldnn config.json run_folder=" in script
    assert "#SBATCH --gpus-per-node=4" in script


def test_files_of_commands_are_there():
    named = {name for line in LINES for name in re.findall(r"\bcontainers/[\w.]+", line)}
    assert len(STARTS) >= 10
    assert {ROOT / name for name in named} == {
        path for path in HERE.iterdir() if path.name != "Dockerfile.dockerignore"
    }
