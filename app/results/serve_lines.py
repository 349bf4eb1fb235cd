"""What starts a server elsewhere with what leaves here. Pure.

Each line says whether it was run: those that were are in tests/bench/RESULTS.md with the versions. What Ollama converts
itself is what its converter names (convert/convert.go of its repository).
"""

# Families of its converter that are trained here. Of ways to cut text it knows Llama 3's, Qwen's and DeepSeek's.
OLLAMA = ("Llama", "Mistral 3", "Mixtral", "Gemma 1 to 3", "Phi-3", "Qwen2", "Cohere", "OLMo 3", "LFM2")


def adapter(published: str, rank: int) -> list[str]:
    """For an adapter. published: a hub's name for its base, where that has these very weights; rank: for vLLM."""
    named = published or "BASE_FOLDER"
    return [
        "None of the lines below was run here. BASE_FOLDER holds the weights named above, and no others.",
        "",
        "vLLM:",
        "",
        "```",
        f"vllm serve {named} --enable-lora --max-lora-rank {rank} --lora-modules adapter=THIS_FOLDER",
        "```",
        "",
        "llama.cpp; the two scripts lie in its repository and need the Python packages gguf and torch. Both files have",
        "to come of the same BASE_FOLDER:",
        "",
        "```",
        "python convert_hf_to_gguf.py BASE_FOLDER --outtype bf16 --outfile base.gguf",
        "python convert_lora_to_gguf.py --base BASE_FOLDER --outfile adapter.gguf THIS_FOLDER",
        "llama-server -m base.gguf --lora adapter.gguf",
        "```",
        "",
        "Ollama: a Modelfile with `FROM BASE_FOLDER` and `ADAPTER THIS_FOLDER`. Its converter takes adapters for bases",
        "of Llama's architecture (Llama, Mistral, SmolLM2) and of Gemma 2; for others write `adapter.gguf` as above",
        "and name that in its place.",
        "",
        "For servers that take no adapters, Tunegate writes adapter and base model together (Merged model, on the page",
        "of this adapter): as safetensors and, for Llama's architecture, as GGUF.",
    ]


def merged_weights() -> list[str]:
    """For a merged model as safetensors."""
    return [
        "None of the lines below was run here.",
        "",
        "vLLM:",
        "",
        "```",
        "vllm serve THIS_FOLDER",
        "```",
        "",
        "llama.cpp; the script lies in its repository and needs the Python packages gguf and torch:",
        "",
        "```",
        "python convert_hf_to_gguf.py THIS_FOLDER --outtype bf16 --outfile model.gguf",
        "llama-server -m model.gguf --temp 0",
        "```",
        "",
        "Ollama: a Modelfile with `FROM THIS_FOLDER`. Its converter reads these families itself:",
        f"{', '.join(OLLAMA)}.",
        "Others need a GGUF, and so do models whose tokenizer cuts text in a way that it does not know (SmolLM2's is",
        "one): it takes its default then, and says so only in its log.",
    ]


def merged_gguf(name: str) -> list[str]:
    """For a merged model as GGUF; name: of the file."""
    return [
        "llama.cpp; run here with a file that was made like this one of the bundled model, by xllamacpp 2026.10.11549:",
        "",
        "```",
        f"llama-server -m {name} --temp 0",
        "```",
        "",
        "Smaller: llama.cpp's `llama-quantize` makes Q8_0 or Q4_K_M of it. Nothing was measured of those.",
        "",
        "Ollama, not run here: the `Modelfile` beside this file names it and the instructions.",
        "",
        "```",
        "ollama create my-model -f Modelfile",
        "```",
    ]


def modelfile(name: str, instructions: str) -> str:
    """What Ollama makes a model of; the chat template is in the GGUF."""
    quoted = instructions.replace('"""', '" " "')
    system = f'SYSTEM """{quoted}"""\n' if instructions.strip() else ""
    return f"FROM ./{name}\nPARAMETER temperature 0\n{system}"


def thinking() -> list[str]:
    """How an adapter is asked that was trained to reason before it answers."""
    return [
        "It was trained to reason before it answers. Ask it with thinking on, as it was measured: `enable_thinking`",
        "true where the chat template has it. What stands up to `</think>` was not scored and is not the answer.",
        "",
    ]
