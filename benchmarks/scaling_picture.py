"""The picture of how the cost of a kernel grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["draw"]

_PANELS = {
    "start": ("the next kernel's first result, ms", 1000.0),
    "memory": ("memory of each kernel, MB", 1.0),
    "round trip": ("round trip of a cell, ms", 1000.0),
}
_COLOURS = ("#8c8c8c", "#1f77b4", "#d95f02")  # also told apart without colours, by their markers
_MARKERS = ("s", "o", "^")


def draw(numbers: dict[str, dict[str, list[float]]], picture: Path) -> None:
    """Draws three panels, a line for each way to make kernels, on a white ground that suits a dark page too.

    Args:
        numbers: For each way the numbers of ``benchmarks.scaling``.
        picture: The file; its suffix says in which format.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams.update(
        {"svg.hashsalt": "scaling", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    )
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panels = figure.subplots(1, len(_PANELS))
    for panel, (name, (title, scale)) in zip(panels, _PANELS.items(), strict=True):
        for (way, values), colour, marker in zip(numbers.items(), _COLOURS, _MARKERS, strict=True):
            scaled = [scale * value for value in values[name]]
            panel.plot(values["alive"], scaled, color=colour, marker=marker, label=way)
        panel.set(title=title, xlabel="kernels alive", xscale="log", yscale="log" if name == "start" else "linear")
        panel.set_xticks(values["alive"], [f"{count:g}" for count in values["alive"]], minor=False)
        panel.minorticks_off()
        if name != "start":
            panel.set_ylim(bottom=0)
        panel.grid(alpha=0.3)
    panels[0].yaxis.set_major_formatter("{x:g}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(numbers), frameon=False)
    figure.savefig(picture, metadata={"Date": None} if picture.suffix == ".svg" else None)
