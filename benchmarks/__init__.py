"""Comparisons of cellblock with the other ways to run a cell, side by side in one run. Start with ``make bench``."""
