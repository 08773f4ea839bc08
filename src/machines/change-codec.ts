/**
 * How replicated changes become records: the key is the kind of change and the version of its layout, the value its fields.
 * A kind's number and its layouts are for ever; a new field is a new version.
 *
 *     key    int16 kind, int16 version
 *     value  the layout's bytes
 */

import { Reader, Writer } from '../base/bytes.ts'
import { Faulted } from '../base/errors.ts'
import type { Layout, Shape } from '../protocol/notation.ts'

export interface ChangeKind {
  readonly kind: number
  readonly layout: Layout<Shape>
}

/** Encodes a value with the newest version of its layout. */
export function toBytes(layout: Layout<Shape>, value: unknown): Buffer {
  const writer = new Writer()
  layout.encode(writer, value as never, layout.max)
  return Buffer.concat(writer.finish())
}

/**
 * The codec of a union of changes `{ type: 'topicCreated', ...fields }`, by the name of its kind. `toWire` and `fromWire` of a
 * kind translate what the notation has no word for (maps).
 */
export function changeCodec<Change extends { readonly type: string }>(
  kinds: {
    readonly [T in Change['type']]: ChangeKind & {
      toWire(change: Extract<Change, { type: T }>): unknown
      fromWire(fields: never): Omit<Extract<Change, { type: T }>, 'type'>
    }
  },
) {
  type Kind = (typeof kinds)[Change['type']]
  const byNumber = new Map<number, [string, Kind]>(
    (Object.entries(kinds) as [string, Kind][]).map(([type, kind]) => [kind.kind, [type, kind]]),
  )
  return {
    encode(change: Change): { key: Buffer; value: Buffer } {
      const kind = kinds[change.type as Change['type']]
      const key = Buffer.allocUnsafe(4)
      key.writeInt16BE(kind.kind, 0)
      key.writeInt16BE(kind.layout.max, 2)
      return { key, value: toBytes(kind.layout, kind.toWire(change as never)) }
    },
    /** @throws Faulted for a kind or version that this release does not know: written by a newer one */
    decode(key: Buffer, value: Buffer): Change {
      const number = key.readInt16BE(0)
      const version = key.readInt16BE(2)
      const [type, kind] = byNumber.get(number) ?? []
      if (
        type === undefined ||
        kind === undefined ||
        version > kind.layout.max ||
        version < kind.layout.min
      ) {
        throw new Faulted(
          'bytes',
          `read a replicated change of kind ${number} version ${version}: unknown to this release`,
        )
      }
      const reader = new Reader(value)
      const fields = kind.layout.decode(reader, version)
      reader.expectEnd(type)
      return { type, ...kind.fromWire(fields as never) } as unknown as Change
    },
  }
}
