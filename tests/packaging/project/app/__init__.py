"""A web application as many have one, with the name that most of them have."""

CLASSES = 10
