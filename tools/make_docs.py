"""Write the pages of the guide that are tables of the program's own: docs/fields.md and docs/keys.md.

    python tools/make_docs.py

A test compares them with what this would write, so the guide and the program agree.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from gpt_tui.core.config import FIELDS, SECTIONS
from gpt_tui.core.presets import PRESETS
from gpt_tui.tui.keys import ACTIONS

DOCS = Path(__file__).resolve().parent.parent / "docs"
PLACES = {
    "app": "Everywhere",
    "train": "Train",
    "train.chart": "Train, in the chart",
    "pane": "In a pane of text",
    "setup": "Setup",
    "field": "Setup, while a field is edited",
    "filter": "Setup, while filtering",
    "dataset": "Setup, in the explanation of a dataset",
}


def fields_page() -> str:
    lines = [
        "# Every field",
        "",
        "The configuration of a run, section by section. `--n-layer 6` on the command line, `GPT_TUI_N_LAYER=6`",
        "in the environment and `n_layer = 6` under `[model]` in a TOML file all set the same field. A *live* field",
        "may change between two steps of a run; the others need a new run. (Made by `tools/make_docs.py`.)",
    ]
    for section, model in SECTIONS.items():
        lines += ["", f"## {section}", "", (model.__doc__ or "").strip()]
        for spec in (FIELDS[name] for name in model.model_fields):
            live = "live" if spec.live else "new run"
            unit = f" {spec.unit}" if spec.unit else ""
            lines += ["", f"**`{spec.name}`** · default `{spec.show(spec.default) or '(empty)'}`{unit} · {live}  "]
            lines += [f"{spec.help} {spec.why}".rstrip() + "  ", f"Takes {spec.allowed}. Safe start: {spec.start}."]
    lines += ["", "## Presets", ""]
    names = [name for name in FIELDS if any(name in preset.values for preset in PRESETS.values())]
    lines += ["| field | " + " | ".join(PRESETS) + " |", "|---|" + "---|" * len(PRESETS)]
    for name in names:
        cells = [FIELDS[name].show(p.values[name]) if name in p.values else "" for p in PRESETS.values()]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def keys_page() -> str:
    lines = [
        "# Every key",
        "",
        "`?` shows the keys of what has the focus, `:` finds an action by its name. (Made by `tools/make_docs.py`.)",
    ]
    for place, actions in groupby(sorted(ACTIONS, key=lambda a: list(PLACES).index(a.where)), key=lambda a: a.where):
        lines += ["", f"## {PLACES[place]}", "", "| key | does |", "|---|---|"]
        for action in actions:
            keys = " ".join(f"`{key}`" for key in action.shown.split(" "))
            lines.append(f"| {keys} | {action.help.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


PAGES = {"fields.md": fields_page, "keys.md": keys_page}


def main() -> None:
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
