"""Adapters that make this package a sampler of other packages, which are imported here only."""
