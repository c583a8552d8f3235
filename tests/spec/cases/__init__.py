"""All cases, one file for each family. Importing this package registers them (`CASES`)."""

from . import cancel, chunked, conn, head, http10, live, pressure

__all__ = ["cancel", "chunked", "conn", "head", "http10", "live", "pressure"]
