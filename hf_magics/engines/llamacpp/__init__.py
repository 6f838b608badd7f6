"""llama.cpp in the place of torch: a GGUF file is run as it is, its weights as small as in it."""
