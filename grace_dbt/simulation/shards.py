"""The shard system: background tasks, and the workers' signs of life."""

from __future__ import annotations

from bisect import bisect_right
from random import Random

from grace_dbt.simulation.chance import Deck, Serial, spread
from grace_dbt.simulation.clock import DAY, MINUTE, SECOND
from grace_dbt.simulation.vocabulary import SHARDS, USERS
from grace_dbt.simulation.world import World

TASKS = (
    ("report", "Nightly digest"),
    ("backfill", "Rebuild an index"),
    ("export", "Export of a data set"),
    ("embedding", "Embed new documents"),
    ("cleanup", "Remove expired entries"),
)
ENDINGS = {"completed": 0.9, "failed": 0.07, "cancelled": 0.03}
INTERVALS = tuple(minutes * MINUTE for minutes in (5, 10, 15, 30, 60, 120, 240))
KEPT = 30 * DAY  # telemetry is not kept longer
VERSIONS = ("1.4.0", "1.4.1")


def write(world: World) -> None:
    """Write execution tasks and shard heartbeats."""
    _write_heartbeats(world, _write_tasks(world))


def _write_tasks(world: World) -> dict[int, list[tuple[int, int, str, bool]]]:
    """Write tasks; returns for each shard what it ran: start, end, task, success."""
    rng, clock = world.stream("tasks"), world.clock
    ids = Serial(rng, "")
    endings = Deck(rng, ENDINGS)
    ran: dict[int, list[tuple[int, int, str, bool]]] = {shard: [] for shard in range(SHARDS)}
    moments = world.moments(world.some(10, 0.5) + world.contracts // 60, rng)
    for number, created in enumerate(moments):
        task, (kind, title) = ids(), TASKS[int(rng.random() * len(TASKS))]
        started = created + spread(rng, 1, 120) * SECOND
        ended = started + spread(rng, 4, 2_400) * SECOND
        newest = len(moments) - number
        status = "completed"
        if newest == 1 or started > clock.last:
            status = "queued"
        elif newest <= 3 or ended > clock.last:
            status, ended = "running", clock.last + 1
        else:
            status = endings.deal()
        write_task(
            world,
            rng,
            (number + 1, task, kind, title),
            status,
            created=created,
            started=started,
            ended=ended,
        )
        if status != "queued":
            ran[int(rng.random() * SHARDS)].append((started, ended, task, status == "completed"))
    return ran


def write_task(
    world: World,
    rng: Random,
    task: tuple[int, str, str, str],
    status: str,
    *,
    created: int,
    started: int,
    ended: int,
) -> None:
    """Write one task, which is known by its number, name, type and title."""
    number, name, kind, title = task
    text = world.clock.text
    over = status in ("completed", "failed", "cancelled")
    progress = 100.0 if status == "completed" else round(rng.random() * 95, 1)
    world.book.add(
        "execution_tasks",
        {
            "id": number,
            "task_id": name,
            "user": rng.choice(USERS) if rng.random() < 0.7 else "system:scheduler",
            "task_type": kind,
            "description": title,
            "status": status,
            "progress": 0.0 if status == "queued" else progress,
            "result": f"{spread(rng, 10, 90_000)} rows" if status == "completed" else None,
            "error": "worker ran out of memory" if status == "failed" else None,
            "created_at": text(created),
            "started_at": None if status == "queued" else text(started),
            "completed_at": text(ended) if over else None,
        },
    )


def _write_heartbeats(world: World, ran: dict[int, list[tuple[int, int, str, bool]]]) -> None:
    rng, clock = world.stream("heartbeats"), world.clock
    begin = max(clock.first, clock.last - KEPT)
    wanted = world.some(1_500, 15)
    interval = next(
        (i for i in INTERVALS if (clock.last - begin) // i * SHARDS <= wanted), INTERVALS[-1]
    )
    rows = world.book.page(
        "shard_heartbeats",
        "id shard_id agent_id host sequence status current_task_id queue_depth active_tasks"
        " completed_tasks failed_tasks cpu_percent memory_mb latency_ms version metadata"
        " recorded_at",
    )
    sequence = [int(rng.random() * 900) for _ in range(SHARDS)]
    since = [begin] * SHARDS
    starts = [[task[0] for task in sorted(ran[shard])] for shard in range(SHARDS)]
    tasks = [sorted(ran[shard]) for shard in range(SHARDS)]
    span = clock.last - begin
    # Each shard restarts once, one after the other, for the next version: it drains, stops, and
    # counts anew.
    restarts = [
        begin + span // 3 + shard * max(span // (4 * SHARDS), 3 * interval)
        for shard in range(SHARDS)
    ]
    number = 0
    for tick in range(begin, clock.last + 1, interval):
        strained = world.rhythm.slot_at(tick).incident is not None or tick == begin
        for shard in range(SHARDS):
            at = min(tick + shard * 3 * SECOND + int(rng.random() * SECOND), clock.last)
            restart = restarts[shard]
            status = "healthy"
            if restart - 2 * interval < tick <= restart - interval:
                status = "draining"
            elif restart - interval < tick <= restart:
                status = "stopped"
            elif strained and shard % 2 == 0:
                status = "degraded"
            if restart < tick <= restart + interval:
                sequence[shard], since[shard] = 0, tick
            first = bisect_right(starts[shard], since[shard])
            upto = bisect_right(starts[shard], at)
            done = [task for task in tasks[shard][first:upto] if task[1] <= at]
            busy = [task for task in tasks[shard][max(0, upto - 40) : upto] if task[1] > at]
            if status == "stopped":
                busy = []
            number += 1
            load = 8 + 30 * len(busy) + 12 * rng.random() + (35 if status == "degraded" else 0)
            memory = 240 + 60 * rng.random() + 80 * len(busy)
            latency = 4 + 12 * rng.random() + (120 if status == "degraded" else 0)
            rows.append((
                number, f"shard_{shard}", f"agent:shard_{shard}", f"node_{'abc'[shard % 3]}",
                sequence[shard], status, busy[0][2] if busy else None, spread(rng, 1, 6) - 1,
                len(busy), sum(task[3] for task in done), sum(not task[3] for task in done),
                round(min(load, 99.0), 1), round(memory, 1), round(latency, 1),
                VERSIONS[1 if tick > restart else 0], None, clock.text(at),
            ))  # fmt: skip
            sequence[shard] += max(1, interval // (30 * SECOND))
        if number % (SHARDS * 200) == 0:
            world.book.settle()
