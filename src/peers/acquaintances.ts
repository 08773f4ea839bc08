/** Which brokers there are, and by which disk each is known. */
import { type Claim, Stranger } from './handshake.ts'
import type { Peer } from './link.ts'

export class Acquaintances {
  readonly #peers = new Map<number, Peer>()
  /** What brokers came with whose disk nobody has told us yet. */
  readonly #learned = new Map<number, string>()

  /** A disk that is told holds; one that was learned holds until then. */
  set(peers: readonly Peer[]): void {
    this.#peers.clear()
    for (const peer of peers) this.#peers.set(peer.id, peer)
    for (const id of this.#learned.keys()) {
      const peer = this.#peers.get(id)
      if (peer === undefined || peer.diskId !== null) this.#learned.delete(id)
    }
  }

  diskIdOf(id: number): string | null {
    return this.#peers.get(id)?.diskId ?? this.#learned.get(id) ?? null
  }

  /** Who is not known yet may ask to join, and nothing else: a guest. */
  isKnown(id: number): boolean {
    return this.#peers.has(id)
  }

  /** @throws Stranger when it is of another cluster, or not the one that it was */
  check(claim: Claim, self: Claim): void {
    const { nodeId, clusterId, diskId } = claim
    if (clusterId !== '' && self.clusterId !== '' && clusterId !== self.clusterId) {
      throw new Stranger(
        'cluster',
        `it belongs to cluster ${clusterId}, and this broker to ${self.clusterId}`,
      )
    }
    if (nodeId === self.nodeId)
      throw new Stranger('node', `it says it is node ${nodeId}, and so is this broker`)
    const known = this.diskIdOf(nodeId)
    if (known !== null && known !== diskId) {
      const rule = 'a broker that lost its data joins as a new one'
      throw new Stranger('disk', `it comes with disk ${diskId}, and is known with disk ${known}: ${rule}`)
    }
  }

  /** It has shown who it is. */
  met({ nodeId, diskId }: Claim): void {
    if (this.isKnown(nodeId) && this.diskIdOf(nodeId) === null) this.#learned.set(nodeId, diskId)
  }
}
