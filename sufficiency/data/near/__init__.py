"""Items that are nearly others' copies: a photo saved again, a measurement with one more digit."""
