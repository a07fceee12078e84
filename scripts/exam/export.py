"""python export.py FOLDER [NAME…]: exports toy models as people do; FOLDER/NAME.EXPORTER.onnx, and beside each a .json that says what it holds.

A file that is there already is left as it is. What cannot be exported is a line in FOLDER/failed.jsonl.
"""
import json
import shutil
import sys
import warnings
from pathlib import Path

import onnx
import torch
import transformers

from architectures import EAGER_ONLY, HEADS, ONE, ROWS, VOCABULARY, WIDTH

warnings.filterwarnings('ignore')
transformers.logging.set_verbosity_error()
EXPORTERS = {'torch-export-18': ('export', 18, 'sdpa'), 'torch-export-23': ('export', 23, 'sdpa'), 'torchscript-17': ('script', 17, 'eager')}
AFTER = {'bert': ['optimized', 'fp16', 'int8', 'qdq', 'slim'], 't5-encoder': ['fp16'], 'gemma2': ['fp16'], 'mistral': ['fp16'], 'gpt2': ['optimized', 'slim'], 'llama': ['int8', 'slim'], 'bart': ['int8', 'slim'], 'vit': ['optimized', 'int8', 'qdq', 'slim']}


def built(name, row, attention):
    torch.manual_seed(11)
    config = getattr(transformers, row.config)(**row.more)
    config._attn_implementation = 'eager' if name in EAGER_ONLY else attention
    model = getattr(transformers, row.model)(config, **row.build).eval()
    # Weights as models are initialised give a flat softmax: nothing of a wrong mask or scale would show.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 1.3 * max(1, parameter[0].numel()) ** -0.5)
        for path, parameter in model.named_parameters():
            if path.endswith('sinks'):
                parameter.normal_()
    return model


def module_of(model, names, decodes):
    """What is exported: forward takes the inputs by position, and gives one tensor."""
    more = {'use_cache': False} if decodes else {}

    class Exported(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def call(self, *given):
            return self.model(**dict(zip(names, given)), **more)[0]

    # Exporters read the number of inputs off the signature.
    Exported.forward = {1: lambda self, a: self.call(a), 2: lambda self, a, b: self.call(a, b), 3: lambda self, a, b, c: self.call(a, b, c)}[len(names)]
    return Exported().eval()


def sample(role, sizes):
    sizes = [ONE.get(size, size) for size in sizes]
    if role == 'ids':
        return torch.randint(3, VOCABULARY, sizes)
    return torch.ones(sizes, dtype=torch.long) if role == 'mask' else torch.randn(sizes)


def export(path, name, row, exporter, build=built):
    kind, opset, attention = exporter
    inputs = row.inputs
    module = module_of(build(name, row, attention), list(inputs), row.decodes)
    given = tuple(sample(*spec) for spec in inputs.values())
    dynamic = [{axis: size for axis, size in enumerate(sizes) if isinstance(size, str)} for _, sizes in inputs.values()]
    with torch.no_grad():
        if kind == 'export':
            torch.onnx.export(module, given, str(path), dynamo=True, opset_version=opset, external_data=False, verbose=False, input_names=list(inputs), output_names=['out'], dynamic_shapes=tuple(dynamic))
        else:
            torch.onnx.export(module, given, str(path), dynamo=False, opset_version=opset, input_names=list(inputs), output_names=['out'], dynamic_axes=dict(zip(inputs, dynamic)))


def optimized(source, target, name):
    from onnxruntime.transformers import optimizer

    kind = {'bart': 'bart', 'vit': 'vit', 'gpt2': 'gpt2'}.get(name, 'bert')
    optimizer.optimize_model(str(source), model_type=kind, num_heads=HEADS, hidden_size=WIDTH, opt_level=0).save_model_to_file(str(target))


def fp16(source, target, name):
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = onnx.load(str(source))
    # Exporters note the types of what nodes give, which then are other types.
    del model.graph.value_info[:]
    onnx.save(convert_float_to_float16(model, keep_io_types=True, op_block_list=['Range', 'Log']), str(target))


def int8(source, target, name):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(str(source), str(target), weight_type=QuantType.QInt8, extra_options={'DefaultTensorType': onnx.TensorProto.FLOAT})


def qdq(source, target, name):
    """Every operator between quantizers, with steps from three drawn batches."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quant_pre_process, quantize_static

    row = ROWS[name]

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.batches = iter([{key: sample(*spec).numpy() for key, spec in row.inputs.items()} for _ in range(3)])

        def get_next(self):
            return next(self.batches, None)

    torch.manual_seed(11)
    prepared = target.with_suffix('.prepared')
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    quantize_static(str(prepared), str(target), Reader(), quant_format=QuantFormat.QDQ, per_channel=False)
    prepared.unlink()


def slim(source, target, name):
    import onnxslim

    onnxslim.slim(str(source), str(target))


def note(path, sites, exporter, post):
    about = {'architecture': path.name.split('.')[0], 'exporter': exporter, 'post': post, 'sites': sites}
    path.with_suffix('.json').write_text(json.dumps(about))


def fail(folder, file, error):
    with open(folder / 'failed.jsonl', 'a') as lines:
        lines.write(json.dumps({'file': file, 'reason': f'{type(error).__name__}: {error}'[:300]}) + '\n')
    print(f'{file}: {type(error).__name__}', flush=True)


def attempt(path, sites, exporter, post, make):
    if path.with_suffix('.json').exists():
        return
    try:
        make()
        note(path, sites, exporter, post)
        print(path.name, flush=True)
    except Exception as error:  # an exporter that fails is a line of the table, whatever it failed of
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        fail(path.parent, path.name, error)


def main(folder, wanted):
    folder.mkdir(parents=True, exist_ok=True)
    for name, row in ROWS.items():
        if wanted and name not in wanted:
            continue
        for exporter in EXPORTERS:
            path = folder / f'{name}.{exporter}.onnx'
            attempt(path, row.sites, exporter, '', lambda: export(path, name, row, EXPORTERS[exporter]))
        source = folder / f'{name}.torchscript-17.onnx'
        for post in AFTER.get(name, []) if source.exists() else []:
            path = folder / f'{name}.torchscript-17+{post}.onnx'
            attempt(path, row.sites, 'torchscript-17', post, lambda: globals()[post](source, path, name))


if __name__ == '__main__':
    main(Path(sys.argv[1]), sys.argv[2:])
