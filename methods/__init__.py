"""Methods: one file each, imported as harness.methods.<name>."""

LEFT_OUT = {
    "aLoRA": "it adapts only what follows a call in the prompt, so that servers share a cache; here nothing is shared",
    "CorDA": "the weight that it freezes depends on training examples, so a stored adapter could not be loaded without",
    "CPT": "its context is solved examples, and its loss weighs their labels too: zero_shot shows examples",
    "Lily": "peft's router averages over the batch, padding included: an answer would depend on its neighbours",
    "Poly and multitask prompt tuning": "they share skills or prompts between tasks, and a run has one",
    "trainable tokens": "they are for tokens that are new to the base; a task here brings none",
    "X-LoRA": "it mixes adapters that were trained before",
}
"""Types of peft's that make no sense for a single task, or would answer wrongly, and why."""
