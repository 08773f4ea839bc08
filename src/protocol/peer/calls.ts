/** Requests of one broker to another and their answers, matched by `id`: forwarded commands, and whatever else is asked. */
import { bytes, int16, int32, layout, string } from '../notation.ts'
import { peerVersions } from './frame.ts'

/** `kind` says what is asked; the payload is whatever its handler reads. */
export const request = layout(
  { id: int32, kind: int16, payload: bytes },
  { versions: peerVersions, flexible: null, name: 'request' },
)

/** `error` is a code of Kafka's table, 0 for an answer; `detail` a sentence for the person who reads it. */
export const response = layout(
  { id: int32, error: int16, detail: string, payload: bytes },
  { versions: peerVersions, flexible: null, name: 'response' },
)
