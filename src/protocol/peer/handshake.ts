/**
 * How two brokers meet. Who dials begins; after the proofs it may speak.
 *
 *     dialer   --- hello ------------>  acceptor
 *              <-- welcome, proof ----
 *              --- proof ------------>
 *
 * Either may say `refusal` instead, and closes. These layouts outlive the versions they negotiate: new fields are tagged ones.
 *
 * A proof is HMAC-SHA256, keyed with the secret of the cluster, of who proves ('dialer' or 'acceptor') and the heads of hello and
 * welcome: both chose a fresh nonce, so it is of no use in another meeting nor to the other side. Without a secret it is empty.
 */
import { bytes, int8, int16, int32, layout, string, uuid } from '../notation.ts'

const forEver = { versions: [0, 0], flexible: 0 } as const

/** The two connections from one broker to another: nothing large may hold up what is on `control`. */
export const lanes = { control: 0, data: 1 } as const

export const hello = layout(
  {
    minVersion: int16,
    maxVersion: int16,
    /** '' as long as the cluster has not formed. */
    clusterId: string,
    nodeId: int32,
    /** Minted with the data folder: a broker whose disk was wiped is another one. */
    diskId: uuid,
    /** Whom the dialer wants to reach. */
    to: int32,
    lane: int8,
    /** The largest frame that the sender of this takes. */
    frameBytesMax: int32,
    nonce: bytes,
    /** Where the dialer listens itself; null when it does not say. */
    host: string.nullable,
    port: int32,
  },
  { ...forEver, name: 'hello' },
)

export const welcome = layout(
  { version: int16, clusterId: string, nodeId: int32, diskId: uuid, frameBytesMax: int32, nonce: bytes },
  { ...forEver, name: 'welcome' },
)

export const proof = layout({ proof: bytes }, { ...forEver, name: 'proof' })

/** Says no more than the reason: what this broker knows is not for strangers. */
export const refusal = layout({ reason: int8 }, { ...forEver, name: 'refusal' })

export const refusalReasons = { version: 1, cluster: 2, node: 3, disk: 4, address: 5, secret: 6 } as const
