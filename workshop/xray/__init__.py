"""`workshop xray`: the layers of a stream, and the name of the hop that spoils it."""
