"""What facts are told from at one refresh: typed rows, dimensions, and who points to whom."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from cube_oracle.dimensions import Dimension, mission_of
from cube_oracle.reading import as_number
from cube_oracle.source import Row


class World:
    """The typed rows of one refresh beside the dimensions as they stand after it."""

    def __init__(
        self,
        staged: dict[str, list[Row]],
        timelines: dict[str, Row],
        tiers: Dimension,
        missions: Dimension,
        components: Dimension,
    ) -> None:
        self.staged = staged
        self.timelines = timelines
        self.tiers, self.missions, self.components = tiers, missions, components
        self.contracts = {row["id"]: row for row in staged["action_contracts"]}
        self.runs = {row["id"]: row for row in staged["playbook_runs"]}
        self._contracts_of_run: dict[str, list[Row]] = defaultdict(list)
        for contract in staged["action_contracts"]:
            if contract["run_id"]:
                self._contracts_of_run[contract["run_id"]].append(contract)
        self._runs_of_request: dict[str, list[Row]] = defaultdict(list)
        for run in staged["playbook_runs"]:
            if run["approval_request_id"]:
                self._runs_of_request[run["approval_request_id"]].append(run)

    def contract_of_run(self, run_id: str) -> Row | None:
        """The contract that a playbook run works for: the earliest, then the smallest id."""
        return min(
            self._contracts_of_run[run_id],
            key=lambda row: (row["created_at"] or datetime.max, row["id"]),
            default=None,
        )

    def run_of_request(self, request_id: str) -> Row | None:
        """The playbook run that an approval request guards: the smallest number."""
        return min(
            self._runs_of_request[request_id], key=lambda row: as_number(row["id"]), default=None
        )

    def tier_key(self, contract: Row | None, at: datetime | None) -> int:
        """The tier of a contract as of a moment."""
        return self.tiers.key(contract["tier"] if contract else None, at)

    def mission_key(self, contract: Row | None, at: datetime | None) -> int:
        """The mission of a contract as of a moment."""
        return self.missions.key(mission_of(contract["triggered_by"]) if contract else None, at)
