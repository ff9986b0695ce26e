"""Published numbers and how to compute ours, one TOML file each; `verify` compares them."""
