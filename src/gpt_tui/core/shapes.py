"""What a configuration is and costs, by arithmetic alone: parameters, multiply-adds, memory. Nothing is allocated."""

from __future__ import annotations

from gpt_tui.core.config import ModelConfig, RunConfig


def feed_forward_width(model: ModelConfig) -> int:
    return max(1, round(model.ffn_mult * model.n_embd))


def expanded_width(model: ModelConfig) -> int:
    """Numbers that the first matrix of the feed-forward part makes: twice the width where half of them are gates."""
    return feed_forward_width(model) * (2 if model.activation == "swiglu" else 1)


def matrix_parameters(model: ModelConfig, vocab_size: int) -> int:
    """Parameters that every token is multiplied with: the blocks' matrices and the head's."""
    return model.n_layer * block_matrices(model) + model.n_embd * vocab_size


def block_matrices(model: ModelConfig) -> int:
    C, hidden = model.n_embd, feed_forward_width(model)
    return 4 * C * C + C * expanded_width(model) + hidden * C


def parameters(model: ModelConfig, vocab_size: int) -> int:
    """Parameters of the model, a tied table counted once."""
    C, up = model.n_embd, expanded_width(model)
    norm = 0
    if model.norm != "none" and model.norm_weight:
        norm = 2 * C if model.norm == "layernorm" and model.bias else C
    biases = (3 * C if model.qkv_bias else 0) + (C + up + C if model.bias else 0)
    total = model.n_layer * (block_matrices(model) + biases + 2 * norm) + norm
    total += vocab_size * C + (0 if model.tied_head else vocab_size * C) + (vocab_size if model.head_bias else 0)
    total += model.block_size * C if model.position == "learned" else 0
    return total + (C if model.mix_previous else 0)


def flops_per_token(model: ModelConfig, vocab_size: int) -> float:
    """Floating-point operations to learn from one token: forward, and backward at twice that.

    The usual count (PaLM, appendix B): 6 a parameter of a matrix, and 12 a layer, number and token of context for
    attention, which is counted in full although the causal mask halves it.
    """
    attention = 12 * model.n_layer * model.n_embd * model.block_size
    return 6.0 * matrix_parameters(model, vocab_size) + attention


def step_flops(config: RunConfig, vocab_size: int) -> float:
    """Floating-point operations of one optimizer step."""
    return flops_per_token(config.model, vocab_size) * config.tokens_per_step


def training_memory(config: RunConfig, vocab_size: int) -> int:
    """Bytes while training, estimated: weights, gradients, Adam's two averages, and what backward has to remember."""
    model, tokens = config.model, config.training.batch_size * config.model.block_size
    weights = 16 * parameters(model, vocab_size)
    per_block = 10 * model.n_embd + 2 * feed_forward_width(model)
    return int(weights + 4 * tokens * (model.n_layer * per_block + 3 * vocab_size))
