"""A study small enough to be built many times."""

from collections.abc import Callable

import pytest

import small_study
from phosphene.study import Study


@pytest.fixture(name="make_study", scope="session")
def make_study_fixture() -> Callable[..., Study]:
    return small_study.make_study


@pytest.fixture
def study() -> Study:
    return small_study.make_study()
