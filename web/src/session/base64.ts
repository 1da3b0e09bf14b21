// PCM16 samples as the wire has them. Every machine that runs a browser is little-endian, as the wire is.

export function toBase64(pcm: Int16Array): string {
  return btoa(String.fromCharCode(...new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength)));
}

export function samplesOf(base64: string): Int16Array {
  return new Int16Array(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)).buffer);
}
