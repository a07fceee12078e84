"""
Workers that are forked from this process, so that they need not import PyTorch again (Linux alone). This process has imported what they need and runs no
operator: threads and devices do not survive a fork.
"""
import ctypes
import gc
import json
import mmap
import os
import random
import selectors
import signal
import socket
import sys
import time
import traceback

kill_with_parent = 1  # PR_SET_PDEATHSIG, prctl(2)
# Of a worker's connections: src/protocol/forked-worker.ts.
roles = ('control', 'stdin', 'stdout', 'stderr')
longest_header = 2**20


def refusal():
    """Why this process cannot be forked; None where it can."""
    try:
        # A system may know it and not allow it.
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return 'workers are forked on Linux 5.3 or later, by Python 3.9 or later'
    if threads() > 1:
        # OpenBLAS ends its threads at a fork, and starts them again when they have work: a first fork shows whether all threads do.
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        for _ in range(50):
            if threads() == 1:
                return None
            time.sleep(0.001)
        return f'{threads()} threads run once everything is imported'
    return None


def threads():
    """Threads of this process."""
    return len(os.listdir('/proc/self/task'))


class Server:
    """
    Listens at `socket` in a private folder. A worker is asked for by four connections, each of which begins with a line: {"worker": any name, "role"}, and
    of the control connection also "env", "cwd" and "preload". That one is answered {"pid"}, or {"unsupported": why}, and {"code"} or {"signal"} once the worker
    has ended; whoever closes it ends the worker. The other three are the worker's standard streams. A connection that begins with {"retire": true} lets the
    process end once its last worker has. `env` is what this process was started with: imports may have added to it.
    """

    # Longest wait for all four connections, seconds.
    patience = 60

    def __init__(self, folder, env, preload):
        self.preload, self.env = preload, env
        self.preloaded = {None}
        self.selector = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX)
        # The path of a socket may have 107 bytes.
        place = os.open(folder, os.O_RDONLY)
        self.listener.bind(f'/proc/self/fd/{place}/socket')
        os.close(place)
        self.listener.listen(64)
        self.libc = ctypes.CDLL(None)
        # Those that have not got a worker yet, with when they are closed.
        self.waiting = {}
        self.asked = {}
        # Control connections by worker.
        self.running = {}
        self.retired = False
        settle_memory()

    def serve(self):
        """Forks until standard input ends, and then ends what it forked. Returns in a worker, never in this process."""
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        self.selector.register(0, selectors.EVENT_READ, self.end)
        while not (self.retired and not self.running and not self.waiting):
            # One at a time: it may unregister others.
            for key, _ in self.selector.select(self.patience if self.waiting else None)[:1]:
                if key.data() == 'worker':
                    return
            self.give_up()
        self.end()

    def accept(self):
        try:
            connection, _ = self.listener.accept()
        except OSError:
            # Too many open files: some are closed in time.
            return time.sleep(0.01)
        self.waiting[connection] = time.monotonic() + self.patience
        header = bytearray()
        self.selector.register(connection, selectors.EVENT_READ, lambda: self.read(connection, header))

    def give_up(self):
        """Closes connections whose worker was never asked for in full, and the others of that worker."""
        now = time.monotonic()
        late = {connection for connection, until in self.waiting.items() if until <= now}
        for worker, of_worker in list(self.asked.items()):
            connections = {connection for connection, _ in of_worker.values()}
            if connections & late:
                del self.asked[worker]
                late |= connections
        self.close(*late)

    def read(self, connection, header):
        """The first line of a connection. Nothing follows it until the worker runs."""
        part = received(connection)
        header += part
        if part != b'' and len(header) <= longest_header and not header.endswith(b'\n'):
            return None
        self.selector.unregister(connection)
        try:
            told = json.loads(header)
            if told.get('retire'):
                self.retire()
                return self.close(connection)
            of_worker = self.asked.setdefault(told['worker'], {})
            of_worker[told['role']] = (connection, told)
        except (ValueError, TypeError, KeyError, AttributeError):
            return self.close(connection)
        if not set(roles) <= set(of_worker):
            return None
        del self.asked[told['worker']]
        return self.launch({role: of_worker[role][0] for role in roles}, of_worker['control'][1])

    def launch(self, streams, told):
        """Forks a worker; 'worker' in the worker. What fails here fails for this worker alone."""
        try:
            self.prepare(told.get('preload'))
            server = os.getpid()
            pid = os.fork()
        except Exception as error:
            send(streams['control'], {'unsupported': ' '.join(str(error).split())[:1000] or type(error).__name__})
            return self.close(*streams.values())
        if pid == 0:
            try:
                self.become_worker(server, streams, told)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            return 'worker'
        return self.watch(pid, streams)

    def prepare(self, model):
        """Imports what a model takes. Raises RuntimeError where this process cannot be forked, and what the import raises."""
        self.preload(model)
        if model not in self.preloaded:
            self.preloaded.add(model)
            settle_memory()
        problem = refusal()
        if problem is not None:
            raise RuntimeError(problem)

    def watch(self, pid, streams):
        """Tells of a worker, ends it with its control connection, and waits for its end."""
        control = streams['control']
        try:
            watch = os.pidfd_open(pid)
        except OSError as error:
            kill(pid)
            os.waitpid(pid, 0)
            send(control, {'unsupported': str(error)})
            return self.close(*streams.values())
        self.running[pid] = control
        del self.waiting[control]
        self.close(*(streams[role] for role in roles[1:]))
        self.selector.register(control, selectors.EVENT_READ, lambda: self.stop(pid, control))
        self.selector.register(watch, selectors.EVENT_READ, lambda: self.bury(pid, control, watch))
        return send(control, {'pid': pid})

    def become_worker(self, server, streams, told):
        """A session, signals, streams, an environment and a layout of its own, as a fresh process has."""
        self.libc.prctl(kill_with_parent, signal.SIGKILL)
        if os.getppid() != server:
            os._exit(1)
        os.setsid()
        for fd, role in enumerate(roles[1:]):
            os.dup2(streams[role].fileno(), fd)
        for key in self.selector.get_map().values():
            if isinstance(key.fileobj, int) and key.fileobj != 0:
                os.close(key.fileobj)
        self.selector.close()
        self.listener.close()
        self.close(*self.waiting, *self.running.values())
        env = told['env']
        for name in self.env.keys() - env.keys():
            os.environ.pop(name, None)
        os.environ.update({name: value for name, value in env.items() if self.env.get(name) != value})
        if 'tempfile' in sys.modules:
            sys.modules['tempfile'].tempdir = None
        os.chdir(told['cwd'])
        draw_layout(self.libc)

    def stop(self, pid, control):
        """Whoever asked for a worker is gone, or wants it to be."""
        self.selector.unregister(control)
        kill(pid)

    def bury(self, pid, control, watch):
        """Tells how a worker ended; what it started ends with it."""
        self.selector.unregister(watch)
        os.close(watch)
        kill(pid)  # Its number is not given anew until it is waited for.
        _, status = os.waitpid(pid, 0)
        del self.running[pid]
        code = os.waitstatus_to_exitcode(status)
        send(control, {'code': code} if code >= 0 else {'signal': name_of(-code)})
        if control in self.selector.get_map():
            self.selector.unregister(control)
        self.close(control)

    def retire(self):
        """Takes no more requests."""
        if not self.retired:
            self.retired = True
            self.selector.unregister(self.listener)
            self.listener.close()

    def end(self):
        """attnswap is gone, however it went, or needs no more workers."""
        for pid in self.running:
            kill(pid)
        os._exit(0)

    def close(self, *connections):
        for connection in connections:
            if connection in self.selector_keys():
                self.selector.unregister(connection)
            connection.close()
            self.waiting.pop(connection, None)

    def selector_keys(self):
        """What is listened to; nothing in a worker."""
        return self.selector.get_map() or {}


def kill(pid):
    """Ends a worker and what it started; it may not lead a group yet."""
    for end in (os.killpg, os.kill):
        try:
            end(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


layout = []


def settle_memory():
    """Collects garbage and leaves what remains out of later collections: those would copy the pages that workers share."""
    gc.collect()
    gc.freeze()


def name_of(number):
    """Of a signal; some have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f'signal {number}'


def draw_layout(libc):
    """
    Places for data that differ from worker to worker, as the system gives them to fresh processes: without it, all workers would share one draw. A gap of up to
    128 MiB where memory is mapped, and one of up to 128 KiB at the end of the heap; neither is touched.
    """
    draw = random.SystemRandom().randrange
    layout.append(mmap.mmap(-1, mmap.PAGESIZE * (1 + draw(2**15)), prot=0))
    libc.sbrk(ctypes.c_ssize_t(16 * draw(2**13)))


def received(connection):
    try:
        return connection.recv(65536)
    except OSError:
        return b''


def send(connection, message):
    try:
        connection.sendall(json.dumps(message).encode() + b'\n')
    except OSError:
        pass  # Whoever asked is gone.
