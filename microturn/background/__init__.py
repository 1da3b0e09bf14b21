"""The background model: thinks and acts behind a conversation that never stops. Start at ``coordinator``."""
