import pytest

from ciclo.components.notification.message import STOPS, end_of_branch, end_of_run


@pytest.mark.parametrize(
    ("state", "severity", "title"),
    [
        ("COMPLETE", "info", "complete"),
        ("SUCCEEDED", "info", "complete"),
        ("FAILED", "error", "failed"),
        ("RUNNING", "warning", "unknown"),
        ("CANCELED", "warning", "unknown"),
        ("complete", "warning", "unknown"),
        ("", "warning", "unknown"),
    ],
)
def test_only_a_state_known_to_be_good_is_good_news(state: str, severity: str, title: str) -> None:
    news = end_of_run("loans", state, "drift")
    assert (news.severity, title in news.title, "loans" in news.title) == (severity, True, True)


def test_a_message_carries_what_is_known_of_the_run() -> None:
    news = end_of_run("loans", "FAILED", "drift", "loans-x7k2", "task training failed")
    for fact in ("drift", "loans-x7k2", "task training failed"):
        assert fact in news.body


def test_an_unknown_end_says_what_was_seen_and_what_to_do() -> None:
    assert "RUNNING: look at the run" in end_of_run("loans", "RUNNING", "manual").body


@pytest.mark.parametrize("word", [*STOPS, "something_else"])
def test_every_stop_has_a_sentence(word: str) -> None:
    assert end_of_branch(word)
    assert (word in end_of_branch(word)) == (word not in STOPS)
