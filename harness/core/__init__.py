"""What everything else is made of: errors, seeds, ranges, the spec of a run, the registry of plug-ins."""
