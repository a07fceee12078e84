"""Whole models: opened, run, looked into, and given other attention."""
