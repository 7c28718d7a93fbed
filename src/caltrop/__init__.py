"""Caltrop."""
