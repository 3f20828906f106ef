"""Pages of places and rights."""
