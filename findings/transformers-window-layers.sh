#!/usr/bin/env bash
# One would guess that use_sliding_window, sliding_window and max_window_layers mean in Qwen2-MoE and Qwen3-MoE what they mean in Qwen2 and Qwen3.
# In Qwen2 and Qwen3 the layers from max_window_layers on have the window. In Qwen2-MoE it is every second layer before that number, so that the same
# settings give the opposite layers, and 0, the window everywhere in Qwen2, gives it nowhere. Qwen3-MoE reads no max_window_layers at all.
set -euo pipefail
