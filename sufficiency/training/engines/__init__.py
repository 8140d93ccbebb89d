"""How the cells of a unit are gone through: one after the other, or several models at once."""
