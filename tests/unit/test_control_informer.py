"""What the informer is told, where waiting for it would take minutes."""

import itertools

import kopf

from novita_operator.handlers import informer_only


def test_the_watch_outlives_an_api_server_that_is_away_for_an_hour():
    """With an end to its tries, kopf ends with them, and the process too."""
    settings = kopf.OperatorSettings()
    informer_only(settings)
    backoffs = settings.networking.error_backoffs
    assert not isinstance(backoffs, float)
    for _ in range(2):
        tries = list(itertools.islice(backoffs, 1000))
        assert sum(tries) > 3600
        assert 0 < max(tries) <= 10
