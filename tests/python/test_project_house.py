"""Guards for names, documentation and the order of the house; each is also shown to fire on a broken copy."""

from __future__ import annotations

import ast
import copy
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
import typer.main

from grace_dbt.metrics.yaml_files import read_folder

ROOT = Path(__file__).parents[2]
ENGINES = r"duckdb|sqlite|postgres|postgresql|mysql|mariadb"
ENGINE_BODY = re.compile(rf"^(default|{ENGINES})__")
KEPT_OUT = shutil.ignore_patterns(
    "__pycache__", ".venv*", "target", "logs", ".git", "*cache", "*.duckdb", "*.sqlite"
)


@dataclass(frozen=True)
class House:
    """What the guards look at: the files under a root, dbt's manifest, and the columns that the cube really has."""

    root: Path
    manifest: dict[str, Any]
    columns: dict[str, list[str]]

    def nodes(self, *kinds: str) -> Iterator[dict[str, Any]]:
        yield from (n for n in self.manifest["nodes"].values() if n["resource_type"] in kinds)

    def macros(self) -> Iterator[dict[str, Any]]:
        """Every macro of ours that others call: bodies for one engine are reached through their dispatcher."""
        for macro in self.manifest["macros"].values():
            if macro["package_name"] == "grace" and not ENGINE_BODY.match(macro["name"]):
                yield macro

    def files(self, *patterns: str) -> Iterator[tuple[str, str]]:
        """Path below the root, and text."""
        for pattern in patterns:
            for path in sorted(self.root.glob(pattern)):
                yield str(path.relative_to(self.root)), path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The house as it stands; the cube is built once on the sample, without tests."""
    home = tmp_path_factory.mktemp("house")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GRACE_", "DBT_"))}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dbt.cli.main", "build"),
            *("--select", "+path:models/cube", "+path:models/kernels", "+path:models/audit"),
            *("--exclude", "resource_type:test", "resource_type:unit_test"),
            *("--target-path", str(home / "target"), "--log-path", str(home / "logs")),
        ],
        cwd=ROOT,
        env={**kept, "GRACE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    with duckdb.connect(str(home / "dev.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "select table_name, list(column_name order by column_index) from duckdb_columns()"
            " where schema_name = 'main' group by table_name"
        ).fetchall()
    manifest = json.loads((home / "target" / "manifest.json").read_text())
    return House(ROOT, manifest, dict(rows))


def without_comments(sql: str) -> str:
    sql = re.sub(r"{#.*?#}", "", sql, flags=re.DOTALL)
    return re.sub(r"--.*", "", sql)


# --- documentation


def undocumented(house: House) -> Iterator[str]:
    """Models, seeds, snapshots, singular tests, macros and groups without a description."""
    for node in house.nodes("model", "seed", "snapshot", "test"):
        if node.get("test_metadata") is None and not node["description"].strip():
            yield f"{node['original_file_path']}: {node['name']}"
    for macro in house.macros():
        if not macro["description"].strip():
            yield f"{macro['original_file_path']}: {macro['name']}"


def misread_metrics(house: House) -> Iterator[str]:
    """Metrics and semantic models that the package reads otherwise than dbt does, or whose owner is no group."""
    entries, problems = read_folder(house.root / "models" / "semantic", house.root)
    yield from map(str, problems)
    groups = {group["name"] for group in house.manifest["groups"].values()}
    for kind in ("metrics", "semantic_models"):
        ours = {entry["name"]: entry for entry in entries[kind]}
        theirs = {entry["name"]: entry for entry in house.manifest[kind].values()}
        for name in ours.keys() ^ theirs.keys():
            yield f"{name}: only one of dbt and the package knows it"
        for name in ours.keys() & theirs.keys():
            if misread := list(differences(ours[name], theirs[name])):
                yield f"{name}: dbt reads another {', '.join(misread)}"
            owner = (ours[name].get("config") or {}).get("meta", {}).get("owner")
            if kind == "metrics" and owner not in groups:
                yield f"{name}: {owner} is no group"


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Where what we read is not what dbt reads; dbt fills in what is left out, and has wrappers of its own."""
    if path == ".declared_in":
        return
    if isinstance(ours, str) and isinstance(
        theirs, dict
    ):  # a name in the place of an input, a text of a filter
        if "where_filters" in theirs:
            theirs = " and ".join(each["where_sql_template"] for each in theirs["where_filters"])
        elif {"count", "granularity"} <= theirs.keys():
            theirs, ours = (
                f"{theirs['count']} {theirs['granularity']}".rstrip("s"),
                ours.rstrip("s"),
            )
        else:
            theirs = theirs["name"]
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            yield from differences(value, theirs.get(key), f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(one, other, f"{path}[{place}]")
    elif ours != theirs:
        yield path.removeprefix(".")


def undescribed_columns(house: House) -> Iterator[str]:
    """Columns of the cube and of reference seeds without a description, and descriptions without a column."""
    for node in house.nodes("model", "seed"):
        described = {name for name, column in node["columns"].items() if column["description"]}
        path = node["original_file_path"]
        if path.startswith(PUBLISHED):
            actual = set(house.columns[node["name"]])
        elif path.startswith("seeds/reference/"):
            actual = set((ROOT / path).read_text().splitlines()[0].split(","))
        else:
            continue
        yield from (f"{node['name']}.{name}" for name in sorted(described ^ actual))


def untyped_macros(house: House) -> Iterator[str]:
    """Macros whose entry does not name and type the arguments that the macro has."""
    from dbt.parser.schemas import is_valid_type

    for macro in house.macros():
        name = macro["name"]
        if name.startswith("materialization_"):
            continue
        head = re.search(
            rf"{{%-?\s*(?:macro|test)\s+{name.removeprefix('test_')}\s*\((.*?)\)",
            macro["macro_sql"],
        )
        assert head, name
        signature = [part.split("=")[0].strip() for part in head[1].split(",") if part.strip()]
        if [argument["name"] for argument in macro["arguments"]] != signature:
            yield f"{name}({', '.join(signature)})"
        for argument in macro["arguments"]:
            if not (argument["description"] and is_valid_type(argument["type"] or "")):
                yield f"{name}: {argument['name']}"


# --- names and layers

# What is published, and so described column by column and on the page of the cube.
PUBLISHED = ("models/cube/", "models/kernels/", "models/audit/")
NAMES = (
    (r"models/operational/\w+\.sql", r"operational_\w+"),
    (r"models/landing/\w+\.sql", r"landing_\w+"),
    (r"models/landing/(?P<part>\w+)/\w+\.sql", r"land_\w+"),
    (r"models/staging/(?P<part>\w+)/\w+\.sql", r"stg_{part}__\w+"),
    (r"models/intermediate/(?P<part>\w+)/\w+\.sql", r"int_{part}__\w+"),
    (r"models/cube/dimensions/\w+\.sql", r"dim_\w+"),
    (r"models/cube/facts/\w+/\w+\.sql", r"fact_\w+"),
    (r"models/cube/rollups/\w+/\w+\.sql", r"cube_\w+"),
    (r"models/cube/quarantine/\w+\.sql", r"cube_\w+"),
    (r"models/kernels/(?P<part>\w+)/\w+\.sql", r"kernel_{part}"),
    (r"models/audit/\w+\.sql", r"audit_chain_\w+"),
    (r"snapshots/.+", r"snap_\w+"),
    (r"seeds/sample/\w+\.csv", r"sample_\w+"),
    (r"seeds/reference/\w+\.csv", r"(?!sample_)\w+"),
)


def misnamed(house: House) -> Iterator[str]:
    """Nodes whose name does not say layer, component and table, or that stand in no layer."""
    tables = {(s["source_name"], s["name"]) for s in house.manifest["sources"].values()}
    for node in house.nodes("model", "seed", "snapshot"):
        path, name = node["original_file_path"], node["name"]
        for place, rule in NAMES:
            found = re.fullmatch(place, path)
            if found:
                if not re.fullmatch(rule.format(**found.groupdict()), name):
                    yield f"{path}: {name}"
                break
        else:
            yield f"{path}: no layer"
        component, table = path.split("/")[-2], name.removeprefix("land_").removeprefix("sample_")
        of_a_table = path.startswith("models/landing/") and component != "landing"
        if of_a_table and (component, table) not in tables:
            yield f"{path}: no such operational table in this component"
        if path.startswith("seeds/sample/") and table not in {name for _, name in tables}:
            yield f"{path}: no such operational table"


def misplaced_yaml(house: House) -> Iterator[str]:
    """YAML that does not stand on top of its folder, or does not carry the folder's name."""
    for top in ("models", "macros", "seeds", "snapshots", "tests/generic", "tests/singular"):
        if list(house.root.glob(f"{top}/**/*.yaml")):
            yield f"{top}: .yaml"
        for path in house.root.glob(f"{top}/**/*.yml"):
            direct = path.parent == house.root / top and "/" not in top
            if not path.name.startswith("_" if direct else f"_{path.parent.name}__"):
                yield str(path.relative_to(house.root))


def wrong_layers(house: House) -> Iterator[str]:
    """Models that read past their layer: only landing reads what Grace writes, staging reads landing and seeds."""
    layers = {
        node["unique_id"]: node["original_file_path"].split("/")[1] if kind == "model" else kind
        for kind in ("model", "seed", "snapshot")
        for node in house.nodes(kind)
    }
    for node in house.nodes("model"):
        layer = layers[node["unique_id"]]
        for parent in node["depends_on"]["nodes"]:
            read = "source" if parent.startswith("source.") else layers[parent]
            if (read in ("source", "operational") and layer != "landing") or (
                layer == "staging" and read not in ("landing", "seed")
            ):
                yield f"{node['name']} reads {parent}"


def headless_models(house: House) -> Iterator[str]:
    """Models that do not end in their last step, `final`; landing and the sample are written by a macro."""
    for path, text in house.files("models/**/*.sql"):
        if path.split("/")[1] in ("landing", "operational"):
            continue
        _, separator, tail = without_comments(text).rpartition("\nselect * from final\n")
        if not separator or "select *" in tail:
            yield path


# --- what differs between databases


def engine_names(house: House) -> Iterator[str]:
    """SQL outside macros that knows on which database it runs."""
    for path, text in house.files("models/**/*.sql", "snapshots/**/*.sql", "tests/**/*.sql"):
        for found in re.findall(rf"target\.type|\b(?:{ENGINES})\b", without_comments(text)):
            yield f"{path}: {found}"


def unportable_sql(house: House) -> Iterator[str]:
    """Casts by `::`, columns by number, and windows over everything, which DuckDB 1.5.5 now and then fails on."""
    for path, text in house.files(
        "models/**/*.sql", "macros/**/*.sql", "snapshots/**/*.sql", "tests/**/*.sql"
    ):
        for found in re.findall(
            r"\w+\)?::\w+|(?:group|order) by \d|over ?\(\)", without_comments(text)
        ):
            yield f"{path}: {found}"


def dispatchers_without_default(house: House) -> Iterator[str]:
    """A dispatched macro has a default body, if only to say what a new database needs."""
    names = {macro["name"] for macro in house.manifest["macros"].values()}
    for path, text in house.files("macros/**/*.sql"):
        for name in re.findall(r"adapter\.dispatch\('(\w+)', 'grace'\)", text):
            if f"default__{name}" not in names:
                yield f"{path}: default__{name}"


# --- Python


def imports(text: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def mixed_python(house: House) -> Iterator[str]:
    """Databases behind the command line, Typer outside it, and modules whose name says nothing."""
    for path, text in house.files("grace_dbt/**/*.py"):
        tops = {name.split(".")[0] for name in imports(text)}
        if path.startswith("grace_dbt/cli/"):
            yield from (
                f"{path} imports {name}"
                for name in sorted(tops & {"dbt", "duckdb", "sqlite3", "subprocess"})
            )
        elif "typer" in tops:
            yield f"{path} imports typer"
        if Path(path).stem in ("utils", "helpers", "common", "misc"):
            yield f"{path}: a name that says nothing"


# --- versions, and what the pages promise


def unlocked(house: House) -> Iterator[str]:
    """Versions of pyproject.toml that the lock file does not have, and lines of it that are no exact version."""
    project = tomllib.loads((house.root / "pyproject.toml").read_text())
    wanted = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["dev"],
    ]
    lines = (house.root / "requirements.lock").read_text().splitlines()
    locked = {re.sub(r"[-_.]+", "-", line).lower() for line in lines}
    yield from (pin for pin in wanted if re.sub(r"[-_.]+", "-", pin).lower() not in locked)
    yield from (line for line in lines if not re.fullmatch(r"#.*|[\w.-]+==[\w.]+", line))


def empty_promises(house: House) -> Iterator[str]:
    """Commands and targets that a page or CI names and nobody has, and links that lead nowhere."""
    targets = set(re.findall(r"^([a-z-]+):", (house.root / "Makefile").read_text(), re.MULTILINE))
    group: Any = typer.main.get_command(app_of_the_house())
    for path, text in house.files("*.md", "docs/**/*.md", ".ci/run", ".github/workflows/*.yml"):
        rule = r"```.*?```|`[^`\n]+`" if path.endswith(".md") else r"(?m:^(?:\s*- run: )?make.*$)"
        code = "\n".join(re.findall(rule, text, re.DOTALL))
        for words in re.findall(r"\bmake((?: [a-z-]+)+)", code):
            yield from (f"{path}: make {word}" for word in words.split() if word not in targets)
        for command in re.findall(r"grace-dbt ([a-z]+)", code):
            if command not in group.commands:
                yield f"{path}: grace-dbt {command}"
        if path.endswith(".md"):
            for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
                if not (house.root / path).parent.joinpath(link).exists():
                    yield f"{path}: {link}"


def app_of_the_house() -> Any:
    from grace_dbt.cli.app import app

    return app


def stale_cube_page(house: House) -> Iterator[str]:
    """Tables and reasons of quarantine that docs/cube.md lacks, or that only the page has."""
    page = (house.root / "docs" / "cube.md").read_text()
    first_cells = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    [quarantine] = (n for n in house.nodes("model") if n["name"] == "cube_quarantine")
    reasons = set(quarantine["columns"]["reason"]["config"]["meta"]["accepted_values"])
    tables = {
        n["name"] for n in house.nodes("model") if n["original_file_path"].startswith(PUBLISHED)
    }
    columns = set(house.columns["fact_verification_executions"])
    yield from sorted((tables | reasons) - first_cells)
    yield from sorted(first_cells - tables - reasons - columns)


def targets_unknown_to_readme(house: House) -> Iterator[str]:
    """Targets that CI calls and the README does not show."""
    readme = (house.root / "README.md").read_text()
    shown = {
        word for words in re.findall(r"\bmake((?: [a-z-]+)+)", readme) for word in words.split()
    }
    for path, text in house.files(".ci/run", ".github/workflows/*.yml"):
        for words in re.findall(r"^(?:\s*- run: )?make((?: [a-z-]+)+)$", text, re.MULTILINE):
            yield from (f"{path}: make {word}" for word in words.split() if word not in shown)


Guard = Callable[[House], Iterator[str]]
Break = Callable[[House], object]


def node_of(house: House, name: str) -> dict[str, Any]:
    return next(n for n in house.manifest["nodes"].values() if n["name"] == name)


def macro_of(house: House, name: str) -> dict[str, Any]:
    found: dict[str, Any] = house.manifest["macros"][f"macro.grace.{name}"]
    return found


def edit(path: str, old: str, new: str) -> Break:
    """Replace a text in a file of the copy."""

    def change(house: House) -> None:
        text = (house.root / path).read_text()
        assert old in text
        (house.root / path).write_text(text.replace(old, new))

    return change


def add(path: str, text: str = "") -> Break:
    """Add a file to the copy."""

    def change(house: House) -> None:
        (house.root / path).parent.mkdir(parents=True, exist_ok=True)
        (house.root / path).write_text(text)

    return change


STAGING = "models/staging/verification/stg_verification__benchmark_runs.sql"
ERRORS = "models/semantic/_semantic__error.yml"
SOURCE = "source.grace.verification.benchmark_runs"

BREAKS: tuple[tuple[Guard, Break, str], ...] = (
    (undocumented, lambda h: node_of(h, "dim_tier").update(description=""), "dim_tier"),
    (
        undocumented,
        lambda h: node_of(h, "trust_scores_lie_in_0_to_1").update(description=" "),
        "trust_scores",
    ),
    (undocumented, lambda h: macro_of(h, "land").update(description=""), "macros/landing/land.sql"),
    (
        misread_metrics,
        edit(ERRORS, "numerator: auto_resolved_errors", "numerator: resolved_errors"),
        "auto_resolution_rate: dbt reads another type_params.numerator",
    ),
    (
        misread_metrics,
        edit(ERRORS, "window: 7 days", "window: 8 days"),
        "errors_7d: dbt reads another",
    ),
    (
        misread_metrics,
        edit(ERRORS, "expr: was_auto_resolved", "expr: was_resolved"),
        "errors: dbt reads another measures[2].expr",
    ),
    (misread_metrics, edit(ERRORS, "owner: resilience", "owner: nobody"), "nobody is no group"),
    (misread_metrics, lambda h: h.manifest["metrics"].popitem(), "only one of dbt and the package"),
    (
        undescribed_columns,
        lambda h: node_of(h, "dim_tier")["columns"].pop("tier_key"),
        "dim_tier.tier_key",
    ),
    (
        undescribed_columns,
        lambda h: h.columns["dim_actor"].remove("actor_name"),
        "dim_actor.actor_name",
    ),
    (untyped_macros, lambda h: macro_of(h, "land")["arguments"].pop(), "land(component, table)"),
    (
        untyped_macros,
        lambda h: macro_of(h, "land")["arguments"][0].update(type="thing"),
        "land: component",
    ),
    (misnamed, lambda h: node_of(h, "dim_tier").update(name="tier"), "dim_tier.sql: tier"),
    (
        misnamed,
        lambda h: node_of(h, "dim_tier").update(original_file_path="models/x/dim_tier.sql"),
        "no layer",
    ),
    (
        misnamed,
        lambda h: node_of(h, "land_benchmark_runs").update(name="land_runs"),
        "no such operational table",
    ),
    (
        misnamed,
        lambda h: node_of(h, "kernel_memory").update(name="kernel_learning"),
        "kernel_memory.sql: kernel_learning",
    ),
    (
        misplaced_yaml,
        add("models/staging/verification/models.yml"),
        "models/staging/verification/models.yml",
    ),
    (
        wrong_layers,
        lambda h: node_of(h, "dim_tier")["depends_on"]["nodes"].append(SOURCE),
        "dim_tier reads source",
    ),
    (
        wrong_layers,
        lambda h: node_of(h, "stg_reference__tiers")["depends_on"]["nodes"].append(
            "model.grace.dim_tier"
        ),
        "stg_reference__tiers reads model.grace.dim_tier",
    ),
    (headless_models, edit(STAGING, "select * from final", "select run_id from final"), STAGING),
    (engine_names, edit(STAGING, "from source", "from source {{ target.type }}"), "target.type"),
    (engine_names, edit(STAGING, "from source", "from sqlite_scan('x') as sqlite"), "sqlite"),
    (
        unportable_sql,
        edit(STAGING, "as created_at,\n", "as created_at::text,\n"),
        "created_at::text",
    ),
    (unportable_sql, edit(STAGING, "from source\n", "from source group by 1\n"), "group by 1"),
    (
        unportable_sql,
        edit(STAGING, "as created_at,\n", "as created_at, count(*) over () as n,\n"),
        "over ()",
    ),
    (
        dispatchers_without_default,
        lambda h: h.manifest["macros"].pop("macro.grace.default__is_json"),
        "default__is_json",
    ),
    (
        mixed_python,
        edit("grace_dbt/cli/status.py", "import typer", "import duckdb"),
        "cli/status.py imports duckdb",
    ),
    (
        mixed_python,
        edit("grace_dbt/status.py", "from typing import Any", "import typer"),
        "imports typer",
    ),
    (mixed_python, add("grace_dbt/utils.py"), "grace_dbt/utils.py"),
    (unlocked, edit("requirements.lock", "duckdb==", "duckdb>="), "duckdb>="),
    (unlocked, edit("pyproject.toml", '"typer==', '"typer==9'), "typer==9"),
    (empty_promises, add("docs/new.md", "Run `make tea`."), "make tea"),
    (empty_promises, add("docs/new.md", "Run `grace-dbt brew`."), "grace-dbt brew"),
    (empty_promises, add("docs/new.md", "See [there](nowhere.md)."), "nowhere.md"),
    (stale_cube_page, edit("docs/cube.md", "`missing_key`", "`no_key`"), "missing_key"),
    (stale_cube_page, edit("docs/cube.md", "| `dim_actor` |", "| `dim_robot` |"), "dim_robot"),
    (targets_unknown_to_readme, edit(".ci/run", "make lint", "make clean lint"), "make clean"),
)
GUARDS: tuple[Guard, ...] = tuple(dict.fromkeys(guard for guard, _, _ in BREAKS))


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.__name__)
def test_nothing_is_out_of_order(house: House, guard: Guard) -> None:
    assert list(guard(house)) == []


@pytest.mark.parametrize(
    ("guard", "break_it", "finding"), BREAKS, ids=[guard.__name__ for guard, _, _ in BREAKS]
)
def test_the_guard_fires(
    house: House, tmp_path: Path, guard: Guard, break_it: Break, finding: str
) -> None:
    before = list(guard(house))
    root = Path(shutil.copytree(ROOT, tmp_path / "copy", ignore=KEPT_OUT))
    broken = replace(
        house,
        root=root,
        manifest=copy.deepcopy(house.manifest),
        columns=copy.deepcopy(house.columns),
    )
    break_it(broken)
    found = [problem for problem in guard(broken) if problem not in before]
    assert any(finding in problem for problem in found), found
