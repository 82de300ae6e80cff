"""Torch's compiler is imported for those who compile, and for nobody else."""

import json
import subprocess
import sys
import textwrap

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--procs", "2"], ["--procs", "2", "engine.zero=1"]], ids=" ".join)
def test_a_run_does_without(pictures, config, rmldnn, more):
    (pictures / "config.json").write_text(json.dumps({"neural_network": config}))
    result = rmldnn("config.json", *more, PYTHONPROFILEIMPORTTIME="1")
    assert result.code == 0
    imported = {line.rpartition("|")[2].strip() for line in result.err.splitlines()}
    assert "torch.optim" in imported
    assert not [name for name in imported if name.startswith(("torch._dynamo", "torch._inductor", "sympy"))]


def alone(program):
    """Runs a program in which nothing is imported yet."""
    head = """
        import sys
        from rmldnn.compiler import uncompiled, without_compiler
        import torch

        def optimizer():
            made = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))])
            made.step()
            return made
    """
    words = [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(program)]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_an_optimizer_does_without_and_nothing_is_left_behind():
    alone("""
        import inspect

        with without_compiler():
            optimizer()
            inspect.getmodule(optimizer)  # looks through all modules
            assert "torch._dynamo.utils" not in sys.modules
        assert "torch._dynamo" not in sys.modules and "_dynamo" not in vars(torch)
    """)


def test_who_compiles_has_the_compiler_and_what_was_exempt_before_it_came_still_is():
    alone("""
        with without_compiler():
            made = optimizer()
            assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)) == 2
            assert sys.modules["torch._dynamo"] is torch._dynamo
            made.state_dict()
            assert type(made).state_dict.__wrapped__.__dynamo_disable is not type(made).state_dict.__wrapped__
        assert sys.modules["torch._dynamo"].__file__
    """)


@pytest.mark.parametrize("asked", ["import torch._dynamo.config", "torch._dynamo.disable()"])
def test_who_asks_for_a_part_of_it_has_it(asked):
    alone(f"""
        with without_compiler():
            {asked}
            assert "torch._dynamo.utils" in sys.modules
    """)


def test_decorators_compile_nothing_while_a_library_is_imported():
    alone("""
        whole = torch.compile
        with uncompiled():
            @torch.compile
            def first(x): return x

            @torch.compile(dynamic=True)
            def second(x): return x
        assert (first(1), second(2), torch.compile) == (1, 2, whole)
        assert "torch._dynamo" not in sys.modules
    """)
