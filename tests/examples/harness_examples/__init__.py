"""One plug-in of each kind, as a package of one's own would bring them."""
