"""What each view and each of its panes shows, in plain words: what help says before it lists the keys."""

from __future__ import annotations

VIEWS: dict[str, str] = {
    "train": "Train watches one run: how its loss falls, what it writes now beside what it wrote untrained, and what "
    "happened. It may be a run of this program, of another process, or an old one.",
    "setup": "Setup is the form of the next run. Each field says what it is, why one would change it and what is safe. "
    "Beside a run, a live field changes that run at once; the others wait for the next one.",
    "samples": "Samples lays what the untrained model wrote beside what it wrote at any evaluation, from the same "
    "prompt and the same seed, so that only the training differs.",
    "generate": "Generate lets any checkpoint, or the model as it is now, go on from your prompt, token by token.",
    "lens": "The lenses look into a model while it reads one text. What they show is computed beside the screen, with "
    "a copy of its weights.",
    "runs": "Runs is the shelf: every run that was kept, with its checkpoints. One is resumed, forked, named, compared "
    "or deleted here.",
}

PANES: dict[tuple[str, str], str] = {
    ("train", "ready"): "What space would start. Nothing runs yet.",
    ("train", "loss"): "The loss, in nats a token: how badly the next token was foreseen; e to the loss is how many "
    "tokens the model still hesitates between. Faint is each step's batch, the line its moving average, ◆ the "
    "validation text, which is never learned from. The named lines are what counting tokens, pairs, triples … of the "
    "text alone would reach. A fork's line begins with its parent's.",
    ("train", "untrained"): "What the model wrote before its first step: every token about as likely as any other. A "
    "fork has its parent's, or where that is gone its own first.",
    ("train", "trained"): "What the model wrote at its newest evaluation, from the same prompt and seed as untrained.",
    ("train", "configuration"): "What is being trained, on what, and how.",
    ("train", "curves"): "What goes along with the loss: the learning rate, the speed, and the length of the gradient, "
    "whose leaps come before trouble.",
    ("train", "checkpoints"): "What is kept on the disk; any of it can be resumed, forked, or made to speak.",
    ("train", "log"): "What happened, in words, with the seconds of work until then.",
    ("setup", "form"): "One row a field: its name, its value, and whether it is live or needs a new run. The value "
    "that differs from the preset says what it was.",
    ("setup", "help"): "The field under the cursor: what it is, why one would change it, what is safe to start with.",
    ("setup", "cost"): "What this configuration takes: parameters, memory, floating-point operations, time here.",
    ("setup", "shapes"): "Every tensor on its way through the model, with its shape (B, T, C) and its weights.",
    ("setup", "architecture"): "The model as a drawing; what the field under the cursor changes stands out.",
    ("setup", "changes"): "What the form has otherwise than its preset, and the command that does the same.",
    ("samples", "untrained"): "The model before its first step; a fork has its parent's. With c: a text of the "
    "validation split, each character coloured by how much it surprised the model, in bits.",
    ("samples", "trained"): "The model at the evaluation under the cursor of time.",
    ("samples", "time"): "Every evaluation of the run, as high as its validation loss; the cursor is what is shown "
    "above, and the chart's crosshair in Train goes along.",
    ("generate", "text"): "The prompt and what the model goes on with. The cursor stands on one token; what else was "
    "likely there is shown beside, and enter leads there. What is underlined was put there, or left for a branch.",
    ("generate", "second text"): "The other checkpoint's answer to the same prompt, under the same seed.",
    ("generate", "sampler"): "How a token is drawn from what the model believes: temperature first, then the filters.",
    ("generate", "at the cursor"): "The likeliest tokens at the cursor: as the model believes, and as each filter of "
    "the sampler leaves them, until what was drawn from. enter puts one of them there: a branch.",
    ("generate", "at the second cursor"): "The same for the second text.",
    ("lens", "surprise"): "Each character in the colour of what it cost the model: −log₂ of the probability that it "
    "had given it, in bits. With d: what it costs less than it cost another checkpoint.",
    ("lens", "heads"): "The attention of one layer. A row is a character that asks, a column one that it looks at; "
    "▸ is the character under the cursor. One head is drawn in full, all of them small.",
    ("lens", "looks at"): "What the character under the cursor looks at, to guess the next one: the share that it "
    "takes of each, under the mean of a layer's heads or under one of them.",
    ("runs", "runs"): "Every run, the newest first, with its state, its losses and the curve of its validation loss.",
    ("runs", "checkpoints"): "What the run under the cursor has kept. Resuming and forking begin at the chosen one.",
    (
        "runs",
        "run",
    ): "What the run under the cursor is: configuration, note, where it came from and where it lies.",
    ("runs", "losses"): "The marked runs on one chart; each has a digit on its line, and u counts x in what is fair.",
    ("runs", "what differs"): "Only the settings in which the marked runs differ, and what came of each.",
    ("runs", "samples"): "What the marked runs wrote, at their newest evaluation or at the crosshair.",
}


def about(view: str, pane: str) -> list[str]:
    """A paragraph about the pane that has the focus, where there is one, and one about its view."""
    return [text for text in (PANES.get((view, pane), ""), VIEWS[view]) if text]
