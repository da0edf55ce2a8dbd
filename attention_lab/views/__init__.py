"""Views: attention for the eye, in a terminal and as a picture. Nothing is loaded by this line."""
