"""One hypothesis profile for these tests: no deadline, for a busy machine is not a failure."""

from hypothesis import settings

settings.register_profile("protocol", deadline=None)
settings.load_profile("protocol")
