"""Wrong: it expects whole records in each read, but TCP may cut them anywhere."""


class Listener:
    def receive_data(self, data: bytes) -> list[int]:
        sizes = []
        while len(data) >= 5:
            length = int.from_bytes(data[3:5])
            if data[0] == 23:
                sizes.append(length - 17)
            data = data[5 + length :]
        return sizes
