"""The model that comes with the app: which file it is made from, and what it is called in public."""

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
REVISION = f"gguf-q4_1-{GGUF_SHA256[:12]}"  # not a revision of a hub: these weights were expanded from 4 bits
CONTEXT = 8192
