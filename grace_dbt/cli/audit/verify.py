"""`grace-dbt audit verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from grace_dbt.cli.audit.options import Anchors, Chain, PublicKey, chosen
from grace_dbt.cli.options import AsJson, Database
from grace_dbt.cli.output import print_json, say_plain, to_terminal
from grace_dbt.settings import Settings
from grace_dbt.visible_text import shown

if TYPE_CHECKING:
    from rich.console import Console

    from grace_dbt.audit.results import VerificationReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(verify)


def verify(
    db: Database = None,
    chain: Chain = "all",
    since_checkpoint: Annotated[
        bool,
        typer.Option(
            "--since-checkpoint",
            help="Look only at what came since the chain was last found intact.",
        ),
    ] = False,
    anchor: Anchors = None,
    public_key: PublicKey = None,
    as_json: AsJson = False,
) -> None:
    """Recompute every hash of the audit chains, and say where they were tampered with.

    A chain alone shows edits, deletions, insertions and changes of order. That its end was cut, or
    that it was rewritten or replaced with valid hashes, shows an anchor alone, a signed file made
    earlier by `audit anchor`; how many entries none covers is said. The result is written to
    chain_verification where that is allowed, and under GRACE_HOME.

    Exit code 0 when intact, 1 when tampered with, 3 when something could not be verified.

    Examples:

        grace-dbt audit verify

        grace-dbt audit verify --chain audit_logs --since-checkpoint

        grace-dbt audit verify --anchor anchor.json --public-key audit.key.pub --json
    """
    from grace_dbt.audit.keys import load_public
    from grace_dbt.audit.own_log import log_own
    from grace_dbt.audit.results import NOWHERE
    from grace_dbt.audit.verify import verify_chains

    settings = Settings.load(db)
    report = verify_chains(
        settings,
        chosen(chain),
        since_checkpoint=since_checkpoint,
        anchors=anchor or (),
        public_key=load_public(public_key) if anchor and not since_checkpoint else None,
    )
    if report.recorded != NOWHERE:
        verdicts = {told.chain: told.verdict for told in report.chains}
        log_own(settings, "audit.verify", report.url, verdicts, report.recorded)
    if as_json:
        print_json(report.as_data())
    else:
        _show(report)
    raise typer.Exit(report.exit_code)


def _show(report: VerificationReport) -> None:
    console = to_terminal()
    _show_segments(console, report)
    _show_findings(console, report)
    for check in report.anchors:
        held = "holds" if check.holds else "does not hold"
        say_plain(
            f"Anchor {check.anchor} of {check.created_at}: {check.chain} up to {check.position:,} {held}."
        )
    for note in report.notes:
        say_plain(note, "Note: ")
    for chain in report.chains:
        if chain.scope != "all":
            say_plain(f"{chain.chain}: {chain.scope}.")
        if chain.trouble:
            say_plain(f"{chain.chain} could not be verified: {chain.trouble}.")
        elif chain.unproven:
            say_plain(
                f"{chain.chain}: {chain.unproven:,} entries unproven against rewriting, for no anchor covers them."
            )
    say_plain(f"Recorded: {report.recorded}.")


def _show_segments(console: Console, report: VerificationReport) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("chain", "segment", "positions", "entries", "verdict", "head"):
        grid.add_column(heading, justify="right" if heading in ("segment", "entries") else "left")
    styles = {"intact": "green", "tampered": "bold red", "unverified": "yellow"}
    for chain in report.chains:
        verdict = Text(chain.verdict, styles[chain.verdict])
        if chain.trouble:
            grid.add_row(chain.chain, "", "", "", verdict, "")
        for segment in chain.segments:
            positions = f"{segment.first_position}..{segment.last_position}"
            bad = segment.first_bad_position
            words = segment.verdict + (f" at {bad}" if bad is not None else "")
            # What an anchor shows is no matter of the segment alone.
            style = styles["tampered" if chain.verdict == "tampered" else segment.verdict]
            if segment.verdict == "intact" and chain.verdict == "tampered":
                words = (
                    "tampered, by the anchor" if len(chain.segments) == 1 else "intact by itself"
                )
            grid.add_row(
                chain.chain,
                f"{segment.segment}",
                positions if segment.entries else "none" if chain.scope == "all" else "nothing new",
                f"{segment.entries:,}",
                Text(words, style),
                Text(shown((segment.head_hash or "")[:16])),
            )
    console.print(grid)


def _show_findings(console: Console, report: VerificationReport) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    findings = [finding for chain in report.chains for finding in chain.findings]
    if not findings:
        return
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("chain", "position", "entry", "finding", "expected", "found"):
        grid.add_column(heading, overflow="fold")
    for finding in findings:
        cells = (
            finding.chain,
            "" if finding.position is None else str(finding.position),
            shown(finding.entry_id or ""),
            finding.kind,
            _short(finding.expected),
            _short(finding.found),
        )
        grid.add_row(*map(Text, cells), style="dim" if finding.severity == "warning" else None)
    console.print(grid)
    for chain in report.chains:
        for kind, count in chain.counts.items():
            told = sum(finding.kind == kind for finding in chain.findings)
            if count > told:
                say_plain(f"{chain.chain}: {count - told:,} more of the kind {kind}.")


def _short(text: str | None) -> str:
    """A hash by its beginning; in JSON it stands as a whole."""
    return "" if text is None else shown(text if len(text) <= 40 else f"{text[:16]}...")
