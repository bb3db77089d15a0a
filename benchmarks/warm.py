"""A process that refreshes once for each line on stdin and tells how long it took, as `refresh --every` would.

Started by `measuring.warm`; a line is the scope as JSON, `{}` for what changed.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import asdict
from typing import Any

from measuring import RSS_UNIT

from grace_dbt import refresh as refreshing
from grace_dbt.settings import Settings


def main() -> None:
    """Answer each line until stdin ends."""
    answers, sys.stdout = sys.stdout, sys.stderr
    refresh_module: Any = refreshing
    publish, published = refresh_module.publish, [0.0]

    def timed(*arguments: Any, **more: Any) -> Any:
        started = time.perf_counter()
        try:
            return publish(*arguments, **more)
        finally:
            published[0] = time.perf_counter() - started

    refresh_module.publish = timed
    settings = Settings.load()
    for line in sys.stdin:
        published[0] = 0.0
        started = time.perf_counter()
        report = refreshing.refresh(settings, refreshing.Scope(**json.loads(line)))
        answer = {
            "seconds": time.perf_counter() - started,
            "publish_seconds": published[0],
            "mode": report.mode,
            "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT,
            "snapshot": asdict(report)["snapshot"]["snapshot_path"],
        }
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
