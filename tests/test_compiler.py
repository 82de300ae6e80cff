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
        from rmldnn.compiler import undecorated, without_compiler
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


@pytest.mark.parametrize(
    "asked",
    ["import torch._dynamo.config as part", "part = torch._dynamo.config"],
)
def test_who_asks_for_a_part_of_it_has_the_one_that_it_uses(asked):
    alone(f"""
        with without_compiler():
            optimizer()
            {asked}
            assert part is sys.modules["torch._dynamo.utils"].config is sys.modules["torch._dynamo.config"]
            assert part.__spec__.origin.endswith("config.py")
            import torch._dynamo.testing
            assert torch._dynamo.testing.config is part
    """)


def test_parts_are_executed_once():
    alone("""
        with without_compiler():
            optimizer()
            import torch._dynamo.backends.registry as registry
            assert torch._dynamo.backends.registry is registry
            assert torch._dynamo.backends is sys.modules["torch._dynamo.backends"]
            assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)) == 2
    """)


def test_functions_that_a_user_exempts_stay_exempted():
    alone("""
        import math

        with without_compiler():
            @torch.compiler.disable
            def counted(x):
                assert not torch.compiler.is_compiling()
                return x

            assert torch.compile(lambda x: counted(x) + 1, backend="eager")(torch.ones(1)) == 2
    """)


@pytest.mark.parametrize("what", ["math.sqrt", "type('Own', (), {})"])
def test_what_else_is_exempted_is_so_by_the_compiler_itself(what):
    alone(f"""
        import math

        with without_compiler():
            torch.compiler.disable({what})
            assert "torch._dynamo.utils" in sys.modules
        optimizer()
    """)


def test_decorators_compile_nothing_while_a_library_is_imported():
    alone("""
        whole = torch.compile
        with undecorated():
            @torch.compile
            def first(x): return x

            @torch.compile(dynamic=True)
            def second(x): return x

            third = torch.compile(model=second)
        assert (first(1), second(2), third(3), torch.compile) == (1, 2, 3, whole)
        assert "torch._dynamo" not in sys.modules
    """)
