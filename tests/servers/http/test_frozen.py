"""What a server has loaded is not looked at again by each garbage collection."""

import gc

from servers.http.command import serve_until_signal


async def test_loaded_objects_are_frozen_while_a_server_runs() -> None:
    gc.unfreeze()
    loaded = len(gc.get_objects())
    frozen: list[int] = []
    await serve_until_signal([], lambda: frozen.append(gc.get_freeze_count()))
    assert frozen[0] > loaded / 2
    assert gc.get_freeze_count() == 0
