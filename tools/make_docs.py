"""Write what the guide has from the program itself and from measured runs: whole pages, and tables within pages.

    python tools/make_docs.py            write them
    python tools/make_docs.py --check    say which are not as they would be written; exit status 1 if any

A test runs the check, so the guide, the program and `benchmarks/results` agree.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from itertools import groupby

from lecture_page import lecture_page
from measured import LADDER, ROOT, Results, ladder_table, runs_table, short_table

from gpt_tui.core.config import FIELDS, SECTIONS
from gpt_tui.core.presets import PRESETS
from gpt_tui.core.shapes import parameters
from gpt_tui.tui.keys import ACTIONS

PLACES = {
    "app": "Everywhere",
    "chart": "In a view with a chart",
    "plot": "In the chart",
    "train": "Train",
    "setup": "Setup",
    "field": "Setup, while a field is edited",
    "filter": "While filtering",
    "dataset": "Setup, in the explanation of a dataset",
    "samples": "Samples",
    "generate": "Generate",
    "text": "Generate, in the text",
    "alternatives": "Generate, among the alternatives",
    "prompt": "Generate, in the prompt's field",
    "sampler": "Generate, in the sampler's rows",
    "lens": "Looking inside",
    "runs": "Runs",
    "rows": "In a list",
    "compare": "Runs, comparing",
    "pane": "In a pane of text",
}
KEYS_INTRO = """# Every key

`?` shows the keys of what has the focus, `:` finds an action by its name. (Made by `tools/make_docs.py`.)

## Choosing your own

Your configuration file may say which keys do what; `gpt-tui doctor` tells where that file is, and what is wrong in it.
Each heading below names a table, and each row the action in it:

```toml
[keys.app]
start = ["F5", "space"]     # the first is the one that is shown
theme = "ctrl+t"
density = []                # no key; the palette has it still

[keys.setup]
undo = "U"
```

A key is a character (`"g"`, `"G"`, `"?"`), a name (`"space"`, `"tab"`, `"F5"`, `"pgup"`, `"left"`) or either of them
with `ctrl+`, `alt+` or `shift+` before it. `G` is shift and g. What a terminal cannot tell apart is one key:
`ctrl+i` is `tab`, `ctrl+m` is `enter`. In a text field letters are text, whatever they do elsewhere.

A choice does not hold, and the program says so, where two actions would have the same key in one view; where `esc`,
`enter` or a view's number would no longer do what it does; and where the palette, the help, `esc` or quitting would be
left without a key. The default stays then. Headless runs pass `[keys]` over, and a file for `--config` may not have it.
"""
PRESET_TABLES = {
    "Size": ("n_layer", "n_head", "n_embd", "block_size", "ffn_mult"),
    "Parts": ("attention", "feed_forward", "residual", "norm", "position", "output_projection", "head"),
    "Within the parts": ("activation", "norm_weight", "bias", "qkv_bias", "head_bias", "tied_head"),
    "Newer parts, and the start": ("qk_norm", "mix_previous", "zero_init", "init", "dropout", "embd_dropout"),
    "Optimizer": ("optimizer", "muon_lr", "learning_rate", "min_lr", "warmup_iters", "lr_schedule", "lr_decay_iters"),
    "Optimizer, the rest": ("weight_decay", "beta1", "beta2", "grad_clip"),
    "Training": ("batch_size", "gradient_accumulation_steps", "max_iters", "eval_interval", "eval_iters"),
}


# Pages -----------------------------------------------------------------------------------------------------------


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
        group = ""
        for spec in (FIELDS[name] for name in model.model_fields):
            if spec.group != group:
                group = spec.group
                lines += ["", f"### {group}"]
            live = "live" if spec.live else "new run"
            unit = f" {spec.unit}" if spec.unit else ""
            lines += ["", f"**`{spec.name}`** · default `{spec.show(spec.default) or '(empty)'}`{unit} · {live}  "]
            lines += [f"{spec.help} {spec.why}".rstrip() + "  ", f"Takes {spec.allowed}. Safe start: {spec.start}."]
    return "\n".join([*lines, *presets_part()]) + "\n"


def presets_part() -> list[str]:
    """The presets, then what each sets, in tables that are narrow enough to be read; equal rows are one."""
    named = {name for preset in PRESETS.values() for name in preset.values}
    shown = {name for names in PRESET_TABLES.values() for name in names}
    alike = {name for name in named if len({str(preset.values[name]) for preset in PRESETS.values()}) == 1}
    if wrong := (shown - named) | (named - alike - shown):
        raise ValueError(f"PRESET_TABLES and the presets differ in {sorted(wrong)}")
    lines = ["", "## Presets", "", "`gpt-tui presets` lists them, `gpt-tui shapes --preset NAME` walks one.", ""]
    lines += ["| preset | parameters | what it is | from |", "|---|---|---|---|"]
    for preset in PRESETS.values():
        count = parameters(preset.config().model, preset.vocab_size)
        lines.append(f"| `{preset.name}` | {count:,} | {preset.summary} | {preset.source} |")
    lines += ["", "Parameters are for the vocabulary of Tiny Shakespeare, 65; for GPT-2's sizes for theirs, 50,257."]
    for title, names in PRESET_TABLES.items():
        lines += ["", f"### {title}", ""]
        lines += ["| preset | " + " | ".join(f"`{name}`" for name in names) + " |", "|---|" + "---|" * len(names)]
        rows: dict[tuple[str, ...], list[str]] = {}
        for preset in PRESETS.values():
            rows.setdefault(tuple(FIELDS[name].show(preset.values[name]) for name in names), []).append(preset.name)
        lines += [f"| {', '.join(presets)} | " + " | ".join(values) + " |" for values, presets in rows.items()]
    return lines


def keys_page() -> str:
    lines = [KEYS_INTRO.rstrip()]
    for place, actions in groupby(sorted(ACTIONS, key=lambda a: list(PLACES).index(a.where)), key=lambda a: a.where):
        lines += ["", f"## {PLACES[place]} · `[keys.{place}]`", "", "| key | does | name |", "|---|---|---|"]
        for action in actions:
            keys = " ".join(f"`{key}`" for key in action.shown.split(" "))
            name = action.name.partition(".")[2]
            lines.append(f"| {keys} | {action.help.replace('|', chr(92) + '|')} | `{name}` |")
    return "\n".join(lines) + "\n"


# Tables within pages ---------------------------------------------------------------------------------------------

PARTS: dict[str, dict[str, Callable[[Results], str]]] = {
    "docs/figures.md": {
        "ladder": ladder_table,
        "runs": lambda results: runs_table(results, ["quick", "nanogpt-cpu", "lecture-colab"]),
    },
    "README.md": {"reached": lambda results: short_table(results, ["quick", *LADDER, "nanogpt-cpu"])},
}


def put_parts(page: str, parts: dict[str, Callable[[Results], str]], results: Results) -> str:
    """The page with the tables between its markers as they are now. Raises ValueError where a marker is missing."""
    for name, make in parts.items():
        begin, end = f"<!-- made by tools/make_docs.py: {name} -->\n", f"\n<!-- end of {name} -->"
        pattern = re.compile(f"(?<={re.escape(begin)}).*(?={re.escape(end)})", re.DOTALL)
        page, count = pattern.subn("\n" + make(results).replace("\\", r"\\") + "\n", page)
        if count != 1:
            raise ValueError(f"{count} places for {name}, between {begin.strip()} and {end.strip()}")
    return page


def made() -> dict[str, str]:
    """What each file would hold, by its path from the root."""
    results = Results.read()
    pages = {"docs/fields.md": fields_page(), "docs/keys.md": keys_page(), "docs/lecture.md": lecture_page(results)}
    for path, parts in PARTS.items():
        pages[path] = put_parts((ROOT / path).read_text(encoding="utf-8"), parts, results)
    return pages


def main() -> None:
    pages = made()
    if "--check" not in sys.argv[1:]:
        for path, text in pages.items():
            (ROOT / path).write_text(text, encoding="utf-8", newline="\n")
        return
    old = [p for p, text in pages.items() if not (ROOT / p).exists() or (ROOT / p).read_text("utf-8") != text]
    if old:
        sys.exit(f"not current: {', '.join(old)}; run: python tools/make_docs.py")


if __name__ == "__main__":
    main()
