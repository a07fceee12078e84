import { threadSettings } from './cpu-quota.ts';

/**
 * What keeps runtimes from reporting on their users and from asking the network. ONNX Runtime turns its telemetry on by itself, with a
 * thread beside the kernel that is timed; the others are the hub's, which Python workers may load.
 */
const settings = {
  ORT_DISABLE_TELEMETRY: '1',
  DO_NOT_TRACK: '1',
  HF_HUB_DISABLE_TELEMETRY: '1',
  HF_HUB_OFFLINE: '1',
  HF_DATASETS_OFFLINE: '1',
  TRANSFORMERS_OFFLINE: '1',
} as const;

// On import, as a runtime reads its environment once, when it is loaded. Workers inherit it.
for (const [name, value] of Object.entries({ ...settings, ...threadSettings() })) process.env[name] ??= value;

/** The settings as they are in this process and its workers: what the user set stays. */
export function quietSettings(): Record<string, string> {
  return Object.fromEntries(Object.keys(settings).map((name) => [name, process.env[name] ?? '']));
}
