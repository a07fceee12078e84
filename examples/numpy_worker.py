"""A worker for attnswap in plain Python with NumPy: dense, window and topk by one masked product. adapters/PROTOCOL.md."""
import hashlib, json, struct, sys, time
import numpy as np

def read_safetensors(path):
    with open(path, 'rb') as file:
        header = json.loads(file.read(struct.unpack('<Q', file.read(8))[0]))
        data = file.read()
    types = {'F32': '<f4', 'U8': 'u1'}
    return {name: np.frombuffer(data[slice(*at['data_offsets'])], types[at['dtype']]).reshape(at['shape'])
            for name, at in header.items() if name != '__metadata__'}

def write_safetensors(path, name, values):
    header = json.dumps({name: {'dtype': 'F32', 'shape': values.shape, 'data_offsets': [0, values.nbytes]}}).encode()
    header += b' ' * (-len(header) % 8)
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(header)) + header + values.astype('<f4').tobytes())

def allowed(shape, mask):
    """[batch, 1, queries, keys]: which keys each query may see."""
    position = np.arange(shape['queries'])[:, None] + shape['keys'] - shape['queries']
    key = np.arange(shape['keys'])[None, :]
    seen = key <= position if shape['causal'] else np.ones((shape['queries'], shape['keys']), bool)
    return seen[None, None] if mask is None else seen[None, None] & (mask[:, None, None, :] == 1)

def windowed(shape, parameters):
    position = np.arange(shape['queries'])[:, None] + shape['keys'] - shape['queries']
    key, w, globals_ = np.arange(shape['keys'])[None, :], parameters['w'], parameters['globals']
    near = (key > position - w) & (key <= position) if shape['causal'] else abs(position - key) <= w // 2
    return near | (key < globals_) | (position < globals_)

def largest(logits, seen, parameters):
    """The k largest of each row; of equals the lower key, as a stable sort gives them."""
    count = seen.sum(-1, keepdims=True)
    k = np.ceil(parameters['keep'] * count - 1e-9) if 'keep' in parameters else parameters['k']
    order = np.argsort(-logits, -1, kind='stable')
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(logits.shape[-1])[None, None, None, :], -1)
    return seen & (rank < k)

def attend(given):
    shape, parameters, variant = given['shape'], given['parameters'], given['variant']
    group = shape['heads'] // shape['kvHeads']
    key, value = (np.repeat(given[name], group, 1) for name in 'kv')
    seen = allowed(shape, given.get('mask'))
    if variant == 'window':
        seen = seen & windowed(shape, parameters)
    logits = np.where(seen, given['q'] @ key.swapaxes(-1, -2) * np.float32(given['scale']), np.float32(-np.inf))
    if variant == 'topk':
        seen = largest(logits, seen, parameters)
        logits = np.where(seen, logits, np.float32(-np.inf))
    weights = np.exp(logits - np.maximum(logits.max(-1, keepdims=True), np.float32(-3e38)))
    return weights @ value / np.maximum(weights.sum(-1, keepdims=True), np.float32(1e-38))

def hello(_):
    kernels = [{'variant': name, 'kernel': 'masked', 'summary': 'every product, then a mask', 'scored': 'all'} for name in ('dense', 'window', 'topk')]
    backend = {'name': 'numpy-cpu', 'available': True, 'version': f'NumPy {np.__version__}', 'device': 'CPU', 'dtypes': ['f32']}
    return {'protocol': 'attnswap.worker/1', 'name': 'numpy', 'version': '1.0', 'backends': [backend], 'kernels': kernels}

def prepare(request):
    state.clear()
    state.update(request, **read_safetensors(request['inputs']))
    return {'inputs': hashlib.sha256(b''.join(state[name].tobytes() for name in 'qkv')).hexdigest()}

def check(request):
    write_safetensors(request['output'], 'o', attend(state))
    return {}

def sample(request):
    start = time.perf_counter_ns()
    for _ in range(request['calls']):
        attend(state)
    return {'elapsedNs': time.perf_counter_ns() - start}

def memory(_):
    attend(state)
    return {}

def dispatch(_):
    return {'operators': [], 'flags': ['NumPy keeps no profile: what ran is not known']}

state, answers = {}, {'hello': hello, 'prepare': prepare, 'check': check, 'sample': sample, 'memory': memory, 'dispatch': dispatch}
for line in sys.stdin:
    request = json.loads(line)
    try:
        if request['ask'] == 'bye':
            break
        reply = answers[request['ask']](request)
    except Exception as error:
        reply = {'error': f'{type(error).__name__}: {error}'}
    print(json.dumps({'id': request['id'], **reply}), flush=True)
