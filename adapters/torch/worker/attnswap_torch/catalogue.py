"""The kernels, without PyTorch: what adapters/torch/kernels.ts lists too. The first of a variant is its default."""

no_cuda_kernel = 'this kernel requires a CUDA device'


# Those that add a bias to their logits.
biased = ('dense.fused', 'dense.naive', 'dense.tiled', 'topk.tiled', 'window.tiled')


def entry(variant, kernel, scored, summary, lacking=None):
    """One kernel as `hello` tells it."""
    told = {'variant': variant, 'kernel': kernel, 'summary': summary, 'scored': scored}
    if f'{variant}.{kernel}' in biased:
        told['takesBias'] = True
    return told if lacking is None else {**told, 'lacking': {'torch-cpu': lacking}}


kernels = [
    entry('dense', 'fused', 'cost', 'scaled_dot_product_attention with the backend that PyTorch chooses'),
    entry('dense', 'naive', 'all', 'matmul, softmax, matmul: the n² logits are written out'),
    entry('dense', 'tiled', 'cost', 'matmul, softmax, matmul over tiles of 128 queries'),
    entry('dense', 'flash', 'cost', "scaled_dot_product_attention's flash backend"),
    entry('dense', 'efficient', 'cost', "scaled_dot_product_attention's memory-efficient backend", no_cuda_kernel),
    entry('dense', 'cudnn', 'cost', "scaled_dot_product_attention's cuDNN backend", no_cuda_kernel),
    entry('dense', 'math', 'all', "scaled_dot_product_attention's math backend: the n² logits are written out"),
    entry('dense', 'compiled', 'all', 'softmax(q·kᵀ/√d + mask)·v through torch.compile'),
    entry('dense', 'compiled-naive', 'all', 'dense.naive, which scales q first, through torch.compile'),
    entry('dense', 'flex', 'cost', 'flex_attention, compiled, with a block mask'),
    entry('dense', 'mha', 'all', 'nn.MultiheadAttention: in evaluation it writes the n² logits out, in training it does not'),
    entry('topk', 'tiled', 'all', 'tiles of 128 queries: topk of their logits, then only the kept values'),
    entry('window', 'tiled', 'cost', 'blocks of queries against the span of keys around them'),
    entry('window', 'flex', 'cost', 'flex_attention, compiled, with a block mask of the window'),
    entry('grid-window', 'tiled', 'cost', 'boxes of the grid against the boxes of keys around them'),
    entry('gated', 'tiled', 'cost', 'tiles of 128 queries; by block: only the kept blocks; form=query or output: only open queries'),
    entry('hierarchical', 'batched', 'cost', 'each level of heads in a few batched products'),
    entry('block-topk', 'blocks', 'cost', 'the kept blocks of keys, gathered, in batched products'),
    entry('linear', 'chunked', 'cost', 'chunks of 64 positions: products within a chunk, a state between chunks'),
]


def told(torch, backends):
    """The kernels with what this PyTorch lacks: `kernels`, with reasons by backend."""
    missing = {}
    if not hasattr(torch.nn.functional, 'scaled_dot_product_attention'):
        missing.update(dict.fromkeys(('fused', 'flash', 'efficient', 'cudnn', 'math'), 'this PyTorch has no scaled_dot_product_attention'))
    if not hasattr(torch, 'compile'):
        missing.update(dict.fromkeys(('compiled', 'compiled-naive', 'flex'), 'this PyTorch has no torch.compile'))
    return [known if known['kernel'] not in missing else {**known, 'lacking': dict.fromkeys(backends, missing[known['kernel']])} for known in kernels]
