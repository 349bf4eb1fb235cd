"""Sixty rows in twelve groups, scored before and after: right answers gather in groups, as they do in real sets."""

GROUPS = [(number * number // 5 + number // 7) % 12 for number in range(60)]
BEFORE = [float((number * 7 + GROUPS[number]) % 5 < 2 + GROUPS[number] % 3) for number in range(60)]
AFTER = [float((number * 3 + 2 * GROUPS[number]) % 7 < 3 + GROUPS[number] % 4) for number in range(60)]
