"""The elements of the report's page; what is no markup is escaped when it becomes part of one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from grace_dbt.visible_text import shown

if TYPE_CHECKING:
    pass

_SHORT = 20  # characters of a value that stays on one line where there is room

STYLE = """
:root { color-scheme: light dark; --page: #ffffff; --text: #1b1f24; --soft: #515a64; --line: #c9d0d7; --panel: #f4f6f8;
  --good: #0a5c28; --good-panel: #e6f5eb; --bad: #9b0d22; --bad-panel: #fdecee; --unsure: #6b4200;
  --unsure-panel: #fff3dc; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --text: #e6e9ec; --soft: #aab3bc; --line: #3b434b;
  --panel: #1d2226; --good: #7ee2a0; --good-panel: #12301d; --bad: #ff9da8; --bad-panel: #3b1519; --unsure: #f2c879;
  --unsure-panel: #35280d; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .25rem; }
p, ul { margin: .5rem 0; max-width: 46rem; }
ul { padding-left: 1.25rem; }
li { margin: .2rem 0; }
code, pre, .value { font-family: ui-monospace, monospace; font-size: .875em; overflow-wrap: anywhere; }
pre { margin: .5rem 0; padding: .75rem; white-space: pre-wrap; background: var(--panel); border: 1px solid var(--line);
  border-radius: 4px; }
pre output { color: var(--soft); }
.banner { padding: .9rem 1rem; border: 1px solid; border-left-width: 6px; border-radius: 4px; }
.banner p { margin: .25rem 0 0; color: var(--text); }
.banner strong { font-size: 1.15rem; }
.good { color: var(--good); } .bad { color: var(--bad); } .unsure { color: var(--unsure); }
.banner.good { background: var(--good-panel); } .banner.bad { background: var(--bad-panel); }
.banner.unsure { background: var(--unsure-panel); }
.mark { font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin: .75rem 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; max-width: 100%; margin: .75rem 0 1.25rem; }
caption { text-align: left; color: var(--soft); padding-bottom: .25rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem 1.25rem .4rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; white-space: nowrap; }
td .mark, td .short { white-space: nowrap; }
th.number, td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
@media screen and (max-width: 60rem) {
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
  table, tbody, tr, td, caption { display: block; width: 100%; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { padding: .5rem 0; border-bottom: 1px solid var(--line); }
  td, td.number { display: grid; grid-template-columns: 7.5rem 1fr; gap: .5rem; border: 0; padding: .1rem 0;
    text-align: left; white-space: normal; }
  td > * { min-width: 0; }
  td .mark, td .short { white-space: normal; }
  td::before { content: attr(data-label); color: var(--soft); }
}
@media print {
  :root { color-scheme: light; --page: #ffffff; --text: #000000; --soft: #444444; --line: #999999; --panel: #ffffff;
    --good: #0a5c28; --good-panel: #ffffff; --bad: #9b0d22; --bad-panel: #ffffff; --unsure: #6b4200;
    --unsure-panel: #ffffff; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  h2, h3, caption { break-after: avoid; }
  tr, pre, .banner { break-inside: avoid; }
  td .mark, td .short { white-space: normal; }
}
"""


class Html(str):
    """Text that is markup already; any other text is escaped."""

    __slots__ = ()


def element(name: str, *children: str, **attributes: str) -> Html:
    """An element; children are escaped unless they are markup."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    inner = "".join(child if isinstance(child, Html) else escape(child) for child in children)
    return Html(f"<{name}{given}>{inner}</{name}>")


def quoted_value(value: object) -> Html:
    """Something of foreign origin; a dash where there is nothing."""
    text = "\u2013" if value is None else shown(value)
    return element("span", text, class_="value" if len(text) > _SHORT else "value short")


def number_cell(value: int | None) -> str:
    """A number with its thousands apart; a dash for none."""
    return "\u2013" if value is None else f"{value:,}"


def marked(meaning: tuple[str, str, str]) -> Html:
    """A judgement in words, with a sign and a colour that say the same."""
    style, sign, words = meaning
    return element(
        "span", element("span", sign, aria_hidden="true"), f" {words}", class_=f"mark {style}"
    )


def table_of(
    caption: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Sequence[str] = (),
) -> Html:
    """A table; the roles keep it one for a screen reader where a narrow screen shows it as a list."""

    def style(heading: str) -> str:
        return "number" if heading in numbers else "text"

    head = element(
        "tr",
        *(
            element("th", heading, scope="col", role="columnheader", class_=style(heading))
            for heading in headings
        ),
        role="row",
    )
    lines = (
        element(
            "tr",
            *(
                element(
                    "td", element("span", cell), role="cell", class_=style(name), data_label=name
                )
                for name, cell in zip(headings, row, strict=True)
            ),
            role="row",
        )
        for row in rows
    )
    return element(
        "table",
        element("caption", caption),
        element("thead", head, role="rowgroup"),
        element("tbody", *lines, role="rowgroup"),
        role="table",
    )


def bullets(items: Iterable[Html | str]) -> Html:
    """An unordered list."""
    return element("ul", *(element("li", item) for item in items))


def joined(*parts: str) -> Html:
    """Text and markup in one line."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))
