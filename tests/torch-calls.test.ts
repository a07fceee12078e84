import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { before, describe, test } from 'node:test';
import { execa } from 'execa';
import { workerFolder } from '../adapters/torch/adapter.ts';
import { emptyFolder } from './run-cli.ts';
import { python, skip } from './transformers-installed.ts';

const tinyModels = fileURLToPath(new URL('./fixtures/tiny-models.py', import.meta.url));
const beginning = `import inspect, sys
import torch, transformers
sys.path.insert(0, ${JSON.stringify(workerFolder)})
from attnswap_torch.models import interface
from attnswap_torch.models.placed import Placed

def placed(variant, kernel, **parameters):
    return {'variant': variant, 'kernel': kernel, 'parameters': parameters}

def gap(one, other):
    return float((one - other).norm() / other.norm())
`;

describe('calls of attention in PyTorch', { skip }, () => {
  const cwd = emptyFolder();
  before(() => execa(python!, [tinyModels, cwd, 'falcon', 'mistral', 'gemma3', 'llama']));
  const run = async (script: string) => (await execa(python!, ['-B', '-c', beginning + script], { cwd })).stdout;

  for (const [name, cache, says = true] of [
    ['falcon', 'dynamic'],
    ['mistral', 'dynamic'],
    ['gemma3', 'dynamic'],
    // Has room for later tokens.
    ['llama', 'static'],
    ['llama', 'dynamic', false],
    ['llama', 'static', false],
  ] as const)
    test(`${name}, ${cache} cache${says ? '' : ', no is_causal'}: a decoded token has the window that it has in a whole call`, async () => {
      // Prompts past the models' own windows of 8 keys, at one of which a token sees all that is cached.
      const stdout = await run(`
model = transformers.AutoModelForCausalLM.from_pretrained('${name}').eval()
model.generation_config.eos_token_id = None
interface.install(model)
sites = [path for path, _ in model.named_modules() if path.endswith(('self_attn', 'self_attention'))]
assert len(sites) == 2, sites
causal = {}
if ${says ? 'False' : 'True'}:
    # As modules of a user's own, of which whole calls were seen to be causal.
    causal = {'causal': True}
    for path in sites:
        del model.get_submodule(path).is_causal
ids = torch.arange(3, 17)[None]
def scores(**more):
    settings = {'max_new_tokens': 6, 'do_sample': False, 'pad_token_id': 0, 'output_logits': True, 'return_dict_in_generate': True}
    return torch.stack(model.generate(ids, attention_mask=torch.ones_like(ids), **settings, **more).logits)
own = scores()
for w in (4, 7):
    interface.place(model, {path: {**placed('window', 'tiled', w=w, globals=0), **causal} for path in sites})
    whole = scores(use_cache=False)
    decoded = scores(cache_implementation='${cache}', disable_compile=True)
    print(gap(decoded, whole) < 1e-5, gap(whole, own) > 1e-3)
`);
      assert.equal(stdout, 'True True\nTrue True');
    });

  test('a single query of which nothing tells whether it is the last of its tokens is refused by name, where that matters', async () => {
    const stdout = await run(`
from attnswap_torch.unsupported import Unsupported
torch.manual_seed(1)
query, key, value = (torch.randn(2, 4, rows, 8) for rows in (1, 9, 9))
padding = torch.zeros(2, 1, 1, 9, dtype=torch.bool)
padding[1, ..., -2:] = True
def tried(mask, given, **told):
    module = torch.nn.Module()
    module.__dict__.update(attnswap_original='sdpa', attnswap_placed=Placed({**given, 'causal': None, **told}, 'layers.0'))
    try:
        return interface.attention(module, query, key, value, mask)[0]
    except Unsupported as reason:
        return str(reason)
window = placed('window', 'tiled', w=3, globals=0)
for mask in (None, ~padding):
    print(tried(mask, window))
    last, around = (tried(mask, window, causal=causal) for causal in (True, False))
    print(gap(last, around) > 1e-3)
    print(*(gap(tried(mask, placed('dense', kernel)), tried(mask, placed('dense', 'naive'), causal=True)) < 1e-5 for kernel in ('fused', 'tiled')))
`);
    const refused =
      'layers.0: nothing tells whether its single query is the last of its tokens, or sees keys on both sides, by which window.tiled chooses among them: leave this site out, choose dense or topk, or, in a module of your own, set its is_causal to True or False';
    assert.deepEqual(stdout.split('\n'), [refused, 'True', 'True True', refused, 'True', 'True True']);
  });

  test('modules that call the operator keep their signatures, and its own causal flag, in a model that asks for eager attention', async () => {
    const stdout = await run(`
class Both(transformers.LlamaForCausalLM):
    def __init__(self, config):
        super().__init__(config)
        self.more = torch.nn.MultiheadAttention(32, 4, batch_first=True)

    def forward(self, input_ids=None, attention_mask=None, position_ids=None, logits_to_keep=0, **named):
        x = self.model.embed_tokens(input_ids)
        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        causal, _ = self.more(x, x, x, attn_mask=later, is_causal=True, need_weights=False)
        # The operator's flag counts from the first key: of these the query sees no other.
        last, _ = self.more(x[:, -1:], x, x, attn_mask=later[-1:], is_causal=True, need_weights=False)
        return super().forward(inputs_embeds=causal + last, attention_mask=attention_mask, position_ids=position_ids, **named).logits

torch.manual_seed(1)
sizes = {'hidden_size': 32, 'num_hidden_layers': 1, 'num_attention_heads': 4, 'intermediate_size': 64, 'vocab_size': 99}
model = Both(transformers.LlamaConfig(**sizes, initializer_range=0.3, attn_implementation='eager')).eval()
signatures = lambda: [inspect.signature(module.forward) for module in (model, model.more)]
ids = torch.arange(3, 15)[None]
with torch.no_grad():
    own, before = model(ids), signatures()
    interface.install(model)
    for kernel in ('naive', 'fused', 'tiled'):
        interface.place(model, {'more': placed('dense', kernel), 'model.layers.0.self_attn': placed('dense', kernel)})
        print(gap(model(ids), own) < 1e-5, signatures() == before, 'forward' in vars(model))
    interface.place(model, {'more': placed('topk', 'tiled', k=2)})
    print(gap(model(ids), own) > 1e-3)
    interface.place(model, {})
    print(torch.equal(model(ids), own), 'forward' in vars(model))
`);
    assert.deepEqual(stdout.split('\n'), [...Array<string>(3).fill('True True True'), 'True', 'True False']);
  });

  test('rows of which padding, causality and a bias leave no key are zeros, and their gradients are finite', async () => {
    const stdout = await run(`
torch.manual_seed(1)
for dtype, low, most in ((torch.float32, -1e30, 1e-5), (torch.bfloat16, -1e30, 2e-2), (torch.float16, -1e4, 2e-3)):
    for queries in (1, 7, 200):
        keys = queries + 3
        query, key, value = (torch.randn(2, heads, rows, 8).to(dtype) for heads, rows in ((4, queries), (2, keys), (2, keys)))
        bias = torch.randn(1, 4, queries, keys).to(dtype)
        # Of the second sequence, padding and causality leave the first rows nothing; of one head, the bias leaves the last row nothing.
        padding = torch.zeros(2, keys, dtype=torch.bool)
        padding[1, : keys // 2 + 1] = True
        bias[:, 3, -1] = torch.finfo(dtype).min
        # Of another, padding leaves what the bias removes.
        bias[:, 2, -1, keys // 2 + 1 :] = low
        later = torch.arange(keys) > torch.arange(queries)[:, None] + 3
        gone = padding[:, None, None] | later | (bias <= low)
        logits = (query.double() @ key.double().repeat_interleave(2, 1).transpose(-1, -2) / 8**0.5 + bias.double()).masked_fill(gone, -torch.inf)
        exact = torch.softmax(logits, -1).nan_to_num() @ value.double().repeat_interleave(2, 1)
        empty = gone.all(-1)
        assert empty[1, 2:].any() and not empty[0, :3].any() and (queries == 1 or empty[1, 0].any())
        for kernel in ('naive', 'fused', 'tiled'):
            given = [part.clone().requires_grad_() for part in (query, key, value)]
            output = Placed(placed('dense', kernel)).attend(*given, 8**-0.5, padding, True, None, bias)
            assert bool((output[empty] == 0).all()), (dtype, queries, kernel)
            assert gap(output.double(), exact) < most, (dtype, queries, kernel, gap(output.double(), exact))
            if dtype == torch.float32:
                output.square().sum().backward()
                assert all(bool(part.grad.isfinite().all()) for part in given), (queries, kernel)
print('done')
`);
    assert.equal(stdout, 'done');
  });
});
