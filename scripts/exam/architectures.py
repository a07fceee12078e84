"""Architectures of transformers at toy size, with random weights: what is exported, what it is fed, and how many attention sites it holds.

A row: model class, configuration class, sites, what the configuration and the model are called with, what it is fed, and whether it has a cache.
"""
from dataclasses import dataclass, field, replace

WIDTH, LAYERS, HEADS, SHARED, VOCABULARY, POSITIONS = 48, 2, 4, 2, 120, 512
IMAGE, PATCH = 48, 12


@dataclass(frozen=True)
class Row:
    model: str
    config: str
    sites: int
    more: dict = field(default_factory=dict)
    build: dict = field(default_factory=dict)
    inputs: dict = field(default_factory=dict)
    decodes: bool = False


BASE = dict(vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=2 * WIDTH, max_position_embeddings=POSITIONS)
SPECIAL = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2)
LATE = dict(BASE, **SPECIAL, num_key_value_heads=SHARED)
PAIRS = dict(vocab_size=VOCABULARY, d_model=WIDTH, encoder_layers=LAYERS, decoder_layers=LAYERS, encoder_attention_heads=HEADS, decoder_attention_heads=HEADS,
             encoder_ffn_dim=2 * WIDTH, decoder_ffn_dim=2 * WIDTH, max_position_embeddings=POSITIONS, decoder_start_token_id=2, forced_eos_token_id=None, **SPECIAL)
SIGHT = dict(hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=2 * WIDTH, image_size=IMAGE, patch_size=PATCH)
NO_POOLING = dict(add_pooling_layer=False)

# Windows are longer than a few tokens, as those of published models are.
WINDOW = 64

FAMILIES = {
    'encoder': {
        'bert': Row('BertModel', 'BertConfig', LAYERS, BASE, NO_POOLING),
        'roberta': Row('RobertaModel', 'RobertaConfig', LAYERS, dict(BASE, pad_token_id=1), NO_POOLING),
        'xlm-roberta': Row('XLMRobertaModel', 'XLMRobertaConfig', LAYERS, dict(BASE, pad_token_id=1), NO_POOLING),
        'electra': Row('ElectraModel', 'ElectraConfig', LAYERS, dict(BASE, embedding_size=WIDTH)),
        'albert': Row('AlbertModel', 'AlbertConfig', LAYERS, dict(BASE, embedding_size=32), NO_POOLING),
        'camembert': Row('CamembertModel', 'CamembertConfig', LAYERS, dict(BASE, pad_token_id=1), NO_POOLING),
        'mpnet': Row('MPNetModel', 'MPNetConfig', LAYERS, BASE, NO_POOLING),
        'modernbert': Row('ModernBertModel', 'ModernBertConfig', LAYERS, dict(BASE, **SPECIAL, cls_token_id=1, sep_token_id=2, local_attention=WINDOW, global_attn_every_n_layers=2, reference_compile=False)),
        't5-encoder': Row('T5EncoderModel', 'T5Config', LAYERS, dict(vocab_size=VOCABULARY, d_model=WIDTH, d_kv=12, d_ff=2 * WIDTH, num_layers=LAYERS, num_heads=HEADS)),
    },
    'decoder': {
        'gpt2': Row('GPT2LMHeadModel', 'GPT2Config', LAYERS, dict(vocab_size=VOCABULARY, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, n_positions=POSITIONS, bos_token_id=1, eos_token_id=2)),
        'gpt-neox': Row('GPTNeoXForCausalLM', 'GPTNeoXConfig', LAYERS, dict(BASE, bos_token_id=1, eos_token_id=2)),
        'opt': Row('OPTForCausalLM', 'OPTConfig', LAYERS, dict(vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=LAYERS, ffn_dim=2 * WIDTH, num_attention_heads=HEADS, max_position_embeddings=POSITIONS, word_embed_proj_dim=WIDTH, **SPECIAL)),
        'llama': Row('LlamaForCausalLM', 'LlamaConfig', LAYERS, LATE),
        'qwen2': Row('Qwen2ForCausalLM', 'Qwen2Config', LAYERS, LATE),
        'qwen3': Row('Qwen3ForCausalLM', 'Qwen3Config', LAYERS, dict(LATE, head_dim=12)),
        'olmo2': Row('Olmo2ForCausalLM', 'Olmo2Config', LAYERS, LATE),
        'mistral': Row('MistralForCausalLM', 'MistralConfig', LAYERS, dict(LATE, sliding_window=WINDOW)),
        'phi3': Row('Phi3ForCausalLM', 'Phi3Config', LAYERS, dict(LATE, sliding_window=WINDOW)),
        'gemma2': Row('Gemma2ForCausalLM', 'Gemma2Config', LAYERS, dict(LATE, head_dim=12, query_pre_attn_scalar=12, sliding_window=WINDOW)),
        'bloom': Row('BloomForCausalLM', 'BloomConfig', LAYERS, dict(vocab_size=VOCABULARY, hidden_size=WIDTH, n_layer=LAYERS, n_head=HEADS, bos_token_id=1, eos_token_id=2)),
    },
    'both': {
        'bart': Row('BartForConditionalGeneration', 'BartConfig', 3 * LAYERS, PAIRS),
        'marian': Row('MarianMTModel', 'MarianConfig', 3 * LAYERS, dict(PAIRS, decoder_vocab_size=VOCABULARY)),
        't5': Row('T5ForConditionalGeneration', 'T5Config', 3 * LAYERS, dict(vocab_size=VOCABULARY, d_model=WIDTH, d_kv=12, d_ff=2 * WIDTH, num_layers=LAYERS, num_heads=HEADS, decoder_start_token_id=0)),
    },
    'image': {
        'vit': Row('ViTModel', 'ViTConfig', LAYERS, SIGHT, NO_POOLING),
        'deit': Row('DeiTModel', 'DeiTConfig', LAYERS, SIGHT, NO_POOLING),
        'clip-vision': Row('CLIPVisionModel', 'CLIPVisionConfig', LAYERS, SIGHT),
        'siglip-vision': Row('SiglipVisionModel', 'SiglipVisionConfig', LAYERS, SIGHT, dict()),
    },
}

# What each family's models are fed: name → (role, sizes); a string among the sizes is a dynamic dimension.
IDS, MASK = ('ids', ['batch', 'sequence']), ('mask', ['batch', 'sequence'])
INPUTS = {
    'encoder': {'input_ids': IDS, 'attention_mask': MASK},
    'decoder': {'input_ids': IDS, 'attention_mask': MASK},
    'both': {'input_ids': IDS, 'attention_mask': MASK, 'decoder_input_ids': ('ids', ['batch', 'decoder_sequence'])},
    'image': {'pixel_values': ('pixels', ['batch', 3, IMAGE, IMAGE])},
}
ROWS = {name: replace(row, inputs=INPUTS[family], decodes=family in ('decoder', 'both')) for family, rows in FAMILIES.items() for name, row in rows.items()}
ONE = {'batch': 2, 'sequence': 9, 'decoder_sequence': 6}
EAGER_ONLY = {'mpnet', 't5-encoder', 't5', 'bloom', 'gemma2'}
