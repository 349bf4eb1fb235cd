"""Numbers that several parts of the data check decide by, each said once with its reason."""

RARE_LABEL = 20  # rows of a label below which it is named as not covered (decision-rules G1), and may be a slip
LABEL_REPEATS = 4  # rows for each different short answer, from which on answers count as labels
LABEL_LENGTH = 60  # characters of an answer that a label may have
SHORT_ANSWER = 240  # characters, up to which one word turns an answer round
