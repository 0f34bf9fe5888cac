"""Places for calls: a router is full while Runs wait, or when one waited in vain."""

from __future__ import annotations

import anyio
import anyio.lowlevel

from inboxkit.pipeline.places import Places


async def test_a_router_is_full_until_nobody_waits_or_a_place_is_free() -> None:
    told = list[str]()
    places = Places(1, lambda: told.append("open"))
    assert await places.take()
    assert not places.is_full  # one more may wait for the next place

    async def wait_in_vain() -> None:
        assert not await places.take()

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait_in_vain)
            await anyio.wait_all_tasks_blocked()
            assert (places.waiting, places.leave_out()) == (1, True)
    assert (places.waiting, places.leave_out(), told) == (0, True, [])
    places.free()
    assert (places.leave_out(), told) == (False, ["open"])


async def test_who_waits_has_the_place_that_comes_free() -> None:
    told, had = list[str](), list[bool]()
    places = Places(1, lambda: told.append("open"))
    given, over = anyio.Event(), anyio.Event()

    async def call() -> None:
        had.append(await places.take())
        given.set()
        await over.wait()
        places.free()

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            await given.wait()
            tasks.start_soon(call)
            await anyio.wait_all_tasks_blocked()
            assert places.leave_out()
            over.set()
    assert (had, told) == ([True, True], ["open"])


async def test_who_comes_as_a_place_is_handed_on_waits_behind() -> None:
    """Older versions of anyio let it take the place before the one that was told of it."""
    places, calling, most, order = Places(1, lambda: None), list[str](), list[int](), list[str]()
    begun = anyio.Event()

    async def call(name: str) -> None:
        assert await places.take()
        order.append(name)
        calling.append(name)
        most.append(len(calling))
        await anyio.lowlevel.checkpoint()
        calling.remove(name)
        places.free()

    async def come_late() -> None:
        await begun.wait()
        await call("late")

    assert await places.take()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, "waits")
            tasks.start_soon(come_late)
            await anyio.wait_all_tasks_blocked()
            begun.set()  # it runs before the one that waits for the place
            places.free()
    assert (order, max(most)) == (["waits", "late"], 1)
