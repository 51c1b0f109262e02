"""A flame graph as SVG: each box is a function, as wide as its share of the cost, upon the one that called it. A box says
its name and share when the pointer rests on it."""

import html
from collections import Counter

WIDTH, ROW_HEIGHT, MARGIN, TITLE_HEIGHT = 1400, 17, 10, 40
LETTER_WIDTH = 6.6
NARROWEST = 0.4  # pixels


class Box:
    """A function in the place where it was called from, with the cost of all that it called."""

    def __init__(self):
        self.cost = 0
        self.callees: dict[str, Box] = {}


def tree_of(stacks: Counter) -> Box:
    """`stacks`: tuples of names, the outermost first."""
    root = Box()
    for names, cost in stacks.items():
        box = root
        box.cost += cost
        for name in names:
            box = box.callees.setdefault(name, Box())
            box.cost += cost
    return root


def depth_of(box: Box) -> int:
    return 1 + max((depth_of(callee) for callee in box.callees.values()), default=0)


def colour(name: str) -> str:
    """Warm for our own code, blue for the kernel's, which perf marks so."""
    shade = sum(name.encode()) % 50
    if name.endswith("[k]"):
        return f"rgb({80 + shade},{130 + shade},{205 + shade})"
    return f"rgb({205 + shade},{100 + 2 * shade},60)"


def draw(box: Box, name: str, left: float, level: int, total: int, height: int, lines: list[str]) -> None:
    width = (WIDTH - 2 * MARGIN) * box.cost / total
    if width < NARROWEST:
        return
    top = height - MARGIN - (level + 1) * ROW_HEIGHT
    letters = int(width / LETTER_WIDTH) - 1
    shown = name if len(name) <= letters else name[:letters - 1] + "…" if letters > 3 else ""
    lines.append(f'<g><title>{html.escape(name)}: {100 * box.cost / total:.2f} %</title><rect x="{left:.1f}" y="{top}" '
                 f'width="{width:.1f}" height="{ROW_HEIGHT - 1}" fill="{colour(name)}"/><text x="{left + 3:.1f}" '
                 f'y="{top + 12}">{html.escape(shown)}</text></g>')
    for callee, inner in sorted(box.callees.items()):
        draw(inner, callee, left, level + 1, total, height, lines)
        left += (WIDTH - 2 * MARGIN) * inner.cost / total


def svg(stacks: Counter, title: str) -> str:
    root = tree_of(stacks)
    height = TITLE_HEIGHT + 2 * MARGIN + depth_of(root) * ROW_HEIGHT
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="monospace" font-size="11">',
             f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
             f'<text x="{MARGIN}" y="22" font-size="15">{html.escape(title)}</text>']
    draw(root, "all", MARGIN, 0, max(root.cost, 1), height, lines)
    return "\n".join([*lines, "</svg>"]) + "\n"
