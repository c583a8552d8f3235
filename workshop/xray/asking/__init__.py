"""Asking a server: once, by several paths, or again in other words."""
