"""How this process was started: alone, or by ``torchrun`` or ``accelerate launch`` as one of several for one run."""

import os

from harness.core.errors import SpecError

SHARED_BY_PROCESSES = "run"
"""The one command that several processes may do together."""

ENGINES = {
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "a parallelism configuration",
    "ACCELERATE_USE_SAGEMAKER": "SageMaker",
}
"""What ``accelerate launch`` asks a program for that shards a model: a process here holds the whole model."""

SETTINGS = {
    "ACCELERATE_MIXED_PRECISION": ("no", "training.precision"),
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": ("1", "training.accumulation_steps"),
    "ACCELERATE_DYNAMO_BACKEND": ("no", "none of the fields: nothing is compiled"),
}
"""What it asks for that a run's spec says → the value that asks for nothing, the field that says it."""


def n_processes() -> int:
    """Processes that do this command together; 1 for one started alone.

    Raises:
        SpecError: the variables that the launcher sets contradict each other.
    """
    size, rank = os.environ.get("WORLD_SIZE", "1"), os.environ.get("RANK", "0")
    if not (size.isdecimal() and rank.isdecimal() and int(rank) < int(size)):
        raise SpecError(f"WORLD_SIZE={size} and RANK={rank} are no number of processes and no place among them")
    if int(size) > 1 and "RANK" not in os.environ:
        raise SpecError(f"WORLD_SIZE={size} without a RANK: start the processes with torchrun or accelerate launch")
    return int(size)


def is_first() -> bool:
    """Whether this is the process that writes and prints."""
    return n_processes() == 1 or os.environ["RANK"] == "0"


def check_launch(command: str) -> None:
    """Refuse what several processes can't do together, and what a launcher asks for that would not happen.

    Raises:
        SpecError: the command is not ``run``, or a setting of the launcher has no effect here.
    """
    if n_processes() > 1 and command != SHARED_BY_PROCESSES:
        raise SpecError(
            f"{command} is one process; only {SHARED_BY_PROCESSES} can be shared by the {n_processes()} of a launcher "
            "(a suite's own executors run cells side by side)"
        )
    if command != SHARED_BY_PROCESSES:
        return
    for variable, engine in ENGINES.items():
        if os.environ.get(variable, "false").lower() in ("true", "1"):
            raise SpecError(
                f"{engine} is not supported: every process holds the whole model and its share of a step's examples; "
                f"leave it out of the launcher's configuration ({variable})"
            )
    for variable, (nothing, field) in SETTINGS.items():
        if (asked := os.environ.get(variable, nothing).lower()) != nothing:
            raise SpecError(f"{variable}={asked} would have no effect; what says it here is {field}")
