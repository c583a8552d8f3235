"""Wrong: it counts the tag and the byte of the real type as plaintext."""


class Listener:
    def __init__(self) -> None:
        self._heard = b""

    def receive_data(self, data: bytes) -> list[int]:
        self._heard += data
        sizes = []
        while len(self._heard) >= 5:
            length = int.from_bytes(self._heard[3:5])
            if len(self._heard) < 5 + length:
                break
            if self._heard[0] == 23:
                sizes.append(length)
            self._heard = self._heard[5 + length :]
        return sizes
