"""Other processes read while refreshes publish: no lock error, and each answer from exactly one snapshot.

`make soak-reads` does it for longer: SOAK_REFRESHES.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import GraceCli, environment, prepare

from grace_dbt.operational.url import FileUrl
from grace_dbt.refresh import refresh
from grace_dbt.settings import Settings

REFRESHES = int(os.environ.get("SOAK_REFRESHES") or 6)
READERS = 4
READS = 20 * REFRESHES

# Two looks at one snapshot, and what says which one it is; until the file to stop at is there.
READER = """
import json, sys, time
from pathlib import Path
import grace_dbt

home, stop, reads = Path(sys.argv[1]), Path(sys.argv[2]), 0
while not stop.exists() or reads < int(sys.argv[3]):
    with grace_dbt.open_snapshot(home) as snapshot:
        facts = snapshot.query("select count(*) from fact_verification_executions").fetchone()
        time.sleep(0.02)
        totals = snapshot.query("select sum(total_executions) from cube_verification_by_tier").fetchone()
        run = snapshot.query("select max(run_id), max(snapshot) from cube_etl_metadata").fetchone()
        print(json.dumps([snapshot.number, snapshot.run_id, facts[0], int(totals[0]), *run]), flush=True)
    reads += 1
    time.sleep(0.25)
"""


def test_each_answer_is_from_one_snapshot(
    templates: Path, planned_home: Path, tmp_path: Path
) -> None:
    database = Path(shutil.copy(templates / "fresh.sqlite", tmp_path / "operational.sqlite"))
    settings = Settings(tmp_path / "home", FileUrl("sqlite", database))
    prepare(settings.home, planned_home)
    cli, stop = GraceCli(settings.home), tmp_path / "stop"
    url = ("--db", f"sqlite:///{database}")
    written = cli.run("simulate", "--live", "--rate", "200", "--rows", "200", *url)
    assert written.returncode == 0, written.stderr
    refresh(settings)
    writer = cli.start("simulate", "--live", "--rate", "20", *url)
    reading = (sys.executable, "-c", READER, str(settings.home), str(stop), str(READS // READERS))
    logs = [(tmp_path / f"reader{n}").open("w+") for n in range(READERS)]
    readers = [
        subprocess.Popen(reading, env=environment(settings.home), stdout=log, stderr=log)
        for log in logs
    ]
    try:
        published: set[str] = set()
        while len(published) < REFRESHES:  # one that finds nothing new publishes nothing
            assert writer.poll() is None, "the writer ended"
            published.add(refresh(settings).run_id)
    finally:
        stop.touch()
        writer.terminate()
        codes = [reader.wait(timeout=120) for reader in readers]
        _, errors = writer.communicate(timeout=60)
    assert writer.returncode == 0, errors
    answers = []
    for log in logs:
        log.seek(0)
        lines = log.read().splitlines()
        log.close()
        assert not [line for line in lines if not line.startswith("[")], lines[-20:]
        answers += [json.loads(line) for line in lines]
    assert codes == [0] * READERS
    assert len(answers) >= READS
    for number, run_id, facts, total, newest_run, newest_snapshot in answers:
        assert facts == total
        assert run_id == newest_run
        assert newest_snapshot == f"snap-{number:06d}.duckdb"
    assert len(published & {answer[1] for answer in answers}) > len(published) // 2
    assert len({answer[2] for answer in answers}) > 2, "the writer wrote nothing that was read"
