import { closeSync, openSync } from 'node:fs';
import { createConnection } from 'node:net';
import type { Socket } from 'node:net';

/** The path of a socket in an open folder: that of a socket may have 107 bytes, which a temporary folder's may exceed (Linux). */
export function socketIn(folder: number, name: string): string {
  return `/proc/self/fd/${folder}/${name}`;
}

/** @throws what the system says */
export async function connectIn(folder: string, name: string): Promise<Socket> {
  const descriptor = openSync(folder, 'r');
  try {
    return await new Promise<Socket>((resolve, reject) => {
      const socket: Socket = createConnection(socketIn(descriptor, name), () => resolve(socket.off('error', reject)));
      socket.once('error', reject);
    });
  } finally {
    closeSync(descriptor);
  }
}
