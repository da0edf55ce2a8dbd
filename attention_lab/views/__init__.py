"""Views display attention weights as text in a terminal and as pictures. Importing this package loads nothing."""
