"""
Workers that are forked from this process, so that they need not import PyTorch again (Linux alone). This process has imported what they need and runs no
operator: threads and devices do not survive a fork.
"""
import ctypes
import json
import mmap
import os
import random
import selectors
import signal
import socket
import sys
import time

kill_with_parent = 1  # PR_SET_PDEATHSIG, prctl(2)
# Of a worker's connections: src/protocol/forked-worker.ts.
roles = ('control', 'stdin', 'stdout', 'stderr')
longest_header = 2**20


def refusal():
    """Why this process cannot be forked; None where it can."""
    if not sys.platform.startswith('linux') or not hasattr(os, 'pidfd_open'):
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
    has ended; whoever closes it ends the worker. The other three are the worker's standard streams.
    """

    def __init__(self, folder, preload):
        self.preload = preload
        self.selector = selectors.DefaultSelector()
        # A relative name: the path of a socket may have 107 bytes.
        os.chdir(folder)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind('socket')
        self.listener.listen(64)
        self.libc = ctypes.CDLL(None)
        self.connections = set()
        self.asked = {}
        self.running = set()

    def serve(self):
        """Forks until standard input ends, and then ends what it forked. Returns in a worker, never in this process."""
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        self.selector.register(0, selectors.EVENT_READ, self.end)
        while True:
            # One at a time: it may unregister others.
            for key, _ in self.selector.select()[:1]:
                if key.data() == 'worker':
                    return

    def accept(self):
        connection, _ = self.listener.accept()
        self.connections.add(connection)
        header = bytearray()
        self.selector.register(connection, selectors.EVENT_READ, lambda: self.read(connection, header))

    def read(self, connection, header):
        """The first line of a connection. Nothing follows it until the worker runs."""
        part = received(connection)
        header += part
        if part != b'' and len(header) <= longest_header and not header.endswith(b'\n'):
            return None
        self.selector.unregister(connection)
        try:
            told = json.loads(header)
            of_worker = self.asked.setdefault(told['worker'], {})
            of_worker[told['role']] = (connection, told)
        except (ValueError, TypeError, KeyError):
            return self.close(connection)
        if not set(roles) <= set(of_worker):
            return None
        del self.asked[told['worker']]
        return self.launch({role: of_worker[role][0] for role in roles}, of_worker['control'][1])

    def launch(self, streams, told):
        """Forks a worker; 'worker' in the worker."""
        control = streams['control']
        self.preload(told.get('preload'))
        problem = refusal()
        if problem is not None:
            send(control, {'unsupported': problem})
            return self.close(*streams.values())
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            self.become_worker(server, streams, told)
            return 'worker'
        self.close(*(streams[role] for role in roles[1:]))
        self.running.add(pid)
        watch = os.pidfd_open(pid)
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
        self.close(*self.connections)
        for name in os.environ.keys() - told['env'].keys():
            del os.environ[name]
        os.environ.update(told['env'])
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
        self.running.remove(pid)
        code = os.waitstatus_to_exitcode(status)
        send(control, {'code': code} if code >= 0 else {'signal': signal.Signals(-code).name})
        if control in self.selector.get_map():
            self.selector.unregister(control)
        self.close(control)

    def end(self):
        """attnswap is gone, however it went."""
        for pid in self.running:
            kill(pid)
        os._exit(0)

    def close(self, *connections):
        for connection in connections:
            connection.close()
        self.connections.difference_update(connections)


def kill(pid):
    """Ends a worker and what it started; it may not lead a group yet."""
    for end in (os.killpg, os.kill):
        try:
            end(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


layout = []


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
