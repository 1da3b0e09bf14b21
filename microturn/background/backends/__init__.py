"""Who does the thinking: the tools alone, a language model behind an OpenAI-compatible endpoint, or a local one."""
