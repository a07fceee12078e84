"""What training makes small."""
from ..torch_import import torch


def mean(losses):
    """Of every exit's loss, each of the same weight (Huang et al. 2018, section 4)."""
    losses = list(losses)
    return sum(losses) / len(losses)


def cross_entropy(logits, targets):
    """Mean over scored positions, nats: logits [batch, length, classes], targets int64 [batch, length], −1 where nothing is scored."""
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1)


def expected_cost(outputs, depths, targets, layer_cost):
    """
    Nats, mean over scored positions: the loss and layer_cost for each of its layers, of an answer that leaves every exit with the probability that
    the exit's head gives (Banino et al. 2021, section 2). outputs: of every exit, the last layer's at the end; depths: layers up to each.
    """
    scored = targets >= 0
    ahead = None
    for output, depth in reversed(list(zip(outputs, depths))):
        price = torch.nn.functional.cross_entropy(output.logits[scored], targets[scored], reduction='none') + layer_cost * depth
        ahead = price if ahead is None else ahead + output.sure[scored] * (price - ahead)
    return ahead.mean()


def distillation(logits, teacher, targets, temperature):
    """T²·KL(teacher ‖ student) at temperature T, mean over scored positions (Hinton et al. 2015, section 2)."""
    scored = targets >= 0
    student = torch.log_softmax(logits[scored] / temperature, -1)
    given = torch.log_softmax(teacher[scored] / temperature, -1)
    return temperature**2 * (given.exp() * (given - student)).sum(-1).mean()


def head_difference(own, teacher, weights):
    """Σ w_h ‖o_h − teacher's o_h‖²/‖teacher's o_h‖² over the sites' heads: lists of [batch, heads, length, d]; weights [sites, heads], sum 1."""
    total = 0
    for layer, (output, wanted) in enumerate(zip(own, teacher)):
        error = (output - wanted).square().sum((0, 2, 3))
        size = wanted.square().sum((0, 2, 3)).clamp(min=1e-12)
        total = total + (weights[layer] * error / size).sum()
    return total
