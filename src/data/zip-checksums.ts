const signatures = { end: 0x0605_4b50, zip64Locator: 0x0706_4b50, zip64End: 0x0606_4b50, entry: 0x0201_4b50, local: 0x0403_4b50 };
const endBytes = 22;

/**
 * The CRC-32 of every entry, in the order of the zip's central directory (APPNOTE.TXT 6.3.10, 4.3.12 to 4.3.16); fflate reads the same
 * directory and compares none. No checksum covers names: each must stand in the directory as it stands before its data.
 * @throws RangeError on a damaged directory
 */
export function zipChecksums(bytes: Uint8Array<ArrayBuffer>): readonly number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { entries, start } = directoryOf(view);
  const checksums: number[] = [];
  for (let at = start; checksums.length < entries;) {
    if (view.getUint32(at, true) !== signatures.entry) throw new RangeError(`no directory entry at byte ${at}`);
    checksums.push(view.getUint32(at + 16, true));
    checkName(view, at);
    at += 46 + view.getUint16(at + 28, true) + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return checksums;
}

function checkName(view: DataView, at: number): void {
  const start = view.getUint32(at + 42, true);
  // Beyond 4 GiB, where it stands elsewhere.
  if (start === 0xffff_ffff) return;
  if (view.getUint32(start, true) !== signatures.local) throw new RangeError(`no entry at byte ${start}`);
  const [listed, local] = [nameAt(view, at + 46, at + 28), nameAt(view, start + 30, start + 26)];
  if (!listed.equals(local)) throw new RangeError(`the entry at byte ${start} is listed under another name`);
}

function nameAt(view: DataView, start: number, lengthAt: number): Buffer {
  return Buffer.from(view.buffer, view.byteOffset + start, view.getUint16(lengthAt, true));
}

function directoryOf(view: DataView): { entries: number; start: number } {
  let end = view.byteLength - endBytes;
  while (view.getUint32(end, true) !== signatures.end) end--;
  if (end >= 20 && view.getUint32(end - 20, true) === signatures.zip64Locator) {
    const large = view.getUint32(end - 12, true);
    if (view.getUint32(large, true) === signatures.zip64End)
      return { entries: view.getUint32(large + 32, true), start: view.getUint32(large + 48, true) };
  }
  return { entries: view.getUint16(end + 8, true), start: view.getUint32(end + 16, true) };
}
