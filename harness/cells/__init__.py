"""Records grouped into cells that compete."""
