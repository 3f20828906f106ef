/* The relman.toml of a chosen archive, read here before a byte is sent: what is wrong with it shows at once.
   Where this cannot read an archive, nothing is shown; RelMan itself reads it after the upload. */
const LARGEST = 64 * 1024;
const FAR = 64 * 1024 * 1024;
const NAMES = ["relman.toml", "./relman.toml"];
const words = new TextDecoder();

/* The manifest's text, or null. */
export async function manifestOf(file) {
  try {
    const bytes = file.name.toLowerCase().endsWith(".zip") ? await fromZip(file) : await fromTar(file);
    return bytes && words.decode(bytes);
  } catch {
    return null;
  }
}

/* Walks the headers of a tar: each is 512 bytes, its file follows, filled up to the next 512. */
async function fromTar(file) {
  const reader = file.stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  let hand = new Uint8Array(0);
  let skip = 0;
  let seen = 0;
  while (seen < FAR) {
    const { done, value } = await reader.read();
    if (done) return null;
    seen += value.length;
    hand = joined(hand, value);
    for (;;) {
      const gone = Math.min(skip, hand.length);
      hand = hand.subarray(gone);
      skip -= gone;
      if (skip || hand.length < 512) break;
      const size = Number.parseInt(text(hand, 124, 12), 8) || 0;
      if (NAMES.includes(text(hand, 0, 100)) && size <= LARGEST) {
        if (hand.length < 512 + size) break;
        await reader.cancel();
        return hand.slice(512, 512 + size);
      }
      skip = 512 + Math.ceil(size / 512) * 512;
    }
  }
  await reader.cancel();
  return null;
}

/* Finds the entry in a zip's directory, which lies at its end. */
async function fromZip(file) {
  const tail = await part(file, Math.max(0, file.size - 65_600), file.size);
  let at = tail.byteLength - 22;
  while (at >= 0 && tail.getUint32(at, true) !== 0x06054b50) at -= 1;
  if (at < 0) return null;
  const begin = tail.getUint32(at + 16, true);
  const directory = await part(file, begin, begin + Math.min(tail.getUint32(at + 12, true), FAR));
  for (let here = 0; here + 46 <= directory.byteLength; ) {
    const [packed, name, extra, note] = [20, 28, 30, 32].map((field) => field === 20 ? directory.getUint32(here + field, true) : directory.getUint16(here + field, true));
    if (NAMES.includes(words.decode(new Uint8Array(directory.buffer, here + 46, name)))) {
      return entry(file, directory.getUint32(here + 42, true), packed, directory.getUint16(here + 10, true));
    }
    here += 46 + name + extra + note;
  }
  return null;
}

async function entry(file, at, packed, method) {
  if (packed > LARGEST) return null;
  const head = await part(file, at, at + 30);
  const begin = at + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const raw = file.slice(begin, begin + packed);
  if (method === 0) return new Uint8Array(await raw.arrayBuffer());
  return limited(raw.stream().pipeThrough(new DecompressionStream("deflate-raw")));
}

async function limited(stream) {
  const reader = stream.getReader();
  let all = new Uint8Array(0);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return all;
    all = joined(all, value);
    if (all.length > LARGEST) {
      await reader.cancel();
      return null;
    }
  }
}

async function part(file, begin, end) {
  return new DataView(await file.slice(begin, end).arrayBuffer());
}

function joined(one, other) {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

function text(bytes, at, length) {
  return words.decode(bytes.subarray(at, at + length)).split("\0")[0].trim();
}
