/**
 * Two brokers meet: both sides of it, as values that are given frames and say what to answer. Drawn in protocol/peer/handshake.ts.
 *
 * Who fails is a `Stranger`. The other side learns which of its claims was wrong and nothing else; the sentence is for our log.
 */
import { assert } from '../base/assert.ts'
import { Malformed, Reader } from '../base/bytes.ts'
import { Faulted } from '../base/errors.ts'
import { frameKinds, peerVersions, prefixBytes } from '../protocol/peer/frame.ts'
import * as wire from '../protocol/peer/handshake.ts'
import { beginFrame, endFrame, type Frame } from './frames.ts'
import { isProof, proofOf } from './proof.ts'

export type StrangerReason = keyof typeof wire.refusalReasons
export type LaneName = keyof typeof wire.lanes

/** Somebody who may not join, or whom we may not join. */
export class Stranger extends Faulted {
  override name = 'Stranger'
  constructor(
    readonly reason: StrangerReason,
    readonly sentence: string,
    /** The other side said so. */
    readonly isTheirs = false,
  ) {
    super('net', sentence)
  }
}

/** What a broker says of itself. */
export interface Claim {
  readonly nodeId: number
  readonly clusterId: string
  readonly diskId: string
}

export interface Self {
  claim(): Claim
  readonly secret: Buffer | null
  readonly frameBytesMax: number
  /** Where this broker listens; null while it does not. */
  address(): { readonly host: string; readonly port: number } | null
  /** @throws Stranger when what is claimed cannot be */
  check(claim: Claim): void
  nonce(): Buffer
}

/** The other side has shown who it is. */
export interface Met {
  readonly claim: Claim
  readonly lane: LaneName
  readonly version: number
  /** The largest frame that it takes. */
  readonly frameBytesMax: number
  /** Where it says that it listens; null when it did not say. */
  readonly address: { readonly host: string; readonly port: number } | null
}

export interface Step {
  readonly send: readonly Frame[]
  readonly met: Met | null
}

const waits: Step = { send: [], met: null }
const secretSentence = 'it does not know the secret of this cluster (lograft.peer.secret.file)'

export class Dialer {
  readonly #self: Self
  readonly #to: number
  readonly #lane: LaneName
  #hello: Buffer = Buffer.alloc(0)
  /** Its head, and what it said. */
  #welcome: { head: Buffer; met: Met } | null = null

  constructor(self: Self, to: number, lane: LaneName) {
    this.#self = self
    this.#to = to
    this.#lane = lane
  }

  hello(): Frame {
    const self = this.#self
    const address = self.address()
    const writer = beginFrame(frameKinds.hello)
    wire.hello.encode(
      writer,
      {
        ...self.claim(),
        minVersion: peerVersions[0],
        maxVersion: peerVersions[1],
        to: this.#to,
        lane: wire.lanes[this.#lane],
        frameBytesMax: self.frameBytesMax,
        nonce: self.nonce(),
        host: address?.host ?? null,
        port: address?.port ?? 0,
      },
      0,
    )
    const frame = endFrame(writer)
    this.#hello = headOf(frame)
    return frame
  }

  /** @throws Stranger, Malformed */
  receive(head: Buffer): Step {
    const reader = new Reader(head)
    const kind = reader.int8('kind of frame')
    if (kind === frameKinds.refusal) throw refusedByThem(reader)
    const welcome = this.#welcome
    if (welcome === null) {
      if (kind !== frameKinds.welcome) throw new Malformed(`frame ${kind} where a welcome was due`)
      this.#welcome = { head, met: this.#welcomed(reader) }
      return waits
    }
    if (kind !== frameKinds.proof) throw new Malformed(`frame ${kind} where a proof was due`)
    const { secret } = this.#self
    checkProof(reader, proofOf(secret, 'acceptor', this.#hello, welcome.head))
    const proof = proofFrame(proofOf(secret, 'dialer', this.#hello, welcome.head))
    return { send: [proof], met: welcome.met }
  }

  #welcomed(reader: Reader): Met {
    const said = wire.welcome.decode(reader, 0)
    reader.expectEnd('welcome')
    if (said.nodeId !== this.#to) {
      throw new Stranger('address', `node ${said.nodeId} answers where node ${this.#to} should be`)
    }
    if (said.version < peerVersions[0] || said.version > peerVersions[1])
      throw wrongVersion(said.version, said.version)
    this.#self.check(said)
    const { version, frameBytesMax } = said
    return { claim: said, lane: this.#lane, version, frameBytesMax, address: null }
  }
}

export class Acceptor {
  readonly #self: Self
  #greeted: { met: Met; hello: Buffer; welcome: Buffer } | null = null

  constructor(self: Self) {
    this.#self = self
  }

  /** @throws Stranger, Malformed */
  receive(head: Buffer): Step {
    const reader = new Reader(head)
    const kind = reader.int8('kind of frame')
    if (kind === frameKinds.refusal) throw refusedByThem(reader)
    const greeted = this.#greeted
    if (greeted === null) {
      if (kind !== frameKinds.hello) throw new Malformed(`frame ${kind} where a hello was due`)
      return this.#greet(reader, head)
    }
    if (kind !== frameKinds.proof) throw new Malformed(`frame ${kind} where a proof was due`)
    checkProof(reader, proofOf(this.#self.secret, 'dialer', greeted.hello, greeted.welcome))
    return { send: [], met: greeted.met }
  }

  #greet(reader: Reader, hello: Buffer): Step {
    const self = this.#self
    const said = wire.hello.decode(reader, 0)
    reader.expectEnd('hello')
    const version = Math.min(said.maxVersion, peerVersions[1])
    if (version < Math.max(said.minVersion, peerVersions[0]))
      throw wrongVersion(said.minVersion, said.maxVersion)
    const claim = self.claim()
    if (said.to !== claim.nodeId) {
      throw new Stranger(
        'address',
        `node ${said.nodeId} looks for node ${said.to}, and this is ${claim.nodeId}`,
      )
    }
    self.check(said)
    const lane = laneOf(said.lane)
    const { frameBytesMax, host, port } = said
    const writer = beginFrame(frameKinds.welcome)
    wire.welcome.encode(
      writer,
      { ...claim, version, frameBytesMax: self.frameBytesMax, nonce: self.nonce() },
      0,
    )
    const frame = endFrame(writer)
    const welcome = headOf(frame)
    const address = host === null ? null : { host, port }
    this.#greeted = { met: { claim: said, lane, version, frameBytesMax, address }, hello, welcome }
    return { send: [frame, proofFrame(proofOf(self.secret, 'acceptor', hello, welcome))], met: null }
  }
}

export function refusalFrame({ reason }: Stranger): Frame {
  const writer = beginFrame(frameKinds.refusal)
  wire.refusal.encode(writer, { reason: wire.refusalReasons[reason] }, 0)
  return endFrame(writer)
}

function proofFrame(proof: Buffer): Frame {
  const writer = beginFrame(frameKinds.proof)
  wire.proof.encode(writer, { proof }, 0)
  return endFrame(writer)
}

function checkProof(reader: Reader, wanted: Buffer): void {
  const { proof } = wire.proof.decode(reader, 0)
  if (!isProof(proof, wanted)) throw new Stranger('secret', secretSentence)
}

function laneOf(number: number): LaneName {
  if (number === wire.lanes.control) return 'control'
  if (number === wire.lanes.data) return 'data'
  throw new Malformed(`a lane of unknown kind ${number}`)
}

function headOf(frame: Frame): Buffer {
  const [head] = frame.pieces
  assert(head !== undefined, 'a frame begins with its head')
  return head.subarray(prefixBytes)
}

function wrongVersion(min: number, max: number): Stranger {
  const [ours, newest] = peerVersions
  return new Stranger(
    'version',
    `it speaks versions ${min} to ${max} of the protocol between brokers, and this broker ${ours} to ${newest}`,
  )
}

const theirSentences: { readonly [R in StrangerReason]: string } = {
  version: 'it speaks none of our versions of the protocol between brokers',
  cluster: 'it belongs to another cluster',
  node: 'it knows no broker of this id',
  disk: 'it knows this broker with another disk: a broker that lost its data joins as a new one',
  address: 'it is not the broker that was looked for',
  secret: 'its secret is another one (lograft.peer.secret.file)',
}

function refusedByThem(reader: Reader): Stranger {
  const { reason } = wire.refusal.decode(reader, 0)
  const [name] = Object.entries(wire.refusalReasons).find(([, number]) => number === reason) ?? []
  if (name === undefined) throw new Malformed(`a refusal for the unknown reason ${reason}`)
  return new Stranger(name as StrangerReason, theirSentences[name as StrangerReason], true)
}
