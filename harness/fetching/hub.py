"""Whether the Hugging Face hub can be reached; asked once, so that nothing waits for its client's retries."""

import urllib.error
import urllib.request
from functools import cache

TIMEOUT_SECONDS = 5


@cache
def hub_problem() -> str | None:
    """Why the hub can't be reached, or None; asked once in a process."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        urllib.request.urlopen(constants.ENDPOINT, timeout=TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError:
        return None  # it answered
    except OSError as error:
        return f"{constants.ENDPOINT} can't be reached ({getattr(error, 'reason', error)})"
    return None
