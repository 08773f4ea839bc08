/** Knowing the secret of the cluster, shown without saying it; see protocol/peer/handshake.ts. */
import { createHmac, timingSafeEqual } from 'node:crypto'

export type Side = 'dialer' | 'acceptor'

const nothing = Buffer.alloc(0)

/** Without a secret: no bytes. Microseconds, on this thread: nothing that a stranger could keep busy. */
export function proofOf(secret: Buffer | null, side: Side, hello: Buffer, welcome: Buffer): Buffer {
  if (secret === null) return nothing
  return createHmac('sha256', secret).update(`lograft peer ${side}\n`).update(hello).update(welcome).digest()
}

/** In a time that does not tell how much of it was right. */
export function isProof(given: Buffer, wanted: Buffer): boolean {
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}
