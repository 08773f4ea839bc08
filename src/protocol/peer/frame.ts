/**
 * What brokers say to each other travels in frames, whose checksum finds every damaged byte:
 *
 *      0  int32   size          bytes after the prefix: head and payload
 *      4  int32   head size
 *      8  uint32  crc32c of the head
 *     12  uint32  crc32c of the twelve bytes before
 *     16  head    int8 kind, then its fields (handshake.ts, messages.ts, calls.ts)
 *         payload whole record batches, as they lie in the log; nothing but appends has one
 *
 * The prefix has a checksum of its own, so that a damaged size is found at once and not after so many bytes.
 * The payload is not summed again, which would cost as much as sending it (0.3 s/GB): batches carry their own sum, which whoever
 * appends them checks; the bytes that theirs leaves out are summed in the head (messages.ts).
 */
export const prefixBytes = 16

/** The first and last version of the protocol that this release speaks. Versions of layouts are versions of it. */
export const peerVersions = [1, 1] as const

export const frameKinds = {
  hello: 1,
  welcome: 2,
  proof: 3,
  refusal: 4,
  ping: 5,
  pong: 6,
  messages: 7,
  request: 8,
  response: 9,
  pulse: 10,
} as const
