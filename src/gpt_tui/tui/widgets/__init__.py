"""Widgets, each usable alone: none knows of runs or sessions."""
