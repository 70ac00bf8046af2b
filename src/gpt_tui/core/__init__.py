"""The engine: configuration, data, model, training, sampling, runs. Knows no screen."""
