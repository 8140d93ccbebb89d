"""The faces of other tools, over the same studies."""
