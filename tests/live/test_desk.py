"""One piece of work at a time, in turn, each one's newest alone."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from phosphene.live.desk import BusyError, Desk, StaleError
from phosphene.progress import tell


class Slow:
    """Work that waits until it may go on, and what was done, in order."""

    def __init__(self) -> None:
        self.go, self.done = threading.Event(), []

    def first(self) -> str:
        self.go.wait(10)
        return "first"

    def named(self, name: str) -> Callable[[], str]:
        def work() -> str:
            self.done.append(name)
            return name

        return work


def test_the_newest_of_each_is_done_in_the_order_they_came() -> None:
    async def tried() -> list[object]:
        desk, slow = Desk(), Slow()
        asked = [asyncio.create_task(desk.do("pen", slow.first))]
        await asyncio.sleep(0.01)
        for who, name in [("pen", "a1"), ("other", "b1"), ("pen", "a2"), ("pen", "a3")]:
            asked.append(asyncio.create_task(desk.do(who, slow.named(name))))
            await asyncio.sleep(0)
        slow.go.set()
        found = await asyncio.gather(*asked, return_exceptions=True)
        desk.close()
        return [slow.done, *found]

    done, *found = asyncio.run(tried())
    assert done == ["a3", "b1"]
    assert [type(each) if isinstance(each, Exception) else each for each in found] == [
        *("first", StaleError, "b1", StaleError, "a3")
    ]


def test_who_goes_away_leaves_nothing_to_do() -> None:
    async def tried() -> list[str]:
        desk, slow = Desk(), Slow()
        first = asyncio.create_task(desk.do("one", slow.first))
        gone = asyncio.create_task(desk.do("two", slow.named("two")))
        last = asyncio.create_task(desk.do("three", slow.named("three")))
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.sleep(0)
        slow.go.set()
        await asyncio.gather(first, last)
        desk.close()
        return slow.done

    assert asyncio.run(tried()) == ["three"]


def test_a_mistake_is_told_to_who_made_it_alone() -> None:
    def wrong() -> None:
        raise ValueError("no")

    async def tried() -> tuple[object, ...]:
        desk = Desk()
        found = await asyncio.gather(
            desk.do("one", wrong), desk.do("two", lambda: 2), return_exceptions=True
        )
        desk.close()
        return tuple(found)

    mistake, two = asyncio.run(tried())
    assert (str(mistake), two) == ("no", 2)


def test_no_more_wait_than_there_is_room_for() -> None:
    async def tried() -> None:
        desk, slow = Desk(most=2), Slow()
        asked = [asyncio.create_task(desk.do("0", slow.first))]
        await asyncio.sleep(0.01)
        asked += [asyncio.create_task(desk.do(str(i), slow.named(str(i)))) for i in (1, 2)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await desk.do("3", slow.named("3"))
        slow.go.set()
        await asyncio.gather(*asked)
        desk.close()

    asyncio.run(tried())


def test_who_goes_away_while_their_work_is_done_has_it_left_at_its_next_step() -> None:
    steps: list[int] = []
    begun = threading.Event()

    def long() -> None:
        for step in range(2000):
            steps.append(step)
            begun.set()
            tell(step, 2000)
            time.sleep(0.005)

    async def tried() -> str:
        desk = Desk()
        gone = asyncio.create_task(desk.do("one", long))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        gone.cancel()
        found = await asyncio.wait_for(desk.do("two", lambda: "two"), 5)
        desk.close()
        return found

    assert asyncio.run(tried()) == "two"
    assert len(steps) < 1000
