"""Trying it out on one machine: sample world, mail catcher, embedded Valkey, local processes."""
