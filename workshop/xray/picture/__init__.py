"""Four layers in one picture: live in a terminal, played again, or on one screen at the end."""
