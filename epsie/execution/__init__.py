"""Chains stepped in pools: dealt out to workers as tasks, and failing as one."""
