"""What a check by hand said about failures of other servers, by the slug of the case."""

NOTES: dict[str, str] = {}
