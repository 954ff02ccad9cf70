"""The engines: they run programs. The three never meet."""
