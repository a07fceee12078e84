"""What a profile of ONNX Runtime says of its last call."""
from .words import counted


def operators(events):
    """Calls and own time by operator and provider, the longest first."""
    last = max(event['ts'] for event in events if event['name'] == 'model_run')
    nodes = [event for event in events if event['cat'] == 'Node' and event['ts'] >= last and event['name'].endswith('_kernel_time')]
    totals = {}
    for event, own in own_times(nodes):
        name, provider = event['args'].get('op_name', 'unknown'), event['args'].get('provider', 'unknown')
        told = totals.setdefault((name, provider), {'operator': name, 'provider': provider, 'calls': 0, 'totalNs': 0})
        told['calls'] += 1
        told['totalNs'] += 1000 * own
    return sorted(totals.values(), key=lambda told: -told['totalNs'])


def own_times(nodes):
    """Each event with its microseconds less those of events inside: a Loop, Scan or If has one around those of its body."""
    timed, around = [], {}
    for event in sorted(nodes, key=lambda event: (event['ts'], -event['dur'])):
        parents = [entry for entry in around.get(event['tid'], []) if event['ts'] < entry[0]['ts'] + entry[0]['dur']]
        entry = [event, event['dur']]
        if parents:
            parents[-1][1] -= event['dur']
        around[event['tid']] = [*parents, entry]
        timed.append(entry)
    return timed


def flags(operators, provider):
    """What ran on the CPU where another provider was asked for."""
    others = [told for told in operators if told['provider'] != provider]
    return ['ran on the CPU: ' + counted(others)] if others else []
