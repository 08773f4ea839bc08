/** A sign of life of a broker, for all quiet quorums that it has with the receiver: see replica/pulses.ts. */
import { float64, layout, uint32 } from '../notation.ts'
import { peerVersions } from './frame.ts'

/** Times are of who measures them; `echoMs` -1: none yet. */
export const pulse = layout(
  { session: uint32, sentMs: float64, echoMs: float64 },
  { versions: peerVersions, flexible: null, name: 'pulse' },
)
