"""Every registered probe keeps to the contract that ships."""

from harness.probe import PROBES
from harness.testing import contracts
from harness.testing.probe import ProbeContract

globals().update(contracts(ProbeContract, PROBES.names()))
