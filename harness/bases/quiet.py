"""Loading without the libraries' own progress bars and advice."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers silent while a base is loaded; errors are raised all the same."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        # The bars of GGUF and of weights are drawn whatever the verbosity is.
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(level)
