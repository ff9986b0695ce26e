"""The state of a training in the middle, from which it goes on to the result of one that was never interrupted.

The order of the examples, and what recipes make of them, follow from the seed and the step: they are gone through
again. All else is kept: what is trained, optimizer, schedule, random states, the choice so far, and what methods and
recipes know beside it (``state_dict`` of both).
"""

import random
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from harness.core.errors import HarnessWarning, SourceError
from harness.measure.hardware import cpu_model
from harness.storage.checkpoint import trainable
from harness.storage.state import about_state, load_state, save_state
from harness.training.hooks import Hooks
from harness.training.reach import Reach

FORMAT = "1"


@dataclass(frozen=True)
class Checkpoints:
    """Where the state of a run is kept.

    Args:
        path: The file; a later state replaces an earlier one.
        run_id: Of the run.
        every: Steps after which it is written; None: never, but one that is there is used.
    """

    path: Path
    run_id: str
    every: int | None = None

    @property
    def about(self) -> dict[str, str]:
        """What a state must be of, for the run to go on to the very same result."""
        device = torch.cuda.get_device_name() if torch.cuda.is_available() else cpu_model()
        threads = str(torch.get_num_threads())
        return {"format": FORMAT, "run": self.run_id, "torch": torch.__version__, "device": device, "threads": threads}

    def due(self, step: int) -> bool:
        """Whether the state after a step is to be written."""
        return bool(self.every) and step % (self.every or 1) == 0

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write a state; where that can't be done the run goes on without, and a ``HarnessWarning`` says so."""
        try:
            save_state(self.path, state, self.about)
        except (OSError, TypeError) as error:
            warnings.warn(f"no checkpoint at step {step}: {error}", HarnessWarning, stacklevel=2)

    def load(self) -> dict[str, Any] | None:
        """The state that is there; None, with a ``HarnessWarning``, where it can't be read or is of something else."""
        if not self.path.exists():
            return None
        try:
            found = about_state(self.path)
            unlike = [
                f"{name} {found.get(name)!r}, not {ours!r}"
                for name, ours in self.about.items()
                if found.get(name) != ours
            ]
            if not unlike:
                state: dict[str, Any] = load_state(self.path)
                return state
            problem = f"it is of {', '.join(unlike)}"
        except SourceError as error:
            problem = str(error)
        warnings.warn(f"the checkpoint {self.path} is left alone, training begins anew: {problem}", HarnessWarning, 2)
        return None

    def remove(self) -> None:
        """Once the run is finished."""
        with suppress(FileNotFoundError, NotADirectoryError):
            self.path.unlink()


@dataclass(frozen=True)
class Holders:
    """What holds the state of a training, beside the loop itself."""

    hooks: Hooks
    optimizer: Optimizer
    schedule: LRScheduler
    reach: Reach | None = None

    def state_dict(self) -> dict[str, Any]:
        """Their states, and the random ones."""
        return {
            "weights": _held(self.hooks.training.model),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "hooks": self.hooks.state_dict(),
            "reach": self.reach.state_dict() if self.reach else None,
            "random": _random_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put them back, in place; the random ones last, as making a model may have drawn."""
        with torch.no_grad():
            for name, tensor in _held(self.hooks.training.model).items():
                tensor.copy_(state["weights"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.hooks.load_state_dict(state["hooks"])
        if self.reach:
            self.reach.load_state_dict(state["reach"])
        _set_random_state(state["random"])


def _held(model: nn.Module) -> dict[str, Tensor]:
    """What training may change in a model: trainable parameters and buffers."""
    return {**trainable(model), **dict(model.named_buffers())}


def _random_state() -> dict[str, Any]:
    name, keys, *rest = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": (str(name), np.asarray(keys).tolist(), *map(float, rest)),
        "python": random.getstate(),
    }


def _set_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])
    name, keys, place, has_gauss, gauss = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), int(place), int(has_gauss), gauss))
    random.setstate(state["python"])
