"""Search: Optuna studies over runs."""
