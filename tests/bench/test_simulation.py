"""The simulation agrees with what is known of queues."""

import pytest

from tests.bench.simulation import Costs, Deployment, simulate, smallest

MS = 0.001


@pytest.mark.parametrize("load", [0.2, 0.5, 0.8])
def test_where_appending_costs_nothing_an_api_process_is_a_queue_with_a_steady_server(load: float) -> None:
    # M/D/1 (Pollaczek and Khinchine): the mean wait is ρ/2(1-ρ) of the time that serving takes.
    costs = Costs(api=1 * MS, append=1e-6 * MS, append_each=0)
    expected_ms = 1 + load / (2 * (1 - load))
    outcome = simulate(costs, Deployment(), per_second=load / (1 * MS), bookings=200_000)
    assert outcome.mean_ms == pytest.approx(expected_ms, rel=0.05)


def test_one_at_a_time_waits_for_an_append_under_way_and_for_its_own() -> None:
    costs = Costs(api=0, append=2 * MS, append_each=0)
    seldom = simulate(costs, Deployment(), per_second=1, bookings=1_000)
    assert seldom.mean_ms == pytest.approx(2, rel=0.01)
    often = simulate(costs, Deployment(), per_second=10_000, bookings=100_000)
    # Whoever arrives finds an append half done, on average, and then needs one.
    assert often.mean_ms == pytest.approx(3, rel=0.05)


def test_too_many_are_appended_as_fast_as_full_batches_can_be() -> None:
    costs = Costs(api=0, append=1 * MS, append_each=0.1 * MS)
    outcome = simulate(costs, Deployment(apis=4), per_second=2 * costs.journal_max, bookings=100_000)
    assert outcome.per_second == pytest.approx(costs.journal_max, rel=0.02)
    assert outcome.batch == pytest.approx(256, rel=0.05)


def test_two_journals_append_twice_as_much_as_one() -> None:
    costs = Costs(api=0, append=1 * MS, append_each=0.1 * MS)
    outcome = simulate(costs, Deployment(apis=4, journals=2), per_second=4 * costs.journal_max, bookings=100_000)
    assert outcome.per_second == pytest.approx(2 * costs.journal_max, rel=0.03)


def test_the_same_seed_gives_the_same_outcome() -> None:
    costs = Costs(api=0.4 * MS, append=1 * MS, append_each=0.1 * MS)
    first, again, other = (
        simulate(costs, Deployment(apis=3), per_second=3_000, bookings=5_000, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_the_smallest_deployment_keeps_up_and_one_journal_less_does_not() -> None:
    costs = Costs(api=0.4 * MS, append=1 * MS, append_each=0.15 * MS)
    deployment, outcome = smallest(costs, 20_000, bookings=40_000)
    assert outcome.p99_ms <= 50
    fewer = Deployment(deployment.apis, deployment.journals - 1)
    assert simulate(costs, fewer, per_second=20_000, bookings=40_000).p99_ms > 50
