"""Solution 10: remember where in a record the last read ended."""

APPLICATION_DATA = 23
OVERHEAD = 1 + 16  # the byte for the real type, and the tag


class Listener:
    """Reads the ciphertext of one direction of a connection."""

    def __init__(self) -> None:
        self._header = b""  # the bytes of the next header that have arrived
        self._remaining = 0  # number of bytes of this record that have not arrived

    def receive_data(self, data: bytes) -> list[int]:
        """Take the ciphertext of one read, cut anywhere."""
        sizes = []
        while data:
            skipped = data[: self._remaining]
            self._remaining -= len(skipped)
            data = data[len(skipped) :]
            missing = 5 - len(self._header)
            self._header += data[:missing]
            data = data[missing:]
            if len(self._header) == 5:
                self._remaining = int.from_bytes(self._header[3:])
                if self._header[0] == APPLICATION_DATA:
                    sizes.append(self._remaining - OVERHEAD)
                self._header = b""
        return sizes
