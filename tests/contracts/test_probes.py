"""Every registered probe keeps to the contract that ships."""

import pytest

from harness.probe import PROBES
from harness.testing import contracts
from harness.testing.probe import ProbeContract

globals().update(contracts(ProbeContract, PROBES.names()))


@pytest.mark.usefixtures("examples")
class TestExample(ProbeContract):
    plugin = "energy"
