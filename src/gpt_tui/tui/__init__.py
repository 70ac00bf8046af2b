"""The playground: a Textual program that reads the engine."""
