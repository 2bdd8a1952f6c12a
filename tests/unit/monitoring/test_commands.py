"""What people type: the real commands, on a project whose watch has seen something."""

import json
from datetime import timedelta

import pytest
import yaml

from ciclo.components.core.errors import ProjectError
from ciclo.components.core.project_file import project_to_yaml, read_policy
from ciclo.components.core.sections import Monitoring
from ciclo.components.monitoring.records import Decision
from tests.local.command import ciclo
from tests.unit.monitoring.conftest import NOW, project

pytestmark = pytest.mark.slow
WEEK = timedelta(days=7)
APPROVED = {"persistence": {"alarms": 1, "windows": 1}, "mode": "approve"}


def do(world, *arguments, code=0):
    done = ciclo(world.settings.home, *arguments)
    assert done.code == code, done.out + done.err
    return " ".join((done.out + done.err).split())


def write(tmp_path, settled):
    path = tmp_path / "project.yaml"
    path.write_text(project_to_yaml(settled))
    return path


def test_a_run_is_asked_for_allowed_and_found_in_the_log(make_world, tmp_path):
    world, file = make_world(**APPROVED), write(tmp_path, project(**APPROVED))
    assert "the watch has not run" in do(world, "log", file)
    assert "does not ask for a run" in do(world, "allow", file, "--by", "ada")
    world.serve(NOW, shift=1)
    moment = ("--now", NOW.replace(tzinfo=None).isoformat())
    assert do(world, "watch", file, "--dry-run", *moment).startswith("recommend: The estimated accuracy_score")
    assert world.history().decisions == ()
    assert "`ciclo allow PROJECT --by WHO`" in do(world, "watch", file, *moment)
    (decision,) = world.history().decisions
    assert "version 1 is allowed (estimated performance" in do(
        world, "allow", file, "--by", "ada", "--note", "as agreed"
    )
    (permission,) = world.history().permissions
    assert (permission.by, permission.note, permission.episode) == ("ada", "as agreed", decision.episode)
    (logged,) = json.loads(do(world, "log", file, "--json"))
    assert Decision.model_validate(logged) == decision
    table = do(world, "log", file, "--last", 5)
    assert "2026-06-01 06:00 1 recommend estimated performance and" in table
    done = write(tmp_path, project(mode="recommend"))
    assert "monitoring.mode is recommend" in do(world, "allow", done, "--by", "ada")


def test_a_run_for_drift_alone_is_allowed_whatever_starts_the_others(eager, tmp_path):
    file = write(tmp_path, eager.project)
    eager.serve(NOW, shift=-0.6, labels=True)
    decision = eager.tick()
    assert (decision.action, "ciclo allow" in decision.reason) == ("recommend", True)
    assert "version 1 is allowed" in do(eager, "allow", file, "--by", "ada")
    assert eager.tick(NOW + timedelta(hours=1)).action == "retrain"


def test_an_escalation_is_closed_by_a_person_and_once(eager, tmp_path):
    file = write(tmp_path, project())
    assert do(eager, "acknowledge", file, "--by", "ada", "--note", "x") == "loans: no escalation is open"
    ahead = NOW + timedelta(days=50_000)  # a clock that is ahead of ours
    escalation = Decision(
        action="escalate_design", reason="It does not help.", alarm=True, version=1, window_start=ahead - WEEK,
        window_end=ahead, time=ahead,
    )  # fmt: skip
    eager.log.append(escalation)
    assert "breaker open: retraining stopped" in do(eager, "status", file)
    assert "Missing option '--note'" in do(eager, "acknowledge", file, code=2)
    closed = do(eager, "acknowledge", file, "--by", "ada", "--note", "the feed is mended")
    assert "to design is closed" in closed
    (said,) = eager.log.history(ahead, eager.project.monitoring).acknowledgements
    assert (said.by, said.note) == ("ada", "the feed is mended")
    assert "no escalation is open" in do(eager, "acknowledge", file, "--by", "ada", "--note", "again")


def test_a_policy_is_tried_beside_the_one_in_force(make_world, tmp_path):
    world, file = make_world(), write(tmp_path, project(quiet_hours="00:00-23:59"))
    for week, shift in enumerate([0, 0, 1, 1, 1, 1]):
        world.serve(NOW + (week + 1) * WEEK, shift=shift, version=week)
    start, end = (str((NOW + weeks * WEEK).replace(tzinfo=None)) for weeks in (0, 6))
    policy = tmp_path / "policy.yaml"
    policy.write_text(yaml.safe_dump({"monitoring": {"persistence": {"alarms": 1}, "cool_down_days": 7}}))
    before = list(world.store.list(""))
    found = json.loads(do(world, "replay", file, "--policy", policy, "--start", start, "--end", end, "--json"))
    assert list(world.store.list("")) == before
    ours, tried = found["in force"], found["policy.yaml"]
    assert (ours["windows"], ours["alarms"], tried["alarms"]) == (6, 4, 4)
    times = [[run["time"] for run in one["runs"]] for one in (ours, tried)]
    assert times[0] == [str(NOW + weeks * WEEK) for weeks in (4, 6)]
    assert times[1] == [str(NOW + weeks * WEEK) for weeks in (3, 4, 5, 6)]
    policy.write_text("persistence: {alarms: 3}")
    table = do(world, "replay", file, "--policy", policy, "--start", start, "--end", end)
    assert "runs (cost) 2 1" in table
    assert (
        "in force 2026-06-29 06:00 estimated performance and input drift and prediction drift 2026-06-22 06:00 7"
        in table
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cool_down: 7", ["cool_down: unknown field", "cool_down_days"]),
        ("monitoring: {persistence: {alarms: 0}}", ["persistence.alarms", "greater than or equal to 1"]),
        ("monitoring: {window_days: 7}\ndata: {}", ["monitoring: unknown field", "fields of monitoring alone"]),
        ("quiet_hours: night", ["quiet_hours", "22:00-06:00"]),
        ("- 1", ["mapping of fields"]),
        ("a: [", ["not valid YAML"]),
        (None, ["cannot be read"]),
    ],
)
def test_a_policy_that_is_none_is_named_field_by_field(tmp_path, text, words):
    path = tmp_path / "policy.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ProjectError) as refused:
        read_policy(path, Monitoring())
    assert all(word in str(refused.value) for word in words), refused.value


def test_a_policy_is_laid_over_the_one_in_force_to_the_last_level(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("persistence: {alarms: 1}\nbudget: {runs: 9}")
    base = Monitoring(persistence={"alarms": 2, "windows": 5}, cool_down_days=3)
    tried = read_policy(path, base)
    assert (tried.persistence.alarms, tried.persistence.windows, tried.cool_down_days) == (1, 5, 3)
    assert (tried.budget.runs, tried.budget.days) == (9, base.budget.days)
