"""bitsandbytes without code from a hub. Imports nothing of it."""

import logging
import sys


def refuse_hub_kernels() -> None:
    """Keep bitsandbytes, and transformers, from fetching a compiled kernel from the hub and running it.

    On a processor with bf16, bitsandbytes does so as it is imported if the package ``kernels`` is installed, and warns
    on every start if it is not. A process that has imported ``kernels`` itself keeps it.
    """
    sys.modules.setdefault("kernels", None)  # type: ignore[arg-type]  # an import of it fails
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
