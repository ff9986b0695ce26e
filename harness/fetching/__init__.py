"""Files from elsewhere: package assets, the hub."""
