"""Made-up examples: no two alike, and always the same ones."""

import json
from hashlib import sha256


def pairs(number: int, start: int = 0) -> bytes:
    kinds = ["river", "stone", "cloud", "engine", "paper", "violin", "market", "garden", "window", "castle"]
    lines = [
        {
            "prompt": f"Describe the {kinds[n % 10]} {sha256(str(n).encode()).hexdigest()[:24]}",
            "completion": f"It is {n}.",
        }
        for n in range(start, start + number)
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)
