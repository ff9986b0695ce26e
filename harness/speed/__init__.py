"""The same computation in less time, one module a trick."""
