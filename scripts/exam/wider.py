"""python wider.py FOLDER [NAME…]: more architectures, each with inputs of its own, by PyTorch's exporters and as folders that save_pretrained writes.

As export.py, whose files they lie beside: FOLDER/NAME.EXPORTER.onnx or FOLDER/NAME.folder.model, and a .json for each. The sites are those of the configuration.
"""
import sys
import warnings
from pathlib import Path

import transformers

import export as exporting
from architectures import BASE, HEADS, IDS, IMAGE, LATE, LAYERS, MASK, PAIRS, PATCH, SIGHT, SPECIAL, VOCABULARY, WIDTH, WINDOW, Row

warnings.filterwarnings('ignore')
transformers.logging.set_verbosity_error()

TEXT = {'input_ids': IDS, 'attention_mask': MASK}
BOTH = {**TEXT, 'decoder_input_ids': ('ids', ['batch', 'decoder_sequence'])}
PICTURE = {'pixel_values': ('pixels', ['batch', 3, IMAGE, IMAGE])}
LARGE = 2 * IMAGE
LARGE_PICTURE = {'pixel_values': ('pixels', ['batch', 3, LARGE, LARGE])}
CLIP = {'pixel_values': ('pixels', ['batch', 4, 3, IMAGE, IMAGE])}
SAMPLES, BINS, FRAMES = 400, 16, 64
SOUND = {'input_values': ('pixels', ['batch', SAMPLES])}


def row(model, sites, inputs, more, config=None, build=None, decodes=False):
    return Row(model, config or model.removesuffix('Model').removesuffix('ForConditionalGeneration') + 'Config', sites, more, build or {}, inputs, decodes)


def encoder(model, sites=LAYERS, **more):
    return row(f'{model}Model', sites, TEXT, {**BASE, **more})


def decoder(model, sites=LAYERS, base=LATE, config=None, **more):
    return row(f'{model}ForCausalLM', sites, TEXT, {**base, **more}, config or f'{model}Config', decodes=True)


def vision(model, sites=LAYERS, inputs=PICTURE, base=SIGHT, build=None, **more):
    return row(f'{model}Model', sites, inputs, {**base, **more}, build=build)


def hearing(model, **more):
    ears = dict(conv_dim=(16, 16), conv_kernel=(10, 3), conv_stride=(5, 2), num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2)
    base = {key: value for key, value in BASE.items() if key != 'max_position_embeddings'}
    return row(f'{model}Model', LAYERS, SOUND, {**base, **ears, 'apply_spec_augment': False, 'layerdrop': 0.0, **more})


EXPERTS = dict(num_local_experts=4, num_experts_per_tok=2)
MLA = dict(kv_lora_rank=16, q_lora_rank=24, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=12, num_key_value_heads=HEADS)
FEW_EXPERTS = dict(moe_intermediate_size=32, n_routed_experts=4, num_experts_per_tok=2, n_group=1, topk_group=1, first_k_dense_replace=LAYERS, n_shared_experts=1)
STAGES = dict(hidden_sizes=(16, 32), num_attention_heads=(2, 4), depths=(1, 1), num_encoder_blocks=2)
WINDOWED = dict(sliding_window=WINDOW, layer_types=['sliding_attention', 'full_attention'])
GPT = dict(vocab_size=VOCABULARY, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, n_positions=512, bos_token_id=1, eos_token_id=2)
BACKBONE = transformers.ResNetConfig(embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1], out_features=['stage2'], layer_type='basic')
SMALL_DETR = dict(d_model=WIDTH, encoder_layers=LAYERS, decoder_layers=LAYERS, encoder_attention_heads=HEADS, decoder_attention_heads=HEADS,
                  encoder_ffn_dim=64, decoder_ffn_dim=64, num_queries=7, backbone_config=BACKBONE)

WIDER = {
    # Text.
    'deberta-v2': encoder('DebertaV2', relative_attention=True, pos_att_type=['p2c', 'c2p'], position_buckets=16, max_relative_positions=64),
    'distilbert': row('DistilBertModel', LAYERS, TEXT, dict(vocab_size=VOCABULARY, dim=WIDTH, n_layers=LAYERS, n_heads=HEADS, hidden_dim=96)),
    'nomic-bert': encoder('NomicBert'),
    'esm': encoder('Esm', pad_token_id=1, mask_token_id=2, position_embedding_type='rotary'),
    'roformer': encoder('RoFormer', embedding_size=WIDTH),
    'squeezebert': encoder('SqueezeBert', embedding_size=WIDTH),
    'mobilebert': encoder('MobileBert', embedding_size=32, intra_bottleneck_size=32, intermediate_size=64),
    'xlnet': row('XLNetModel', LAYERS, TEXT, dict(vocab_size=VOCABULARY, d_model=WIDTH, n_layer=LAYERS, n_head=HEADS, d_inner=96), decodes=True),
    'eurobert': row('EuroBertModel', LAYERS, TEXT, {**BASE, **SPECIAL, 'num_key_value_heads': HEADS}),
    'layoutlmv3': encoder('LayoutLMv3', coordinate_size=8, shape_size=8, visual_embed=False, max_2d_position_embeddings=64),
    'big-bird': encoder('BigBird', attention_type='original_full'),
    'big-bird-sparse': encoder('BigBird', attention_type='block_sparse', block_size=4, num_random_blocks=1),
    'longformer': encoder('Longformer', attention_window=8, pad_token_id=1),
    'nystromformer': encoder('Nystromformer', segment_means_seq_len=64, num_landmarks=8, conv_kernel_size=3),
    'fnet': row('FNetModel', 0, {'input_ids': IDS}, dict(vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=LAYERS, intermediate_size=96)),
    # Decoders.
    'gptj': decoder('GPTJ', base=GPT, rotary_dim=8),
    'codegen': decoder('CodeGen', base=GPT, rotary_dim=8),
    'gpt-bigcode': decoder('GPTBigCode', base=GPT),
    'gpt-neo': decoder('GPTNeo', base=dict(vocab_size=VOCABULARY, hidden_size=WIDTH, num_layers=LAYERS, num_heads=HEADS, window_size=WINDOW, attention_types=[[['global', 'local'], 1]], bos_token_id=1, eos_token_id=2)),
    'falcon': decoder('Falcon', base=dict(BASE, **SPECIAL)),
    'falcon-alibi': decoder('Falcon', base=dict(BASE, **SPECIAL), alibi=True, multi_query=False),
    'mpt': decoder('Mpt', base=dict(vocab_size=VOCABULARY, d_model=WIDTH, n_layers=LAYERS, n_heads=HEADS, max_seq_len=512)),
    'stablelm': decoder('StableLm', partial_rotary_factor=0.5),
    'starcoder2': decoder('Starcoder2', sliding_window=WINDOW),
    'gemma': decoder('Gemma', head_dim=12, num_key_value_heads=1),
    'gemma3': decoder('Gemma3', config='Gemma3TextConfig', head_dim=12, query_pre_attn_scalar=12, **WINDOWED),
    'gpt-oss': decoder('GptOss', head_dim=12, **EXPERTS, **WINDOWED),
    'mixtral': decoder('Mixtral', **EXPERTS),
    'deepseek-v3': decoder('DeepseekV3', **MLA, **FEW_EXPERTS),
    'cohere2': decoder('Cohere2', **WINDOWED),
    'granite': decoder('Granite'),
    'smollm3': decoder('SmolLM3'),
    'llama4': decoder('Llama4', config='Llama4TextConfig', head_dim=12, attention_chunk_size=64, no_rope_layers=[1, 0], layer_types=['chunked_attention', 'full_attention'], moe_layers=[], intermediate_size_mlp=96, num_local_experts=2),
    'qwen3-next': decoder('Qwen3Next', sites=1, head_dim=12, layer_types=['linear_attention', 'full_attention'], linear_key_head_dim=8, linear_value_head_dim=8, linear_num_key_heads=2, linear_num_value_heads=4, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32, shared_expert_intermediate_size=32),
    'lfm2': decoder('Lfm2', sites=1, layer_types=['conv', 'full_attention']),
    'mamba': decoder('Mamba', sites=0, base=dict(vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=LAYERS, state_size=8)),
    'rwkv': decoder('Rwkv', sites=0, base=dict(vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=LAYERS, attention_hidden_size=WIDTH, intermediate_size=96)),
    # Pairs, and sound.
    'whisper': row('WhisperForConditionalGeneration', 3 * LAYERS, {'input_features': ('pixels', ['batch', BINS, 2 * FRAMES]), 'decoder_input_ids': ('ids', ['batch', 'decoder_sequence'])}, {**PAIRS, 'num_mel_bins': BINS, 'max_source_positions': FRAMES, 'max_target_positions': 64}, decodes=True),
    'pegasus': row('PegasusForConditionalGeneration', 3 * LAYERS, BOTH, PAIRS, decodes=True),
    'wav2vec2': hearing('Wav2Vec2'),
    'hubert': hearing('Hubert'),
    'wavlm': hearing('WavLM'),
    'wav2vec2-conformer': hearing('Wav2Vec2Conformer', position_embeddings_type='relative', conv_depthwise_kernel_size=3),
    'ast': row('ASTModel', LAYERS, {'input_values': ('pixels', ['batch', FRAMES, BINS])}, dict(hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=96, patch_size=8, frequency_stride=8, time_stride=8, max_length=FRAMES, num_mel_bins=BINS)),
    # Images.
    'dinov2': vision('Dinov2'),
    'dinov3': vision('DINOv3ViT'),
    'swin': vision('Swin', 3, LARGE_PICTURE, dict(image_size=LARGE, patch_size=4, embed_dim=WIDTH, depths=(2, 1), num_heads=(HEADS, HEADS), window_size=6)),
    'swinv2': vision('Swinv2', 3, LARGE_PICTURE, dict(image_size=LARGE, patch_size=4, embed_dim=WIDTH, depths=(2, 1), num_heads=(HEADS, HEADS), window_size=6, pretrained_window_sizes=(0, 0))),
    'beit': vision('Beit', use_relative_position_bias=True, build=dict(add_pooling_layer=False)),
    'segformer': vision('Segformer', 2, base=dict(STAGES, sr_ratios=(2, 1), patch_sizes=(7, 3), strides=(4, 2), mlp_ratios=(2, 2), decoder_hidden_size=32)),
    'pvt': vision('Pvt', 2, base=dict(STAGES, image_size=IMAGE, sequence_reduction_ratios=(2, 1), patch_sizes=(4, 2), strides=(4, 2), mlp_ratios=(2, 2))),
    'levit': vision('Levit', 5, LARGE_PICTURE, dict(image_size=LARGE, hidden_sizes=(32, 48, 64), num_attention_heads=(2, 3, 4), depths=(1, 1, 1), key_dim=(8, 8, 8), attention_ratio=(2, 2, 2))),
    'sam-vision': row('SamVisionModel', LAYERS, LARGE_PICTURE, dict(hidden_size=WIDTH, output_channels=16, num_hidden_layers=LAYERS, num_attention_heads=HEADS, image_size=LARGE, patch_size=PATCH, window_size=4, global_attn_indexes=[1], mlp_dim=96, num_pos_feats=8)),
    'yolos': vision('Yolos', image_size=(IMAGE, IMAGE), num_detection_tokens=5, build=dict(add_pooling_layer=False)),
    'detr': vision('Detr', 3 * LAYERS, base=SMALL_DETR),
    'mobilevit': vision('MobileViT', 9, LARGE_PICTURE, dict(image_size=LARGE, hidden_sizes=(16, 24, 32), neck_hidden_sizes=(8, 8, 12, 16, 20, 24, 32), num_attention_heads=4)),
    'videomae': vision('VideoMAE', inputs=CLIP, num_frames=4),
    'timesformer': vision('Timesformer', 2 * LAYERS, CLIP, num_frames=4),
    'clip': row('CLIPModel', 2 * LAYERS, {**TEXT, **PICTURE}, dict(projection_dim=32, text_config={**BASE, **SPECIAL}, vision_config=SIGHT)),
    'convnext': vision('ConvNext', 0, base=dict(image_size=IMAGE, hidden_sizes=(16, 32), depths=(1, 1), num_stages=2)),
    # Other kinds.
    'perceiver': row('PerceiverModel', 2, {'inputs': ('pixels', ['batch', 40, WIDTH])}, dict(num_latents=12, d_latents=WIDTH, d_model=WIDTH, num_blocks=1, num_self_attends_per_block=1, num_self_attention_heads=HEADS, num_cross_attention_heads=HEADS, qk_channels=WIDTH, v_channels=2 * WIDTH)),
    'patchtst': row('PatchTSTModel', LAYERS, {'past_values': ('pixels', ['batch', 64, 3])}, dict(num_input_channels=3, context_length=64, patch_length=8, patch_stride=8, d_model=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, ffn_dim=96)),
}
EXPORTERS = {'torch-export-24': ('export', 24, 'sdpa'), 'torchscript-17': ('script', 17, 'eager')}


def built(name, each, attention):
    try:
        return exporting.built(name, each, attention)
    except ValueError:  # It has no such attention.
        return exporting.built(name, each, 'eager')


def main(folder, wanted):
    folder.mkdir(parents=True, exist_ok=True)
    for name, each in WIDER.items():
        if wanted and name not in wanted:
            continue
        saved = folder / f'{name}.folder.model'
        exporting.attempt(saved, each.sites, 'folder', '', lambda: built(name, each, 'sdpa').save_pretrained(saved))
        for exporter in EXPORTERS:
            path = folder / f'{name}.{exporter}.onnx'
            exporting.attempt(path, each.sites, exporter, '', lambda: exporting.export(path, name, each, EXPORTERS[exporter], built))


if __name__ == '__main__':
    main(Path(sys.argv[1]), sys.argv[2:])
