"""Questions in, answers out: one JSON object a line."""
import json
import os
import sys


def protected_output():
    """The stream that attnswap reads. What anything else prints goes to standard error from now on."""
    stream = os.fdopen(os.dup(1), 'w', encoding='utf-8', newline='\n')
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return stream


def answer(answers, question):
    """The answer's fields; a fault in words."""
    try:
        ask = getattr(answers, 'on_' + str(question.get('ask')).replace('-', '_'), None)
        if ask is None:
            return {'error': f'no such question: {question.get("ask")!r}'}
        return ask(question)
    except Exception as error:  # Whatever a kernel throws ends its cell alone, not this process.
        words = ' '.join(str(error).split())[:1000]
        return {'error': f'{type(error).__name__}: {words}'}


def main():
    """Answers what the PyTorch adapter is asked."""
    def answers():
        from .answers import Answers  # Imports PyTorch, which may print.

        return Answers()

    serve(answers)


def serve(make_answers):
    """Answers until standard input ends, or until goodbye."""
    output = protected_output()
    # Compilers of kernels would otherwise start processes of their own.
    os.environ.setdefault('TORCHINDUCTOR_COMPILE_THREADS', '1')
    answers = make_answers()

    def reply(question, fields):
        output.write(json.dumps({'id': question.get('id'), **fields}) + '\n')
        output.flush()

    while (line := sys.stdin.readline()) != '':
        if line.strip() == '':
            continue
        question = json.loads(line)
        if question.get('ask') == 'bye':
            break
        if question.get('ask') != 'fork-server':
            reply(question, answer(answers, question))
            continue
        # Of attnswap's own workers alone, and no part of the protocol: src/protocol/fork-servers.ts.
        from . import forks

        try:
            problem = forks.refusal()
            server = None if problem else forks.Server(question['folder'], question['env'], getattr(answers, 'preload', lambda _: None))
        except OSError as error:
            problem = str(error)
        if problem:
            reply(question, {'unsupported': problem})
            continue
        reply(question, {})
        server.serve()
        # In a worker, which goes on here with streams of its own.
        output.close()
        sys.stdin = os.fdopen(0, encoding=sys.stdin.encoding, closefd=False)
        output = protected_output()
    sys.stderr.flush()
    # Taking apart what was imported takes a second of processor time. Only a user's code may have left something to be done at the end.
    if not getattr(answers, 'runs_users_code', False):
        os._exit(0)
