"""Draws the PNG icons in public/ from the same shape as public/icon.svg, with nothing but the
standard library: `python3 style/icons.py`. Run it again when the icon changes, and commit both."""

import math
import pathlib
import struct
import zlib

GROUND, BASE, LINE = (0x10, 0x16, 0x18), (0x6D, 0x7A, 0x80), (0x62, 0xB2, 0xEF)
PATH = [(96, 332), (188, 228), (256, 296), (416, 116)]
SAMPLES = 4


def distance(px, py, ax, ay, bx, by):
    """From a point to a stretch, in the units of the icon."""
    dx, dy = bx - ax, by - ay
    t = max(0.0, min(1.0, ((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy)))
    return math.hypot(px - ax - t * dx, py - ay - t * dy)


def colour(x, y, round_corners, shrink):
    """Colour and opacity at a place of the 512 x 512 icon."""
    if round_corners:
        cx, cy = min(max(x, 96), 416), min(max(y, 96), 416)
        if math.hypot(x - cx, y - cy) > 96:
            return (0, 0, 0, 0)
    u, v = 256 + (x - 256) / shrink, 256 + (y - 256) / shrink
    if any(distance(u, v, *a, *b) <= 20 for a, b in zip(PATH, PATH[1:])):
        return (*LINE, 255)
    if distance(u, v, 96, 404, 416, 404) <= 9:
        return (*BASE, 255)
    return (*GROUND, 255)


def draw(size, round_corners, shrink):
    rows = []
    for j in range(size):
        row = bytearray(b"\0")
        for i in range(size):
            parts = [
                colour(
                    (i + (a + 0.5) / SAMPLES) * 512 / size,
                    (j + (b + 0.5) / SAMPLES) * 512 / size,
                    round_corners,
                    shrink,
                )
                for a in range(SAMPLES)
                for b in range(SAMPLES)
            ]
            alpha = sum(p[3] for p in parts)
            for k in range(3):
                row.append(round(sum(p[k] * p[3] for p in parts) / alpha) if alpha else 0)
            row.append(round(alpha / len(parts)))
        rows.append(bytes(row))
    return png(size, b"".join(rows))


def png(size, raw):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", size, size, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(raw, 9))
        + chunk(b"IEND", b"")
    )


def main():
    public = pathlib.Path(__file__).resolve().parent.parent / "public"
    for name, size, round_corners, shrink in [
        ("icon-192.png", 192, True, 1.0),
        ("icon-512.png", 512, True, 1.0),
        # A maskable icon may be cut to a circle: everything that matters lies in its middle.
        ("icon-512-maskable.png", 512, False, 0.72),
    ]:
        (public / name).write_bytes(draw(size, round_corners, shrink))


main()
