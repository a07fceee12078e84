import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Gpu } from './host-schema.ts';

/**
 * The graphics processors with their drivers. Under Linux NVIDIA's are asked of their driver: systeminformation runs
 * nvidia-smi synchronously and without a time limit, which can stop the whole process for seconds.
 */
export async function findGpus(): Promise<Gpu[]> {
  if (process.platform === 'linux' && existsSync('/dev/nvidiactl')) return queryNvidia();
  if (process.platform === 'linux' && !mayHaveDisplay()) return [];
  const { graphics } = await import('systeminformation');
  const { controllers } = await graphics();
  return controllers.map(({ model, vendor, driverVersion, vram }) => ({
    model,
    vendor,
    driver: driverVersion || null,
    // Mebibytes; null or 0 where unknown or shared with the processor.
    memoryBytes: vram ? vram * 2 ** 20 : null,
  }));
}

/** Whether the PCI bus has a display controller (class 03), or cannot be seen: most servers and virtual machines have none to ask helper programs for. */
function mayHaveDisplay(): boolean {
  const bus = '/sys/bus/pci/devices';
  try {
    return readdirSync(bus).some((device) => readFileSync(`${bus}/${device}/class`, 'utf8').startsWith('0x03'));
  } catch {
    return true;
  }
}

async function queryNvidia(): Promise<Gpu[]> {
  try {
    const query = ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader,nounits'];
    const { stdout } = await promisify(execFile)('nvidia-smi', query, { timeout: 2000, killSignal: 'SIGKILL' });
    return parseNvidiaSmi(stdout);
  } catch {
    return readNvidiaDriver();
  }
}

/** Lines of `name, driver_version, memory.total` (MiB), one a device. */
export function parseNvidiaSmi(stdout: string): Gpu[] {
  return stdout
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [model = '', driver = '', mebibytes = ''] = line.split(',').map((field) => field.trim());
      return { model, vendor: 'NVIDIA', driver, memoryBytes: Number(mebibytes) * 2 ** 20 || null };
    });
}

/** Without nvidia-smi: /proc/driver/nvidia names devices and driver, and no sizes. */
function readNvidiaDriver(): Gpu[] {
  const driver = /Kernel Module\s+(?:for \S+\s+)?([\d.]+)/.exec(readFileSync('/proc/driver/nvidia/version', 'utf8'))?.[1] ?? null;
  const folder = '/proc/driver/nvidia/gpus';
  return readdirSync(folder).map((device) => {
    const model = /^Model:\s*(.+)$/m.exec(readFileSync(`${folder}/${device}/information`, 'utf8'))?.[1] ?? 'unknown';
    return { model, vendor: 'NVIDIA', driver, memoryBytes: null };
  });
}
