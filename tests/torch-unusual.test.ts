import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { before, describe, test } from 'node:test';
import { execa } from 'execa';
import { workerFolder } from '../adapters/torch/adapter.ts';
import { emptyFolder } from './run-cli.ts';
import { python, skip } from './transformers-installed.ts';

const tinyModels = fileURLToPath(new URL('./fixtures/tiny-models.py', import.meta.url));
const beginning = `import copy, sys, types
import torch
from torch import nn
sys.path.insert(0, ${JSON.stringify(workerFolder)})
from attnswap_torch.models import adapters, interface, ranks, train
from attnswap_torch.models.outputs import named_outputs
from attnswap_torch.models.observe import Observer
from attnswap_torch.unsupported import Unsupported

def placed(variant, kernel, **parameters):
    return {'variant': variant, 'kernel': kernel, 'parameters': parameters}

def gap(one, other):
    return float((one - other).norm() / other.norm())

def trained(model, table, objective, feeds, options={}):
    """The loss of the first step, before which nothing is trained."""
    optimizer = {'learningRate': 1e-3, 'weightDecay': 0, 'warmUpSteps': 0, 'steps': 9, 'clip': 1}
    opened = types.SimpleNamespace(model=model.eval(), options=options, group=ranks.Alone())
    interface.install(model)
    training = train.Training(opened, {'sites': table, 'items': [None], 'state': None, 'seed': 1, 'rank': 4, 'optimizer': optimizer})
    try:
        return training.step([feeds], objective)
    finally:
        training.end()

class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.projections = nn.ModuleList(nn.Linear(32, 32) for _ in range(3))

    def forward(self, x):
        query, key, value = (project(x).unflatten(-1, (4, 8)).transpose(1, 2) for project in self.projections)
        return nn.functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)

class Model(nn.Module):
    def __init__(self, add=lambda x, layer: x + layer(x)):
        super().__init__()
        torch.manual_seed(1)
        self.embedding = nn.Embedding(50, 32)
        self.layers = nn.ModuleList(Attention() for _ in range(2))
        self.add = add

    def forward(self, tokens):
        x = self.embedding(tokens)
        for layer in self.layers:
            x = self.add(x, layer)
        return x

tokens = torch.arange(24).view(2, 12)
dense = {f'layers.{place}': placed('dense', 'fused') for place in range(2)}
`;

describe('PyTorch models that do what others do not', { skip }, () => {
  const cwd = emptyFolder();
  before(() => execa(python!, [tinyModels, cwd, 'llama', 'bert']));
  const run = async (script: string) => (await execa(python!, ['-B', '-c', beginning + script], { cwd })).stdout;

  test('code that looks at the name of the attention computes what it does under its own: a model that selects its keys', async () => {
    // 300 keys are selected: not before there are more does it show.
    const stdout = await run(`
import transformers
size = {'hidden_size': 32, 'intermediate_size': 64, 'moe_intermediate_size': 16, 'num_hidden_layers': 2, 'num_attention_heads': 4, 'num_key_value_heads': 4}
latent = {'kv_lora_rank': 16, 'q_lora_rank': 16, 'qk_rope_head_dim': 8, 'qk_nope_head_dim': 8, 'v_head_dim': 8}
experts = {'n_routed_experts': 4, 'num_experts_per_tok': 2, 'n_group': 1, 'topk_group': 1, 'mlp_layer_types': ['dense', 'dense']}
index = {'index_topk': 300, 'index_n_heads': 2, 'index_head_dim': 16}
for implementation, length in (('sdpa', 100), ('sdpa', 400), ('eager', 400)):
    torch.manual_seed(1)
    config = transformers.DeepseekV32Config(**size, **latent, **experts, **index, vocab_size=99, initializer_range=0.3, attn_implementation=implementation)
    model = transformers.DeepseekV32ForCausalLM(config).eval()
    interface.install(model)
    ids = torch.randint(3, 99, (1, length))
    run = lambda: model(ids, attention_mask=torch.ones_like(ids), use_cache=False).logits
    with torch.no_grad():
        own = run()
        with Observer(model) as seen:
            print(torch.equal(run(), own), [call.mask.bias is not None for call in seen.calls])
        interface.place(model, {'model.layers.0.self_attn': placed('dense', 'naive')})
        print(gap(run(), own) < 1e-5)
        interface.place(model, {'model.layers.0.self_attn': placed('window', 'tiled', w=8, globals=0)})
        try:
            print(gap(run(), own) > 1e-3)
        except Unsupported as reason:
            print(reason)
        interface.place(model, {})
        print(torch.equal(run(), own), type(config._attn_implementation).__name__)
`);
    const refused =
      'model.layers.0.self_attn has a bias on its logits, which window.tiled does not support: expected one of dense.fused, dense.naive, dense.tiled';
    const selecting = ['True [True, True]', 'True', refused, 'True str'];
    assert.deepEqual(stdout.split('\n'), ['True [False, False]', 'True', 'True', 'True str', ...selecting, ...selecting]);
  });

  test('a copy of a model has its new attention, and is given its own back for itself', async () => {
    const stdout = await run(`
import transformers
model = transformers.LlamaForCausalLM.from_pretrained('llama').eval()
ids, keep = torch.arange(3, 27).view(2, 12), torch.ones(2, 12, dtype=torch.long)
keep[1, :4] = 0
run = lambda model: model(ids, attention_mask=keep).logits[keep == 1]
with torch.no_grad():
    own = run(model)
    interface.install(model)
    interface.place(model, {f'model.layers.{layer}.self_attn': placed('window', 'tiled', w=3, globals=0) for layer in range(2)})
    other = run(model)
    twin = copy.deepcopy(model)
    print(torch.equal(run(twin), other), gap(other, own) > 1e-3)
    interface.place(twin, {})
    print(torch.equal(run(twin), own), torch.equal(run(model), other))
`);
    assert.equal(stdout, 'True True\nTrue True');
  });

  test('a model of transformers within a module of the user’s: decoded tokens have the window of a whole call', async () => {
    const stdout = await run(`
import transformers
class Scorer(nn.Module):
    def __init__(self, implementation):
        super().__init__()
        self.model = transformers.LlamaForCausalLM.from_pretrained('llama', attn_implementation=implementation)
        self.head = nn.MultiheadAttention(99, 1, batch_first=True)

    def forward(self, ids, keep):
        logits = self.model(ids, attention_mask=keep, use_cache=False).logits
        return self.head(logits, logits, logits, need_weights=False)[0]

ids, keep = torch.arange(3, 27).view(2, 12), torch.ones(2, 12, dtype=torch.long)
keep[1, :4] = 0
settings = {'max_new_tokens': 6, 'do_sample': False, 'pad_token_id': 0, 'output_logits': True, 'return_dict_in_generate': True}
for implementation in ('sdpa', 'eager'):
    torch.manual_seed(1)
    model = Scorer(implementation).eval()
    with torch.no_grad():
        own = model(ids, keep)
        print(interface.install(model), torch.equal(model(ids, keep), own))
        with Observer(model) as seen:
            model(ids, keep)
        print([(call.module, call.mask.causal, call.mask.padding is not None, call.mask.bias is not None) for call in seen.calls], seen.elsewhere)
        paths = [call.module for call in seen.calls]
        interface.place(model, {path: placed('dense', 'tiled') for path in paths})
        print(gap(model(ids[:1], keep[:1]), own[:1]) < 1e-5)
        interface.place(model, {path: placed('window', 'tiled', w=3, globals=0) for path in paths[:2]})
    model.model.generation_config.eos_token_id = None
    decoded, whole = (torch.stack(model.model.generate(ids, attention_mask=keep, use_cache=cached, **settings).logits) for cached in (True, False))
    print(gap(decoded, whole) < 1e-5)
`);
    const layers = [0, 1].map((layer) => `('model.model.layers.${layer}.self_attn', True, True, False)`);
    const seen = `[${[...layers, "('head', False, False, False)"].join(', ')}] {}`;
    assert.deepEqual(
      stdout.split('\n'),
      ['sdpa', 'eager'].flatMap((implementation) => [`${implementation} True`, seen, 'True', 'True']),
    );
  });

  test('the operator is itself again once no model is led, also where another took its place meanwhile', async () => {
    const stdout = await run(`
functional = nn.functional
operator = functional.scaled_dot_product_attention
model, other = Model().eval(), Model().eval()
interface.install(model)
print(functional.scaled_dot_product_attention is operator)
interface.place(model, dense)
interface.place(other, dense)
interface.place(model, {})
print(functional.scaled_dot_product_attention is operator)
over = functional.scaled_dot_product_attention
functional.scaled_dot_product_attention = lambda *given, **named: over(*given, **named)
interface.place(other, {})
interface.place(model, {path: placed('topk', 'tiled', k=2) for path in dense})
with torch.no_grad():
    print(gap(model(tokens), other(tokens)) > 1e-3)
functional.scaled_dot_product_attention = over
interface.place(model, {})
print(functional.scaled_dot_product_attention is operator)
`);
    assert.equal(stdout, 'True\nFalse\nTrue\nTrue');
  });

  test('what a module was given and gave is what it was then, though the model goes on in the same tensors', async () => {
    const stdout = await run(`
def into(x, layer):
    given = layer(x)
    x += given
    given.zero_()
    return x

model = Model(into)
print(trained(model, dense, 'transfer', {'tokens': tokens}) < 1e-10)
window = {path: placed('window', 'tiled', w=2, globals=0) for path in dense}
plain = trained(Model(), window, 'transfer', {'tokens': tokens})
print(plain > 1e-3, abs(trained(model, window, 'transfer', {'tokens': tokens}) - plain) < 1e-6 * plain)

class Scaled(Attention):
    def forward(self, x):
        query, key, value = (project(x).unflatten(-1, (4, 8)).transpose(1, 2) for project in self.projections)
        output = nn.functional.scaled_dot_product_attention(query, key, value)
        query.mul_(0), output.mul_(2)
        return output.transpose(1, 2).flatten(2)

model.layers[0] = Scaled()
with torch.no_grad(), Observer(model.eval(), set(dense)) as seen:
    model(tokens)
for call in seen.calls:
    weights = torch.softmax(call.query @ call.key.transpose(-1, -2) * call.scale, -1)
    print(gap(weights @ call.value, call.output) < 1e-5)
print('none' if not hasattr(model.layers[0], 'attnswap_a') else 'some')
try:
    trained(Model(lambda x, layer: x + layer.forward(x)), dense, 'transfer', {'tokens': tokens})
except ValueError as reason:
    print(reason)
`);
    assert.deepEqual(stdout.split('\n'), [
      'True',
      'True True',
      'True',
      'True',
      'none',
      'the model does not call its attention as modules, so they cannot be trained one by one: steps=0 trains on its outputs alone',
    ]);
  });

  test('padding counts for nothing in training: on the left, attention may see no key there', async () => {
    const stdout = await run(`
import transformers
ids = torch.arange(3, 27).view(2, 12)
for name, kind, paths, options in (
    ('llama', transformers.LlamaForCausalLM, 'model.layers.{}.self_attn', {'use_cache': False}),
    ('bert', transformers.BertForMaskedLM, 'bert.encoder.layer.{}.attention.self', {}),
):
    for hidden in (slice(4), slice(8, 12)):
        keep = torch.ones(2, 12, dtype=torch.long)
        keep[1, hidden] = 0
        table = {paths.format(layer): placed('dense', 'naive') for layer in range(2)}
        feeds = {'input_ids': ids, 'attention_mask': keep}
        print(*(abs(trained(kind.from_pretrained(name), table, objective, feeds, options)) < 1e-7 for objective in ('transfer', 'labels')))
`);
    assert.equal(stdout, Array<string>(4).fill('True True').join('\n'));
  });

  test('updates that a weight would lose, or take wrong, are refused by name, in training and where they are added', async () => {
    const stdout = await run(`
from torch.nn.utils import parametrizations, prune
def whole(linear):
    return linear

def eighths(linear):
    linear.weight = nn.Parameter((linear.weight * 8).to(torch.int8), requires_grad=False)
    return linear

class Packed(torch.Tensor):
    pass

def packed(linear):
    linear.weight = nn.Parameter(linear.weight.data.as_subclass(Packed))
    return linear

ways = {
    'whole': whole,
    'parametrized': parametrizations.weight_norm,
    'pruned': lambda linear: prune.l1_unstructured(linear, 'weight', 0.5),
    'int8': eighths,
    'packed': packed,
    'away': lambda linear: linear.to('meta'),
}
update = {'layers.0.projections.0': (torch.randn(4, 32), torch.randn(32, 4))}
for name, change in ways.items():
    model = Model()
    model.layers[0].projections[0] = change(model.layers[0].projections[0])
    before = model.layers[0].projections[0].weight.clone()
    for what in (lambda: adapters.linears(model, ['layers.0']), lambda: adapters.put(model, update)):
        try:
            what()
            print(name, 'taken', name == 'away' or not torch.equal(model.layers[0].projections[0].weight, before))
        except Unsupported as reason:
            print(name, str(reason).replace('layers.0.projections.0', 'it')[:58])
try:
    adapters.put(Model(), {'layers.7.projections.0': update['layers.0.projections.0']})
except Unsupported as reason:
    print(reason)
`);
    const computed = 'it computes its weight from other parameters (a parametriz';
    assert.deepEqual(stdout.split('\n'), [
      'whole taken False',
      'whole taken True',
      ...['parametrized', 'pruned'].flatMap((name) => [`${name} ${computed}`, `${name} ${computed}`]),
      ...[0, 1].map(() => 'int8 it has a weight of type torch.int8, to which nothing can b'),
      'packed taken False',
      'packed the weight of it is a Packed, so trained updates cannot be',
      'away taken True',
      'away the weight of it is not in memory, so trained updates cann',
      'the model has no linear layer layers.7.projections.0, for which there are trained updates: is it the model that was migrated?',
    ]);
  });

  test('outputs within lists are compared where there are no others, and what is none is refused', async () => {
    const stdout = await run(`
one = torch.ones(2)
for returned in (one, (one, None), {'a': one, 'b': [one]}, {'maps': (one, [one]), 'cache': object()}, [{'boxes': one}, {'boxes': one}]):
    print(*named_outputs(returned))
try:
    named_outputs(object())
except Unsupported as reason:
    print(reason)
`);
    assert.deepEqual(stdout.split('\n'), [
      'output',
      'output0',
      'a',
      'maps.0 maps.1.0',
      'output0.boxes output1.boxes',
      'the model returns a object, expected a tensor, or a tuple, a list or a dict of tensors',
    ]);
  });
});
